"""What a paid order becomes, and what a refund or a dispute takes back; each once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.models import Organization
from apps.billing.models import Order
from apps.core import events, tenancy
from apps.core.errors import NotFound
from apps.market import files
from apps.market.border import on_both_sides
from apps.market.files import Stored
from apps.market.models import KINDS_WITH_FILES, Earning, EarningKind, Offer, Purchase, PurchaseState, Sale


def deliver(order: Order) -> Purchase:
    """Hands over what was paid for: a data set's files at once; an annotation service begins with its request.

    Runs in the transaction that marks the order as delivered; called again it does nothing.
    """
    with tenancy.scope(order.organization_id):
        purchase = _locked(order.item_id)
        never_had = PurchaseState.OPEN in {purchase.state, purchase.state_before}
        if not never_had or order.reversed_minor >= order.amount_minor:
            return purchase
        has_files = purchase.kind in KINDS_WITH_FILES
        purchase.state = PurchaseState.DELIVERED if has_files else PurchaseState.ORDERED
        purchase.state_before, purchase.taken_back_at = "", None
        buyer_name = Organization.objects.get(pk=order.organization_id).name
        seller = purchase.seller_id
        on_both_sides(
            {
                purchase.organization_id: lambda: _hand_over(purchase, order),
                seller: lambda: _book_sale(purchase, order, buyer_name),
            }
        )
    return purchase


def take_back(order: Order, reversed_minor: int) -> None:
    """Makes the seller's lines say what is left of the sale, and the buyer's access whether anything is.

    `reversed_minor` is the sum so far: it grows with a refund or a dispute, and shrinks when a dispute is won. All of
    it ends the access; less gives back what had ended. What the lines say already is not booked again.
    """
    with tenancy.scope(order.organization_id):
        purchase = _locked(order.item_id)
        total = min(reversed_minor, order.amount_minor)
        was_taken, is_gone = purchase.state == PurchaseState.TAKEN_BACK, total >= order.amount_minor
        was_sold = PurchaseState.OPEN not in {purchase.state, purchase.state_before}
        acts: dict[UUID, Callable[[], object]] = {}
        if is_gone and not was_taken:
            acts[purchase.organization_id] = lambda: _end_access(purchase)
        elif was_taken and was_sold and not is_gone:
            _restore(purchase)
            acts[purchase.organization_id] = lambda: _give_back(purchase)
        if was_sold:
            state = PurchaseState.TAKEN_BACK if is_gone else PurchaseState(purchase.state)
            acts[purchase.seller_id] = lambda: _adjust_sale(purchase, order, total, state)
        on_both_sides(acts)


def _locked(id: UUID) -> Purchase:
    purchase: Purchase | None = Purchase.objects.select_for_update().filter(pk=id).first()
    if purchase is None:
        raise NotFound("There is no purchase for this order.")
    return purchase


def _hand_over(purchase: Purchase, order: Order) -> None:
    """The buyer's part."""
    given = [Stored(**facts) for facts in purchase.files]
    folder = f"purchases/{purchase.pk}"
    here = [files.hand_over(purchase.seller_id, file, purchase.organization_id, folder) for file in given]
    purchase.files, purchase.delivered_at = [file.facts for file in here], Now() if given else None
    purchase.save(update_fields=["state", "state_before", "taken_back_at", "files", "delivered_at"])
    system = audit.system(purchase.organization_id)
    audit.record(system, "purchase.delivered", purchase, seller=purchase.seller_name)
    events.record("purchase.delivered", purchase.pk, {"kind": purchase.kind, "state": purchase.state})


def _book_sale(purchase: Purchase, order: Order, buyer_name: str) -> None:
    """The seller's part: the sale, what it earned, and the operator's fee."""
    if not Offer.objects.filter(pk=purchase.offer_id).exists():
        raise NotFound("The organization that offered this is gone.")
    sale: Sale = Sale.objects.create(
        organization_id=purchase.seller_id,
        offer_id=purchase.offer_id,
        purchase_id=purchase.pk,
        order_id=order.pk,
        buyer_id=purchase.organization_id,
        buyer_name=buyer_name,
        kind=purchase.kind,
        title=purchase.title,
        version=purchase.version,
        amount_minor=order.amount_minor,
        currency=order.currency,
        state=purchase.state,
    )
    fee = fee_of(order.amount_minor, settings.MARKET_FEE_PERCENT)
    _earn(sale, EarningKind.SALE, order.amount_minor, str(order.pk))
    _earn(sale, EarningKind.FEE, -fee, str(order.pk))
    amounts: dict[str, Any] = {"amount_minor": order.amount_minor, "fee_minor": fee, "currency": order.currency}
    audit.record(audit.system(purchase.seller_id), "sale.made", sale, buyer=buyer_name, **amounts)
    events.record("sale.made", sale.pk, {"kind": sale.kind, **amounts})


def _end_access(purchase: Purchase) -> None:
    """The buyer's part: the files leave the buyer's folder, and with them every link that was given out."""
    purchase.state_before, purchase.state, purchase.taken_back_at = purchase.state, PurchaseState.TAKEN_BACK, Now()
    purchase.save(update_fields=["state", "state_before", "taken_back_at"])
    organization_id = purchase.organization_id
    transaction.on_commit(lambda: _remove_files(organization_id, purchase.pk))
    audit.record(audit.system(organization_id), "purchase.taken_back", purchase)
    events.record("purchase.taken_back", purchase.pk, {"kind": purchase.kind, "state": purchase.state})


def _remove_files(organization_id: UUID, id: UUID) -> None:
    """Under the purchase's lock, for a dispute may have been won since the commit that ended the access."""
    with tenancy.scope(organization_id):
        purchase: Purchase | None = Purchase.objects.select_for_update().filter(pk=id).first()
        if purchase is not None and purchase.state == PurchaseState.TAKEN_BACK and purchase.delivered_at:
            files.remove(organization_id, [str(file["path"]) for file in purchase.files])


def _restore(purchase: Purchase) -> None:
    """Where the purchase stood, in memory: without the files that neither side has any more, and it says so."""
    purchase.taken_back_at = None
    if purchase.kind not in KINDS_WITH_FILES:
        purchase.state, purchase.state_before = purchase.state_before or PurchaseState.ORDERED, ""
        return
    for file in purchase.files:
        at_seller = files.exists(purchase.seller_id, _sellers_path(purchase, file))
        file.pop("gone", None)
        if not at_seller and not files.exists(purchase.organization_id, file["path"]):
            file["gone"] = True
    lacks = any(file.get("gone") for file in purchase.files)
    purchase.state, purchase.state_before = PurchaseState.INCOMPLETE if lacks else PurchaseState.DELIVERED, ""


def _give_back(purchase: Purchase) -> None:
    """The buyer's part: the files that the seller still has are handed over again, under the names they had."""
    buyer = purchase.organization_id
    for file in purchase.files:
        if not file.get("gone") and not files.exists(buyer, file["path"]):
            theirs = Stored(file["name"], _sellers_path(purchase, file), file["size"], file["sha256"])
            files.hand_over(purchase.seller_id, theirs, buyer, f"purchases/{purchase.pk}")
    purchase.save(update_fields=["state", "state_before", "taken_back_at", "files"])
    audit.record(audit.system(buyer), "purchase.given_back", purchase, state=purchase.state)
    events.record("purchase.given_back", purchase.pk, {"kind": purchase.kind, "state": purchase.state})


def _sellers_path(purchase: Purchase, file: dict[str, Any]) -> str:
    """A file that is handed over keeps the name that it was stored under."""
    return f"market/offers/{purchase.offer_id}/{PurePath(file['path']).name}"


def _adjust_sale(purchase: Purchase, order: Order, total: int, state: PurchaseState) -> None:
    """The seller's part: lines that make the sale what is left of it, and the fee in proportion."""
    sale: Sale | None = Sale.objects.select_for_update().filter(purchase_id=purchase.pk).first()
    if sale is None:
        return  # the seller's organization was deleted: there is nobody to owe anything
    if sale.state != state:
        Sale.objects.filter(pk=sale.pk).update(state=state)
    lines = Earning.objects.filter(sale=sale)
    sums = dict(lines.values_list("kind").annotate(Sum("amount_minor")))
    before = -sums.get(EarningKind.REVERSAL, 0) - sums.get(EarningKind.RESTORED, 0)
    if total == before:
        return
    fee, returned = -sums.get(EarningKind.FEE, 0), sums.get(EarningKind.FEE_REVERSAL, 0)
    fee_change = fee * total // sale.amount_minor - returned - sums.get(EarningKind.FEE_AGAIN, 0)
    reference = f"{order.pk} {total} {lines.count()}"
    is_more = total > before
    _earn(sale, EarningKind.REVERSAL if is_more else EarningKind.RESTORED, before - total, reference)
    _earn(sale, EarningKind.FEE_REVERSAL if is_more else EarningKind.FEE_AGAIN, fee_change, reference)
    action = "sale.reversed" if is_more else "sale.restored"
    amounts: dict[str, Any] = {
        "amount_minor": abs(total - before),
        "fee_minor": abs(fee_change),
        "currency": sale.currency,
    }
    audit.record(audit.system(sale.organization_id), action, sale, **amounts)
    events.record(action, sale.pk, amounts)


def _earn(sale: Sale, kind: EarningKind, amount_minor: int, reference: str) -> None:
    Earning.objects.create(
        organization_id=sale.organization_id,
        sale=sale,
        kind=kind,
        currency=sale.currency,
        amount_minor=amount_minor,
        reference=reference,
    )


def fee_of(amount_minor: int, percent: int) -> int:
    """The operator's part of a sale, rounded half up to a minor unit."""
    return (amount_minor * percent + 50) // 100
