"""What people are told when a bank refuses a payment (docs.stripe.com/declines/codes)."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop
from stripe import CardError

from apps.core.errors import PaymentRefused

GENERIC: Final = "generic_decline"
# Whoever holds the card is told no more than that it was refused, as Stripe asks for: they may not be its owner.
_SILENT: Final = frozenset({"fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"})
_OTHERWISE: Final = gettext_noop("The payment was refused: %(reason)s")
_WORDS: Final = {
    GENERIC: gettext_noop("The bank has refused the payment and does not say why. Use another card, or ask the bank."),
    "insufficient_funds": gettext_noop("The payment was refused: there is not enough money on the card. Use another."),
    "card_velocity_exceeded": gettext_noop("The payment was refused: it is over the card's limit. Use another card."),
    "withdrawal_count_limit_exceeded": gettext_noop(
        "The payment was refused: it is over the card's limit. Use another card."
    ),
    "expired_card": gettext_noop("The payment was refused: the card has expired. Use another card."),
    "incorrect_cvc": gettext_noop("The payment was refused: the security code is wrong. Enter the card again."),
    "invalid_cvc": gettext_noop("The payment was refused: the security code is wrong. Enter the card again."),
    "incorrect_number": gettext_noop("The payment was refused: the card's number is wrong. Enter the card again."),
    "authentication_required": gettext_noop(
        "The bank wants you to confirm this payment. Pay the open invoice on its own page, which asks for it."
    ),
    "processing_error": gettext_noop("The payment was refused: the bank made a mistake. Try again in a while."),
    "try_again_later": gettext_noop("The payment was refused: the bank made a mistake. Try again in a while."),
    "currency_not_supported": gettext_noop("The payment was refused: the card does not pay in this currency."),
    "card_not_supported": gettext_noop("The payment was refused: the card is not for such purchases. Use another."),
}


def refusal(error: CardError) -> PaymentRefused:
    """The error that a refused card becomes: in words that say what helps, with the bank's reason as a code."""
    body = error.error
    code = str((body and body.decline_code) or error.code or GENERIC)
    code = GENERIC if code in _SILENT or code == "card_declined" else code
    values = {"reason": error.user_message or code}
    return PaymentRefused(_WORDS.get(code, _OTHERWISE), values=values, decline_code=code)
