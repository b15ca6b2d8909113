"""Prepaid credits: bought, given, taken back. What is left is the sum of the entries, which are never changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.audit.recording import system
from apps.accounts.models import Organization
from apps.billing.entitlements import micros_of
from apps.billing.models import CreditEntry, CreditKind, CreditPack, Order
from apps.billing.services.accounts import lock_account, spending_currency
from apps.billing.services.noting import note_customer
from apps.core import events, tenancy
from apps.core.currencies import figure
from apps.core.errors import InvalidRequest
from apps.core.tenancy import current_organization

ACTIONS: Final[dict[str, str]] = {
    CreditKind.PURCHASE: "credits.bought",
    CreditKind.GRANT: "credits.given",
    CreditKind.DRAW: "credits.used",
    CreditKind.CLAWBACK: "credits.taken_back",
    CreditKind.EXPIRY: "credits.expired",
}


def balance(currency: str) -> int:
    """What is left, in micros, of the organization in scope; negative where spent credit was taken back."""
    found = CreditEntry.objects.filter(currency=currency).aggregate(left=Sum("amount_micros", default=0))
    return int(found["left"])


def deliver(order: Order) -> None:
    """Adds what was bought; the same order again adds nothing. The caller has locked the order, in its scope."""
    terms = order.terms or terms_of(CreditPack.objects.get(pk=order.item_id))
    amount = int(micros_of(terms["credit_minor"] * order.quantity, terms["currency"]))
    by, ends = system(order.organization_id), None
    if terms["valid_days"] is not None:
        ends = timezone.now() + timedelta(days=terms["valid_days"])
    add(by, CreditKind.PURCHASE, terms["currency"], amount, str(order.pk), note=terms["name"], expires_at=ends)


def terms_of(pack: CreditPack) -> dict[str, Any]:
    """What an order of the pack is delivered by."""
    return {name: getattr(pack, name) for name in ("name", "currency", "credit_minor", "valid_days")}


def take_back(order: Order, reversed_minor: int) -> None:
    """Takes back the part of a purchase that has been refunded or disputed by now; gives back what no longer is.

    It may take more than is left: then the balance is negative, and nothing more can be spent. What has expired of it
    has gone already.
    """
    bought = CreditEntry.objects.filter(kind=CreditKind.PURCHASE, reference=str(order.pk)).first()
    if bought is None:
        return
    share = min(reversed_minor, order.amount_minor)
    ended = CreditEntry.objects.filter(kind=CreditKind.EXPIRY, reference__startswith=f"{bought.pk}:")
    expired = -int(ended.aggregate(sum=Sum("amount_micros", default=0))["sum"])
    gone = -(-bought.amount_micros * share // order.amount_minor) if share else 0
    before = CreditEntry.objects.filter(reference__startswith=f"{order.pk}:")
    taken = -int(before.aggregate(sum=Sum("amount_micros", default=0))["sum"])
    # What was taken before it could expire stays taken, as long as that much is reversed.
    change = taken - max(0, gone - expired, min(gone, taken))
    if not change:
        return
    kind = CreditKind.CLAWBACK if change < 0 else CreditKind.GRANT
    reference = f"{order.pk}:{before.count() + 1}"
    add(system(order.organization_id), kind, bought.currency, change, reference, note=order.name)


def grant(
    organization_id: UUID,
    currency: str,
    amount_micros: int,
    *,
    reference: str,
    note: str,
    expires_at: datetime | None = None,
) -> bool:
    """Credit that the operator gives; the same reference again gives nothing. Returns whether it was given."""
    if amount_micros <= 0:
        raise InvalidRequest("Give an amount above 0.", param="amount")
    with tenancy.scope(organization_id):
        by, kind = system(organization_id), CreditKind.GRANT
        account = lock_account(organization_id)
        if not spending_currency(organization_id):
            # As the first purchase does: usage is priced in what its credit is in.
            note_customer(account, currency=currency)
        return add(by, kind, currency, amount_micros, reference, note=note, expires_at=expires_at)


def draw(month: str, currency: str, amount_micros: int) -> None:
    """Pays for a month that is being closed."""
    add(system(current_organization()), CreditKind.DRAW, currency, -amount_micros, f"{month} {currency}")


def add(
    actor: Actor,
    kind: CreditKind,
    currency: str,
    amount: int,
    reference: str,
    note: str = "",
    expires_at: datetime | None = None,
) -> bool:
    """Writes an entry, once for its kind and reference; whether it is new. In the scope of the organization."""
    organization = Organization.objects.get(pk=actor.organization_id)
    entry, created = CreditEntry.objects.get_or_create(
        kind=kind,
        reference=reference,
        defaults={
            "organization_id": actor.organization_id,
            "currency": currency,
            "amount_micros": amount,
            "note": note[:200],
            "expires_at": expires_at,
        },
    )
    if created:
        facts = {"amount_micros": amount, "currency": currency, "reference": reference}
        name = ACTIONS[kind]
        audit.record(actor, name, organization, amount=figure(amount, currency), currency=currency, note=note)
        events.record(name, entry.pk, facts)
    return bool(created)
