"""Every write of the market."""

from apps.market.services.buying import buy, start_paying
from apps.market.services.delivery import deliver, take_back
from apps.market.services.offers import (
    OfferFacts,
    add_file,
    change_offer,
    create_offer,
    delete_offer,
    get_offer,
    remove_file,
    submit_offer,
    withdraw_offer,
)
from apps.market.services.payouts import balances, record_payout
from apps.market.services.requests import accept_work, begin_work, get_purchase, hand_in, write_note
from apps.market.services.review import decline_offer, publish_offer

__all__ = [
    "OfferFacts",
    "accept_work",
    "add_file",
    "balances",
    "begin_work",
    "buy",
    "change_offer",
    "create_offer",
    "decline_offer",
    "delete_offer",
    "deliver",
    "get_offer",
    "get_purchase",
    "hand_in",
    "publish_offer",
    "record_payout",
    "remove_file",
    "start_paying",
    "submit_offer",
    "take_back",
    "withdraw_offer",
    "write_note",
]
