"""Licences between two organizations of this installation: bought, held, and taken back when the payment is.

The only place where this app works across organizations. A purchase is one fact that both must have or neither, so the
vendor's rows are written in the transaction of the buyer's, each behind its own wall.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Organization, Role
from apps.billing import services as billing
from apps.billing.models import BillingAccount, Order, OrderKind
from apps.core import events, tenancy
from apps.core.errors import Conflict, NotFound
from apps.core.tenancy import Across, TenantQuerySet, across_tenants
from apps.licensing.models import HeldLicence, Licence, Policy, Purpose, Revocations, SigningJob
from apps.licensing.services.licences import (
    create,
    locked,
    reinstate_locked,
    replace_key_of,
    require_served,
    revoke_locked,
)
from apps.licensing.services.products import MANAGE, READ, Grant
from apps.licensing.services.signing import ask, locked_revocations

NOT_HELD = gettext_noop("Your organization holds no licence with this id.")
REFUNDED = "The payment was refunded or disputed."


@dataclass(frozen=True, slots=True)
class Offer:
    """A policy that a vendor has published, as other organizations see it."""

    policy_id: UUID
    vendor_id: UUID
    vendor: str
    product: str
    policy: str
    description: str
    days: int | None
    seats: int | None
    most_machines: int | None
    field_of_use: str
    price_minor: int
    currency: str


@contextmanager
def _at_vendor(organization_id: UUID) -> Iterator[None]:
    with across_tenants(Across.LICENCES), tenancy.scope(organization_id):
        yield


def offers(buyer: UUID) -> list[Offer]:
    """What other organizations have published, the newest first."""
    with across_tenants(Across.LICENCES):
        return [_offer(policy) for policy in _published(buyer).order_by("-id")[:200]]


def get_offer(actor: Actor, policy_id: UUID) -> Offer:
    return _offer(_on_offer(actor, policy_id))


def buy(actor: Actor, policy_id: UUID, quantity: int) -> Order:
    """An order of licences; they are issued when it is paid. Whoever pays for the organization may buy.

    It keeps the terms of this moment beside their price: the vendor may change the policy until it is delivered.
    """
    policy = _on_offer(actor, policy_id)
    offer = _offer(policy)
    return billing.start_order(
        actor,
        kind=OrderKind.LICENCE,
        item_id=offer.policy_id,
        name=f"{offer.product}: {offer.policy}",
        quantity=quantity,
        currency=offer.currency,
        amount_minor=offer.price_minor * quantity,
        terms=_terms_of(policy),
    )


def start_paying(actor: Actor, order: Order) -> str:
    """Where the order is paid; asks the payment provider, so that no transaction may be open."""
    return billing.checkout_url(actor, order)


def _published(buyer: UUID) -> TenantQuerySet:
    rows = Policy.objects.filter(is_published=True, price_minor__isnull=False).exclude(organization_id=buyer)
    found: TenantQuerySet = rows.filter(organization__deletes_at__isnull=True)
    return found.select_related("product", "organization")


def _on_offer(actor: Actor, policy_id: UUID) -> Policy:
    with across_tenants(Across.LICENCES):
        found: Policy | None = _published(actor.organization_id).filter(pk=policy_id).first()
    if found is None:
        raise NotFound("There is no such offer.")
    return found


def _terms_of(policy: Policy) -> dict[str, Any]:
    """What is granted for the price, and what it is called."""
    return {"product": policy.product.name, "policy": policy.name, "days": policy.days, **policy.terms}


def _offer(policy: Policy) -> Offer:
    return Offer(
        policy_id=policy.pk,
        vendor_id=policy.organization_id,
        vendor=policy.organization.name,
        product=policy.product.name,
        policy=policy.name,
        description=policy.product.description,
        days=policy.days,
        seats=policy.seats,
        most_machines=policy.most_machines,
        field_of_use=policy.field_of_use,
        price_minor=policy.price_minor or 0,
        currency=policy.currency,
    )


# ---------------------------------------------------------------- orders


def deliver(order: Order) -> list[UUID]:
    """Issues what a paid order is for, once however often it is called, in the transaction of the order's state."""
    with tenancy.scope(order.organization_id):
        buyer = Organization.objects.get(pk=order.organization_id)
        email = _address_of(order)
    with across_tenants(Across.LICENCES):
        policy: Policy | None = (
            Policy.objects.select_related("product", "organization").filter(pk=order.item_id).first()
        )
    if policy is None:
        raise NotFound("The policy that was bought is gone.")
    terms = order.terms or _terms_of(policy)
    with _at_vendor(policy.organization_id):
        # Two deliveries at a time: the second waits here, and finds what the first has issued.
        Policy.objects.select_for_update(of=("self",), no_key=True).get(pk=policy.pk)
    _lock_heads(buyer.pk, policy.organization_id)
    with _at_vendor(policy.organization_id):
        known = list(Licence.objects.filter(order_id=order.pk).values_list("order_item", flat=True))
        for item in sorted(set(range(order.quantity)) - set(known)):
            who = {"licensee": buyer.name, "email": email, "holder_id": buyer.pk}
            bought = {"order_id": order.pk, "order_item": item}
            by, grant = audit.system(policy.organization_id), Grant.changed({}, terms)
            create(by, policy, grant, terms["days"], who | bought)
        issued = list(Licence.objects.filter(order_id=order.pk).order_by("order_item").values_list("pk", flat=True))
    with tenancy.scope(order.organization_id):
        names = {"product_name": terms["product"], "policy_name": terms["policy"]}
        for licence_id in issued:
            _hold(buyer.pk, policy, licence_id, names)
    return issued


def _hold(buyer_id: UUID, policy: Policy, licence_id: UUID, names: dict[str, str]) -> None:
    facts: dict[str, Any] = {"vendor_name": policy.organization.name, **names}
    held, is_new = HeldLicence.objects.get_or_create(
        organization_id=buyer_id, licence_id=licence_id, defaults={"vendor_id": policy.organization_id, **facts}
    )
    if is_new:
        audit.record(audit.system(buyer_id), "held_licence.received", held, **facts)
        events.record("held_licence.received", held.pk, facts)


def _lock_heads(*organization_ids: UUID) -> None:
    """After all rows and before the first entry: then it does not matter who buys of whom at the same time."""
    with across_tenants(Across.LICENCES):
        audit.lock_heads(organization_ids)


def _address_of(order: Order) -> str:
    """Where the licensee is written to: whoever is billed, else the organization's first owner."""
    account = BillingAccount.objects.exclude(email="").first()
    if account is not None:
        return str(account.email)
    owners = Membership.objects.filter(role=Role.OWNER).select_related("user").order_by("created_at")
    return str(owners[0].user.email)


def take_back(order: Order, reversed_minor: int) -> int:
    """Revokes as many of an order's licences as the refunds and disputes so far pay for; how many were revoked now.

    `reversed_minor` is the sum of them all, so that calling it again with the same changes nothing. Where it has become
    less, because a dispute was won, those that it had revoked are served again.
    """
    wanted = order.quantity if reversed_minor >= order.amount_minor else _pieces(order, reversed_minor)
    with across_tenants(Across.LICENCES):
        sold = Licence.objects.filter(order_id=order.pk).order_by("-order_item")
        rows = list(sold.values_list("organization_id", "pk"))
    if not rows:
        return 0
    # All were issued by the one vendor.
    vendor_id = rows[0][0]
    with _at_vendor(vendor_id):
        found = [locked(licence_id) for _, licence_id in rows]
        if wanted or any(licence.revoked_at for licence in found):
            locked_revocations()
    _lock_heads(order.organization_id, vendor_id)
    with _at_vendor(vendor_id):
        return _take_back(audit.system(vendor_id), found, wanted)


def _take_back(by: Actor, found: list[Licence], wanted: int) -> int:
    """Revokes the first so many, and serves those again that it had revoked of the others; all is locked."""
    revoked = 0
    for number, licence in enumerate(found):
        if number < wanted:
            revoked += licence.revoked_at is None
            revoke_locked(by, licence, REFUNDED)
        elif licence.revoked_at is not None and licence.reason == REFUNDED:
            reinstate_locked(by, licence)
    return revoked


def _pieces(order: Order, reversed_minor: int) -> int:
    return reversed_minor * order.quantity // max(1, order.amount_minor)


# ---------------------------------------------------------------- what one holds


@dataclass(frozen=True, slots=True)
class Holding:
    """A licence of another organization's as its holder sees it."""

    held: HeldLicence
    licence: Licence
    revocations: str


def held_licence(actor: Actor, id: UUID) -> Holding:
    """A licence that the organization holds, with its present file."""
    actor.require(READ)
    held = _held(actor, id)
    with _at_vendor(held.vendor_id):
        licence = Licence.objects.for_pages().filter(Q(holder_id=actor.organization_id), pk=held.licence_id).first()
        listed = Revocations.objects.exclude(file="").first()
    if licence is None:
        raise NotFound(NOT_HELD)
    return Holding(held, licence, listed.file if listed else "")


def new_key_of_held(actor: Actor, id: UUID) -> str:
    """A key for a licence that was bought; the one before works no more."""
    actor.require(MANAGE)
    held = _held(actor, id)
    # One transaction: a key that works and that nobody was told of would shut the holder out.
    with tenancy.scope(actor.organization_id):
        with _at_vendor(held.vendor_id):
            licence = _held_and_locked(actor, held)
        _lock_heads(actor.organization_id, held.vendor_id)
        with _at_vendor(held.vendor_id):
            _licence, key = replace_key_of(audit.system(held.vendor_id), licence)
        audit.record(actor, "held_licence.key_made", held)
    return key


def refresh_held(actor: Actor, id: UUID) -> SigningJob:
    """Has the file of a licence that was bought signed anew."""
    actor.require(MANAGE)
    held = _held(actor, id)
    with _at_vendor(held.vendor_id):
        licence = _held_and_locked(actor, held)
        require_served(licence)
        return ask(Purpose.LICENCE, licence)


def _held(actor: Actor, id: UUID) -> HeldLicence:
    with tenancy.scope(actor.organization_id):
        held: HeldLicence | None = HeldLicence.objects.filter(pk=id).first()
    if held is None:
        raise NotFound(NOT_HELD)
    return held


def _held_and_locked(actor: Actor, held: HeldLicence) -> Licence:
    licence = locked(held.licence_id)
    if licence.holder_id != actor.organization_id:
        raise Conflict("This licence has been transferred to somebody else.")
    return licence
