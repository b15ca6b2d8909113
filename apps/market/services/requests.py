"""The thread of an annotation service: a brief, files, and where the work stands, on both sides at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.market import files
from apps.market.access import MANAGE, require
from apps.market.border import at, on_both_sides
from apps.market.files import Stored
from apps.market.models import Note, OfferKind, Purchase, PurchaseState, Sale, Voice

NO_PURCHASE = gettext_noop("There is no purchase with this id.")
NO_SALE = gettext_noop("There is no sale with this id.")
NOT_IN_THIS_STATE = gettext_noop("The work does not stand where this can be done.")
LONGEST_TEXT, MOST_NOTES = 10_000, 500


@dataclass(frozen=True, slots=True)
class Thread:
    """A purchase as the two sides know it: the buyer's row and the seller's have different ids."""

    purchase_id: UUID
    buyer_id: UUID
    seller_id: UUID
    voice: Voice
    state: str

    @property
    def mine(self) -> UUID:
        return self.buyer_id if self.voice == Voice.BUYER else self.seller_id


def thread_of(voice: Voice, id: UUID) -> Thread:
    """The thread of a purchase (for its buyer) or a sale (for its seller) of the organization in scope."""
    organization_id = tenancy.current_organization()
    if voice == Voice.BUYER:
        purchase: Purchase | None = Purchase.objects.filter(pk=id, kind=OfferKind.ANNOTATION).first()
        if purchase is None:
            raise NotFound(NO_PURCHASE)
        return Thread(purchase.pk, organization_id, purchase.seller_id, voice, purchase.state)
    sale: Sale | None = Sale.objects.filter(pk=id, kind=OfferKind.ANNOTATION).first()
    if sale is None:
        raise NotFound(NO_SALE)
    return Thread(sale.purchase_id, sale.buyer_id, organization_id, voice, sale.state)


def lock_thread(thread: Thread) -> Thread:
    """The thread as it stands, with the rows of both sides locked until commit: the purchase, then its sale.

    So lock all who need both, deliveries and refunds too; and whoever records does so only after it.
    """
    states = set()
    for side in (thread.buyer_id, thread.seller_id):
        with at(side):
            row = _rows(thread, side).select_for_update(no_key=True).first()
        states.add(row.state if row else "")
    if len(states) != 1:
        raise Conflict(NOT_IN_THIS_STATE)
    return replace(thread, state=states.pop())


def get_purchase(id: UUID) -> Purchase:
    """A purchase of the organization in scope."""
    found: Purchase | None = Purchase.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(NO_PURCHASE)
    return found


def write_note(actor: Actor, voice: Voice, id: UUID, text: str, upload: files.Upload | None = None) -> None:
    """Says something to the other side, with at most one file."""
    require(actor, MANAGE)
    with tenancy.scope(actor.organization_id):
        thread = thread_of(voice, id)
        if thread.state not in Purchase.OURS:
            raise Conflict(NOT_IN_THIS_STATE)
        _note(actor, thread, text, upload)


def begin_work(actor: Actor, sale_id: UUID) -> None:
    """The seller takes the request on."""
    require(actor, MANAGE)
    with tenancy.scope(actor.organization_id):
        _move(actor, thread_of(Voice.SELLER, sale_id), PurchaseState.ORDERED, PurchaseState.IN_WORK)


def hand_in(actor: Actor, sale_id: UUID, text: str, upload: files.Upload | None) -> None:
    """The seller delivers a file; until the buyer accepts it, another may follow."""
    require(actor, MANAGE)
    if upload is None:
        raise InvalidRequest("A delivery needs a file.", param="file")
    with tenancy.scope(actor.organization_id):
        # Before the note: its records lock the chains, and nothing may be waited for after them.
        thread = lock_thread(thread_of(Voice.SELLER, sale_id))
        if thread.state not in {PurchaseState.IN_WORK, PurchaseState.DELIVERED}:
            raise Conflict(NOT_IN_THIS_STATE)
        _note(actor, thread, text, upload)
        if thread.state == PurchaseState.IN_WORK:
            _move(actor, thread, PurchaseState.IN_WORK, PurchaseState.DELIVERED)


def accept_work(actor: Actor, purchase_id: UUID) -> None:
    """The buyer is content."""
    require(actor, MANAGE)
    with tenancy.scope(actor.organization_id):
        _move(actor, thread_of(Voice.BUYER, purchase_id), PurchaseState.DELIVERED, PurchaseState.ACCEPTED)


def _move(actor: Actor, thread: Thread, before: PurchaseState, after: PurchaseState) -> None:
    """Changes the state on both sides, or on neither where it has changed meanwhile."""
    if lock_thread(thread).state != before:
        raise Conflict(NOT_IN_THIS_STATE)

    def move(side: UUID) -> None:
        row = _rows(thread, side).get()
        row.state = after
        row.save(update_fields=["state"])
        what = "purchase" if side == thread.buyer_id else "sale"
        _record(actor, side, f"{what}.moved", row, state=after.value)

    on_both_sides({side: lambda side=side: move(side) for side in (thread.buyer_id, thread.seller_id)})  # type: ignore[misc]


def _note(actor: Actor, thread: Thread, text: str, upload: files.Upload | None) -> None:
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise InvalidRequest("This may have %(most)s characters.", values={"most": LONGEST_TEXT}, param="text")
    if not text and upload is None:
        raise InvalidRequest("Write something, or choose a file.", param="text")
    if Note.objects.filter(purchase_id=thread.purchase_id).count() >= MOST_NOTES:
        raise Conflict("This thread is full.")
    folder = f"notes/{thread.purchase_id}"
    stored = files.store(thread.mine, folder, upload) if upload is not None else None

    def write(side: UUID) -> None:
        here = stored
        if stored is not None and side != thread.mine:
            here = files.hand_over(thread.mine, stored, side, folder)
        row = Note.objects.create(
            organization_id=side, purchase_id=thread.purchase_id, voice=thread.voice, text=text, **_file(here)
        )
        what = "purchase" if side == thread.buyer_id else "sale"
        _record(
            actor,
            side,
            f"{what}.noted",
            _rows(thread, side).get(),
            note=str(row.pk),
            file=stored.name if stored else "",
        )

    on_both_sides({side: lambda side=side: write(side) for side in (thread.buyer_id, thread.seller_id)})  # type: ignore[misc]


def _record(actor: Actor, side: UUID, action: str, target: Purchase | Sale, **detail: Any) -> None:
    """In the actor's own organization under their name; in the other as what the product did."""
    by = actor if side == actor.organization_id else audit.system(side)
    audit.record(by, action, target, **detail)
    events.record(action, target.pk, detail)


def _rows(thread: Thread, side: UUID) -> tenancy.TenantQuerySet:
    """The one row that a side has of the thread; in its scope."""
    bought: tenancy.TenantQuerySet = Purchase.objects.filter(pk=thread.purchase_id)
    sold: tenancy.TenantQuerySet = Sale.objects.filter(purchase_id=thread.purchase_id)
    return bought if side == thread.buyer_id else sold


def _file(stored: Stored | None) -> dict[str, str | int]:
    return {f"file_{name}": value for name, value in stored.facts.items()} if stored else {}
