"""What organizations sell to each other, and sponsored slots."""

from apps.market.models.offers import KINDS_WITH_FILES, Listing, Offer, OfferFile, OfferKind, OfferState
from apps.market.models.sponsors import Place, Sponsor, SponsorDay
from apps.market.models.trade import Earning, EarningKind, Note, Purchase, PurchaseState, Sale, Voice

__all__ = [
    "KINDS_WITH_FILES",
    "Earning",
    "EarningKind",
    "Listing",
    "Note",
    "Offer",
    "OfferFile",
    "OfferKind",
    "OfferState",
    "Place",
    "Purchase",
    "PurchaseState",
    "Sale",
    "Sponsor",
    "SponsorDay",
    "Voice",
]
