"""Organizations as customers: the row that every change of what they pay locks first, and their customer at Stripe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, Subquery
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Organization, Role
from apps.billing import gateway
from apps.billing.models import BillingAccount, CreditEntry, Invoice, Order, OrderState, Subscription
from apps.billing.services.noting import note_customer
from apps.billing.services.operations import perform, write_operation
from apps.core import tenancy
from apps.core.errors import InvalidRequest

MANAGE, READ = "billing:manage", "billing:read"
OTHER_CURRENCY = gettext_noop("Your organization pays in %(currency)s, and goes on in it.")


@dataclass(frozen=True, slots=True)
class TaxDetails:
    """What stands on invoices; `tax_id_kind` is one of Stripe's, such as eu_vat."""

    name: str
    email: str
    country: str = ""
    tax_id_kind: str = ""
    tax_id: str = ""


def lock_account(organization_id: UUID) -> BillingAccount:
    """The account's row, locked until commit; made if there is none. In the scope of the organization."""
    BillingAccount.objects.get_or_create(defaults={"organization_id": organization_id})
    account: BillingAccount = BillingAccount.objects.select_for_update(no_key=True).get()
    return account


def account_of(organization_id: UUID) -> BillingAccount:
    """As it stands; one that is not stored where there is none."""
    with tenancy.scope(organization_id):
        found: BillingAccount | None = BillingAccount.objects.first()
    return found or BillingAccount(organization_id=organization_id)


def ensure_customer(organization_id: UUID) -> BillingAccount:
    """The account with its customer at Stripe: two who ask at once send one operation's key, and get one customer."""
    with tenancy.scope(organization_id):
        account = lock_account(organization_id)
        if account.stripe_id:
            return account
        name = account.name or Organization.objects.get(pk=organization_id).name
        note_customer(account, name=name, email=account.email or _first_owner())
        facts = {"name": account.name, "email": account.email, "organization": str(organization_id)}
        operation = write_operation(organization_id, "create_customer", str(account.pk), facts)
    made = perform(operation)
    with tenancy.scope(organization_id):
        account = lock_account(organization_id)
        if not account.stripe_id:
            note_customer(account, stripe_id=made.answer_id, livemode=gateway.is_live())
    return account


def change_tax_details(actor: Actor, details: TaxDetails) -> BillingAccount:
    """Changes what stands on invoices from the next one on, and asks Stripe to check the tax id."""
    actor.require(MANAGE)
    _check(details)
    with tenancy.scope(actor.organization_id):
        account = lock_account(actor.organization_id)
        wanted = {name: getattr(details, name) for name in TaxDetails.__dataclass_fields__}
        changed = {name: value for name, value in wanted.items() if getattr(account, name) != value}
        before = {name: getattr(account, name) for name in changed}
        for name, value in changed.items():
            setattr(account, name, value)
        if "tax_id" in changed or "tax_id_kind" in changed:
            account.tax_id_state = "pending" if account.tax_id else ""
        account.save()
        if changed:
            audit.record(actor, "billing.details_changed", account, before=before, after=changed)
    if changed and account.stripe_id:
        _tell_stripe(account)
    return account


def paying_currency(organization_id: UUID) -> str:
    """The currency that is fixed because something was paid in it, or "". In the scope of the organization."""
    return _currencies(organization_id).paid


def spending_currency(organization_id: UUID) -> str:
    """The currency in which credit has to be to pay for anything, or "" where the first purchase decides.

    In the scope of the organization. Usage is priced in the account's one currency: credit in another would lie idle.
    """
    found = _currencies(organization_id)
    return found.paid or (found.agreed if found.has_plan else found.given)


@dataclass(frozen=True, slots=True)
class _Currencies:
    """The account's currency, whether something was paid and a plan goes on in it, and that of the newest credit."""

    agreed: str
    has_paid: bool
    has_plan: bool
    given: str

    @property
    def paid(self) -> str:
        return self.agreed if self.has_paid else ""


def _currencies(organization_id: UUID) -> _Currencies:
    """With one question; in the scope of the organization."""
    agreed = BillingAccount.objects.values("currency")[:1]
    # What was bought in another currency, a licence perhaps, says nothing of this one.
    paid_orders = Order.objects.exclude(state__in=[OrderState.OPEN, OrderState.EXPIRED]).filter(currency=agreed)
    found = Organization.objects.filter(pk=organization_id).values(
        agreed=Subquery(agreed),
        has_invoice=Exists(Invoice.objects.filter(paid_minor__gt=0, currency=agreed)),
        has_order=Exists(paid_orders),
        has_plan=Exists(Subscription.objects.filter(is_live=True, price__isnull=False)),
        given=Subquery(CreditEntry.objects.order_by("-created_at").values("currency")[:1]),
    )
    facts: dict[str, Any] = dict(found.get())
    return _Currencies(
        agreed=facts["agreed"] or "",
        has_paid=facts["has_invoice"] or facts["has_order"],
        has_plan=facts["has_plan"],
        given=facts["given"] or "",
    )


def open_portal(actor: Actor, *, return_url: str, flow: str = "") -> str:
    """The address of the customer's own page at Stripe, good for a few minutes."""
    actor.require(MANAGE)
    account = ensure_customer(actor.organization_id)
    return gateway.open_portal(account.stripe_id, return_url=return_url, flow=flow).url


def _tell_stripe(account: BillingAccount) -> None:
    customer, organization_id = account.stripe_id, account.organization_id
    details = {"customer": customer, "name": account.name, "email": account.email, "country": account.country}
    tax = {"customer": customer, "kind": account.tax_id_kind, "value": account.tax_id}
    with tenancy.scope(organization_id):
        told = write_operation(organization_id, "change_customer", "", details)
        checked = write_operation(organization_id, "set_tax_id", "", tax)
    perform(told)
    state = perform(checked).answer_id
    with tenancy.scope(organization_id):
        held = lock_account(organization_id)
        if held.tax_id == account.tax_id:
            note_customer(held, tax_id_state=state)
    account.tax_id_state = state


def _first_owner() -> str:
    rows = Membership.objects.filter(role=Role.OWNER, user__is_active=True).order_by("id")
    address: Any = rows.values_list("user__email", flat=True).first()
    return str(address or "")


def _check(details: TaxDetails) -> None:
    if not details.name.strip():
        raise InvalidRequest("Invoices need a name.", param="name")
    if details.country and not re.fullmatch(r"[A-Z]{2}", details.country):
        raise InvalidRequest("A country is two capital letters, such as DE.", param="country")
    if bool(details.tax_id) != bool(details.tax_id_kind):
        raise InvalidRequest("A tax number needs its kind.", param="tax_id_kind")
