"""The operator's answer to an offer: published as a listing that others can find, or given back with a note."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.core import tenancy
from apps.core.errors import Conflict
from apps.market.files import Stored, digest_of
from apps.market.licences import licence_of
from apps.market.models import Listing, Offer, OfferFile, OfferState
from apps.market.services.offers import locked_offer, record

APPROVE = "offers:approve"


def publish_offer(actor: Actor, id: UUID) -> Listing:
    """Copies a submitted offer into a new listing; needs `offers:approve`, which only staff is given."""
    actor.require(APPROVE)
    with tenancy.scope(actor.organization_id):
        offer = _submitted(id)
        offer.version += 1
        offer.state = OfferState.PUBLISHED
        rows = list(OfferFile.objects.filter(offer=offer, removed_at=None).order_by("name"))
        files = [Stored(row.name, row.path, row.size, row.sha256) for row in rows]
        licence = licence_of(offer.licence, offer.licence_text, offer.version)
        Listing.objects.filter(offer=offer, is_open=True).update(is_open=False)
        listing: Listing = Listing.objects.create(
            organization_id=actor.organization_id,
            offer=offer,
            version=offer.version,
            kind=offer.kind,
            title=offer.title,
            description=offer.description,
            sample=offer.sample,
            seller_name=Organization.objects.get(pk=actor.organization_id).name,
            licence=offer.licence,
            licence_version=licence.version,
            licence_text=licence.text,
            licence_sha256=licence.digest,
            price_minor=offer.price_minor,
            currency=offer.currency,
            files=[file.facts for file in files],
            files_sha256=digest_of(files),
            is_open=True,
        )
        OfferFile.objects.filter(pk__in=[row.pk for row in rows]).update(was_published=True)
        offer.save(update_fields=["state", "version"])
        record(actor, "offer.published", offer)
    return listing


def decline_offer(actor: Actor, id: UUID, note: str) -> Offer:
    """Gives a submitted offer back as a draft, and says why."""
    actor.require(APPROVE)
    with tenancy.scope(actor.organization_id):
        offer = _submitted(id)
        offer.state, offer.review_note = OfferState.DRAFT, note[:300]
        offer.save(update_fields=["state", "review_note"])
        record(actor, "offer.declined", offer, note=offer.review_note)
    return offer


def _submitted(id: UUID) -> Offer:
    offer = locked_offer(id)
    if offer.state != OfferState.SUBMITTED:
        raise Conflict("This offer does not wait for approval.")
    return offer
