"""Stripe's test cards: what each does when it is attached, charged, or charged without its owner there."""

from dataclasses import dataclass

from deploy.stripe_simulator.errors import StripeError, card_error


@dataclass(frozen=True)
class Card:
    """A test card; `attach` and `charge` name the refusal, if there is one, as `code/decline_code`."""

    token: str
    number: str
    brand: str = "visa"
    attach: str = ""
    charge: str = ""
    authentication: str = ""  # "once": until its owner has been there; "always"
    dispute: str = ""
    country: str = "US"

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _refused(token: str, number: str, refusal: str) -> Card:
    """A card that is refused already when it is attached, as Stripe's declining cards are."""
    return Card(token, number, attach=refusal, charge=refusal)


CARDS = (
    Card("visa", "4242424242424242"),
    Card("visa_debit", "4000056655665556"),
    Card("mastercard", "5555555555554444", brand="mastercard"),
    Card("amex", "378282246310005", brand="amex"),
    Card("de", "4000002760000016", country="DE"),
    Card("fr", "4000002500000003", country="FR"),
    Card("gb", "4000008260000000", country="GB"),
    _refused("chargeDeclined", "4000000000000002", "card_declined/generic_decline"),
    _refused("chargeDeclinedInsufficientFunds", "4000000000009995", "card_declined/insufficient_funds"),
    _refused("chargeDeclinedLostCard", "4000000000009987", "card_declined/lost_card"),
    _refused("chargeDeclinedStolenCard", "4000000000009979", "card_declined/stolen_card"),
    _refused("chargeDeclinedExpiredCard", "4000000000000069", "expired_card/expired_card"),
    _refused("chargeDeclinedIncorrectCvc", "4000000000000127", "incorrect_cvc/incorrect_cvc"),
    _refused("chargeDeclinedProcessingError", "4000000000000119", "processing_error/processing_error"),
    Card("chargeCustomerFail", "4000000000000341", charge="card_declined/generic_decline"),
    Card("authenticationRequired", "4000002500003155", authentication="once"),
    Card("authenticationRequiredOnSetup", "4000002760003184", authentication="always"),
    Card("threeDSecure2Required", "4000000000003220", authentication="always"),
    Card("createDispute", "4000000000000259", dispute="fraudulent"),
    Card("createDisputeProductNotReceived", "4000000000002685", dispute="product_not_received"),
)
BY_TOKEN = {card.token: card for card in CARDS} | {f"visa_{card.token}": card for card in CARDS if card.charge}
BY_NUMBER = {card.number: card for card in CARDS}

MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def by_token(token: str) -> Card:
    """The card behind `pm_card_…` or `tok_…`."""
    name = token.removeprefix("pm_card_").removeprefix("tok_")
    if name not in BY_TOKEN:
        raise StripeError(
            f"No such PaymentMethod: '{token}'", status=404, code="resource_missing", param="payment_method"
        )
    return BY_TOKEN[name]


def by_number(number: str) -> Card:
    """The test card with this number; real cards are refused."""
    digits = number.replace(" ", "")
    if digits not in BY_NUMBER:
        raise StripeError(
            "Your card number is none of Stripe's test cards. The simulator takes no real card.",
            status=402,
            kind="card_error",
            code="incorrect_number",
            param="number",
        )
    return BY_NUMBER[digits]


def refusal(reason: str) -> StripeError:
    """The error for a refusal such as `card_declined/insufficient_funds`."""
    code, _, decline = reason.partition("/")
    decline_code = decline if code in {"card_declined", "authentication_required"} else None
    return card_error(code, decline_code, MESSAGES[decline or code])
