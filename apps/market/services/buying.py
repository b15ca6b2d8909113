"""Buying what another organization offers: the licence is accepted, and an order is made for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.services.organizations import locked
from apps.billing import services as billing
from apps.billing.models import Order, OrderKind, OrderState
from apps.core import events, tenancy
from apps.core.errors import Conflict, NotFound
from apps.market.access import MANAGE, require
from apps.market.border import published
from apps.market.models import KINDS_WITH_FILES, Listing, Purchase, PurchaseState

NO_LISTING = gettext_noop("There is no such offer, or it is not sold any more.")


def find_listing(actor: Actor, id: UUID) -> Listing:
    """An open listing of another organization; one's own is not bought."""
    found = published(lambda rows: rows.filter(pk=id).exclude(organization_id=actor.organization_id).first())
    if found is None:
        raise NotFound(NO_LISTING)
    listing: Listing = found
    return listing


def buy(actor: Actor, listing_id: UUID, licence_sha256: str) -> tuple[Purchase, Order]:
    """Accepts the licence whose digest was shown, and makes the order; asked again, the same ones as before.

    The purchase keeps the text that was accepted, whatever becomes of the offer.
    """
    require(actor, MANAGE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        # Two tabs of one organization become one purchase.
        locked(actor.organization_id)
        listing = find_listing(actor, listing_id)
        if listing.licence_sha256 != licence_sha256:
            raise Conflict("The licence is not the one that you were shown. Read it again.", param="licence_sha256")
        again = _begun(listing)
        if again is not None:
            return again
        purchase = _purchase(actor, listing)
        order = billing.start_order(
            actor,
            kind=OrderKind.DATA,
            item_id=purchase.pk,
            name=listing.title,
            quantity=1,
            currency=listing.currency,
            amount_minor=listing.price_minor,
        )
        purchase.order_id = order.pk
        purchase.save(update_fields=["order_id"])
        accepted: dict[str, Any] = {
            "licence": purchase.licence,
            "version": purchase.licence_version,
            "digest": licence_sha256,
        }
        audit.record(actor, "purchase.opened", purchase, **accepted)
        events.record("purchase.opened", purchase.pk, {"kind": purchase.kind, "order": str(order.pk), **accepted})
    return purchase, order


def start_paying(actor: Actor, order: Order) -> str:
    """Where the order is paid; asks the payment provider, so that no transaction may be open."""
    return billing.checkout_url(actor, order)


def _begun(listing: Listing) -> tuple[Purchase, Order] | None:
    """An earlier purchase of the same: one that waits for its payment goes on, one that has the files is enough."""
    # Read at once: what is being delivered at this moment is either still open or there already.
    same = list(Purchase.objects.filter(offer_id=listing.offer_id, state__in=[PurchaseState.OPEN, *Purchase.OURS]))
    ours = [each for each in same if each.version == listing.version and each.state in Purchase.OURS]
    if ours and listing.kind in KINDS_WITH_FILES:
        raise Conflict("Your organization has bought this version already.")
    waiting = next((each for each in same if (each.listing_id, each.state) == (listing.pk, PurchaseState.OPEN)), None)
    if waiting is None:
        return None
    order: Order | None = Order.objects.filter(Q(pk=waiting.order_id) & ~Q(state=OrderState.EXPIRED)).first()
    if order is None:
        # Never paid, and its time is over: what follows is a new purchase.
        waiting.delete()
        return None
    if order.state != OrderState.OPEN:
        raise Conflict("This is paid, and being delivered.")
    return waiting, order


def _purchase(actor: Actor, listing: Listing) -> Purchase:
    purchase: Purchase = Purchase.objects.create(
        organization_id=actor.organization_id,
        listing_id=listing.pk,
        offer_id=listing.offer_id,
        seller_id=listing.organization_id,
        seller_name=listing.seller_name,
        kind=listing.kind,
        title=listing.title,
        version=listing.version,
        licence=listing.licence,
        licence_version=listing.licence_version,
        licence_text=listing.licence_text,
        licence_sha256=listing.licence_sha256,
        amount_minor=listing.price_minor,
        currency=listing.currency,
        files=listing.files,
        files_sha256=listing.files_sha256,
        accepted_at=timezone.now(),
    )
    return purchase
