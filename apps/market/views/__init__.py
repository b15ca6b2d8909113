"""Pages of the market."""

from apps.market.views.catalogue import buy, catalogue, listing, sponsored
from apps.market.views.offers import new_offer, offer, offer_act, offers
from apps.market.views.trade import note_file, purchase, purchase_act, purchase_file, purchases, sale, sale_act, sales

__all__ = [
    "buy",
    "catalogue",
    "listing",
    "new_offer",
    "note_file",
    "offer",
    "offer_act",
    "offers",
    "purchase",
    "purchase_act",
    "purchase_file",
    "purchases",
    "sale",
    "sale_act",
    "sales",
    "sponsored",
]
