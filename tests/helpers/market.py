"""Offers, purchases and switches for tests of the market."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.accounts.access import Actor, ActorKind
from apps.billing.models import Order, OrderState
from apps.core import switches, tenancy
from apps.core.models import FeatureSwitch, SwitchScope
from apps.market import services as market
from apps.market.models import Listing, Note, Offer, OfferKind, Purchase, PurchaseState, Sale, Sponsor
from apps.market.services import OfferFacts
from tests.helpers.people import Tenant

DATA = OfferKind.DATA_SET
FACTS = OfferFacts(
    kind=DATA,
    title="Street signs",
    description="**Photographs** of street signs.\n\n<script>alert(1)</script>",
    licence="commercial",
    price_minor=4_900,
    currency="USD",
    sample="sign,label\n1,stop",
)


def turn_on(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Switches are on for everybody, without a question to the database."""
    rows = {(name, SwitchScope.ALL, None): FeatureSwitch(name=name, scope=SwitchScope.ALL, on=True) for name in names}
    monkeypatch.setattr(switches, "_kept", (time.monotonic(), rows))


def approver(tenant: Tenant) -> Actor:
    """As staff acts in the organization."""
    rights = frozenset({"offers:approve", "earnings:pay_out"})
    return Actor(tenant.id, rights, name="staff@operator.example", kind=ActorKind.STAFF)


def upload(name: str = "signs.csv", content: bytes = b"1,stop\n2,yield\n") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def publish(seller: Tenant, **changes: Any) -> Listing:
    """An approved offer, with one file if it is a data set."""
    offer = market.create_offer(seller.actor, replace(FACTS, **changes))
    if offer.kind == DATA:
        market.add_file(seller.actor, offer.pk, upload())
    market.submit_offer(seller.actor, offer.pk)
    return market.publish_offer(approver(seller), offer.pk)


def pay(order: Order) -> Order:
    """As if the payment provider had said so: the order, paid and locked as whoever delivers it has it."""
    Order.objects.filter(pk=order.pk).update(state=OrderState.PAID)
    found: Order = Order.objects.select_for_update().get(pk=order.pk)
    return found


def bought(buyer: Tenant, listing: Listing) -> tuple[UUID, UUID]:
    """(purchase, order) of a listing that was bought, paid for and delivered."""
    purchase, order = market.buy(buyer.actor, listing.pk, listing.licence_sha256)
    with tenancy.scope(buyer.id):
        market.deliver(pay(order))
    return purchase.pk, order.pk


def purchase_of(buyer: Tenant, id: UUID) -> Purchase:
    with tenancy.scope(buyer.id):
        found: Purchase = Purchase.objects.get(pk=id)
    return found


def offer_of(seller: Tenant, id: UUID) -> Offer:
    with tenancy.scope(seller.id):
        found: Offer = Offer.objects.get(pk=id)
    return found


def trade(tenant: Tenant, mark: str) -> dict[str, UUID]:
    """One row of each kind that addresses of the market name; the organization has bought from itself.

    Written without services, for the switch may be off.
    """
    mine: dict[str, Any] = {"organization_id": tenant.id, "kind": OfferKind.ANNOTATION, "title": mark}
    money = {"amount_minor": 4_900, "currency": "USD", "version": 1}
    with tenancy.scope(tenant.id):
        words: dict[str, Any] = {"description": mark, "licence": "commercial", "price_minor": 4_900, "currency": "USD"}
        offer, sold = Offer.objects.create(**mine, **words), Offer.objects.create(**mine, **words, version=1)
        purchase = Purchase.objects.create(
            **mine,
            **money,
            listing_id=uuid4(),
            offer_id=sold.pk,
            seller_id=tenant.id,
            seller_name=mark,
            licence="commercial",
            licence_version="1",
            licence_text=mark,
            licence_sha256="0" * 64,
            files=[{"name": mark, "path": "a", "size": 1, "sha256": "0" * 64}],
            state=PurchaseState.ORDERED,
            accepted_at=timezone.now(),
            delivered_at=timezone.now(),
        )
        sale = Sale.objects.create(
            **mine,
            **money,
            offer=sold,
            purchase_id=purchase.pk,
            order_id=uuid4(),
            buyer_id=tenant.id,
            buyer_name=mark,
            state=PurchaseState.ORDERED,
        )
        note = Note.objects.create(
            organization_id=tenant.id, purchase_id=purchase.pk, voice="buyer", text=mark, file_name="a", file_path="a"
        )
    later = timezone.now() + timedelta(days=1)
    Sponsor.objects.create(
        title="Later", text="x", link="https://x.example", starts_at=later, ends_at=later + timedelta(days=1)
    )
    return {"offer": offer.pk, "purchase": purchase.pk, "sale": sale.pk, "note": note.pk}
