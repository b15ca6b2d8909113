"""Offers: written by their publisher, and sent to the operator for approval."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.currencies import chargeable
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.market import files
from apps.market.access import MANAGE, READ, require
from apps.market.licences import LicenceCode
from apps.market.models import KINDS_WITH_FILES, Listing, Offer, OfferFile, OfferKind, OfferState

NO_OFFER = gettext_noop("There is no offer with this id.")
NOT_NOW = gettext_noop("An offer can be changed while it is a draft; withdraw it first.")
MOST_OFFERS, MOST_FILES = 200, 50
CURRENCIES = ("USD", "EUR", "CNY")
# What the payment provider takes at most, in any of these currencies.
MOST_MINOR = 99_999_999
LONGEST = {"title": 120, "description": 20_000, "sample": 10_000, "licence_text": 20_000}


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What a publisher says of an offer; money in minor units."""

    kind: str
    title: str
    description: str
    licence: str
    price_minor: int
    currency: str
    sample: str = ""
    licence_text: str = ""


def get_offer(actor: Actor, id: UUID) -> Offer:
    require(actor, READ)
    with tenancy.scope(actor.organization_id):
        return _offer(id)


def create_offer(actor: Actor, facts: OfferFacts) -> Offer:
    require(actor, MANAGE)
    actor.require_open()
    _check(facts)
    with tenancy.scope(actor.organization_id):
        if Offer.objects.count() >= MOST_OFFERS:
            raise Conflict("An organization has at most %(most)s offers.", values={"most": MOST_OFFERS})
        offer: Offer = Offer.objects.create(organization_id=actor.organization_id, **asdict(facts))
        record(actor, "offer.created", offer)
    return offer


def change_offer(actor: Actor, id: UUID, facts: OfferFacts) -> Offer:
    """Changes a draft, or an offer that was withdrawn; what was published stays as buyers have it."""
    require(actor, MANAGE)
    _check(facts)
    with tenancy.scope(actor.organization_id):
        offer = locked_offer(id)
        _require_changeable(offer)
        if offer.kind != facts.kind:
            raise InvalidRequest("The kind of an offer stays what it is.", param="kind")
        for name, value in asdict(facts).items():
            setattr(offer, name, value)
        offer.state = OfferState.DRAFT
        offer.save()
        record(actor, "offer.changed", offer)
    return offer


def delete_offer(actor: Actor, id: UUID) -> None:
    """Removes an offer that was never published."""
    require(actor, MANAGE)
    with tenancy.scope(actor.organization_id):
        offer = locked_offer(id)
        _require_changeable(offer)
        if offer.version:
            raise Conflict("What was published once stays; it is withdrawn, and nobody finds it any more.")
        paths = list(offer.files.values_list("path", flat=True))
        record(actor, "offer.deleted", offer)
        offer.delete()
        transaction.on_commit(lambda: files.remove(actor.organization_id, paths))


def add_file(actor: Actor, id: UUID, upload: files.Upload) -> OfferFile:
    """Stores a file of a data set in the publisher's folder."""
    require(actor, MANAGE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        offer = locked_offer(id)
        _require_changeable(offer)
        if offer.kind not in KINDS_WITH_FILES:
            raise Conflict("Only a data set has files.")
        if offer.files.filter(removed_at=None).count() >= MOST_FILES:
            raise Conflict("A data set has at most %(most)s files.", values={"most": MOST_FILES})
        stored = files.store(actor.organization_id, f"offers/{offer.pk}", upload)
        try:
            if offer.files.filter(removed_at=None, name=stored.name).exists():
                raise Conflict("There is a file with this name; remove it first.", param="file")
            row: OfferFile = OfferFile.objects.create(
                organization_id=actor.organization_id, offer=offer, **stored.facts
            )
            audit.record(actor, "offer.file_added", offer, file=stored.name, sha256=stored.sha256)
        except BaseException:
            files.remove(actor.organization_id, [stored.path])
            raise
    return row


def remove_file(actor: Actor, id: UUID, file_id: UUID) -> None:
    """Takes a file out of the next version; buyers of an earlier one keep it."""
    require(actor, MANAGE)
    with tenancy.scope(actor.organization_id):
        offer = locked_offer(id)
        _require_changeable(offer)
        row: OfferFile | None = offer.files.filter(pk=file_id, removed_at=None).first()
        if row is None:
            raise NotFound("There is no file with this id.")
        audit.record(actor, "offer.file_removed", offer, file=row.name)
        if row.was_published:
            OfferFile.objects.filter(pk=row.pk).update(removed_at=Now())
        else:
            path = row.path
            row.delete()
            transaction.on_commit(lambda: files.remove(actor.organization_id, [path]))


def submit_offer(actor: Actor, id: UUID) -> Offer:
    """Hands an offer to the operator, who publishes it or says what is wrong with it."""
    require(actor, MANAGE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        offer = locked_offer(id)
        _require_changeable(offer)
        if offer.kind in KINDS_WITH_FILES and not offer.files.filter(removed_at=None).exists():
            raise Conflict("A data set needs at least one file.")
        offer.state, offer.review_note = OfferState.SUBMITTED, ""
        offer.save(update_fields=["state", "review_note"])
        record(actor, "offer.submitted", offer)
    return offer


def withdraw_offer(actor: Actor, id: UUID) -> Offer:
    """Takes an offer from the catalogue, or back from approval; what was bought stays bought."""
    require(actor, MANAGE)
    with tenancy.scope(actor.organization_id):
        offer = locked_offer(id)
        if offer.state not in {OfferState.SUBMITTED, OfferState.PUBLISHED}:
            raise Conflict("This offer is not published.")
        Listing.objects.filter(offer=offer, is_open=True).update(is_open=False)
        offer.state = OfferState.WITHDRAWN if offer.version else OfferState.DRAFT
        offer.save(update_fields=["state"])
        record(actor, "offer.withdrawn", offer)
    return offer


def locked_offer(id: UUID) -> Offer:
    """The offer, locked until commit: its files, its state and its listing change under this lock.

    NO KEY: a sale that refers to it is written meanwhile, by somebody who may hold what this one waits for next.
    """
    offer: Offer | None = Offer.objects.select_for_update(no_key=True).filter(pk=id).first()
    if offer is None:
        raise NotFound(NO_OFFER)
    return offer


def record(actor: Actor, action: str, offer: Offer, **detail: Any) -> None:
    audit.record(actor, action, offer, **detail)
    events.record(action, offer.pk, {"kind": offer.kind, "state": offer.state, "version": offer.version})


def _offer(id: UUID) -> Offer:
    offer: Offer | None = Offer.objects.filter(pk=id).first()
    if offer is None:
        raise NotFound(NO_OFFER)
    return offer


def _require_changeable(offer: Offer) -> None:
    if offer.state not in Offer.CHANGEABLE:
        raise Conflict(NOT_NOW)


def _check(facts: OfferFacts) -> None:
    for name, most in LONGEST.items():
        if len(getattr(facts, name)) > most:
            raise InvalidRequest("This may have %(most)s characters.", values={"most": most}, param=name)
    for name in ("title", "description"):
        if not getattr(facts, name).strip():
            raise InvalidRequest("This may not be empty.", param=name)
    if facts.kind not in OfferKind.values:
        raise InvalidRequest("There is no such kind of offer.", param="kind")
    if facts.licence not in LicenceCode.values:
        raise InvalidRequest("There is no such licence.", param="licence")
    if (facts.licence == LicenceCode.OWN) != bool(facts.licence_text.strip()):
        raise InvalidRequest("Give a text with your own licence, and with no other.", param="licence_text")
    if facts.currency not in CURRENCIES:
        raise InvalidRequest("Offers are priced in another currency.", param="currency")
    if not 100 <= facts.price_minor <= MOST_MINOR:
        raise InvalidRequest(
            "A price is from 100 to %(most)s minor units.", values={"most": MOST_MINOR}, param="price_minor"
        )
    chargeable(facts.price_minor, facts.currency, "price_minor")
