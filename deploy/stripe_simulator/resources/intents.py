"""Payment intents: an amount that a card is asked for until it pays, and what follows when it has."""

from collections.abc import Callable
from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import page, search
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.cards import Card, refusal
from deploy.stripe_simulator.resources.charges import make_charge
from deploy.stripe_simulator.resources.fields import metadata, plain, take
from deploy.stripe_simulator.resources.payment_methods import attach_to, card_of, find_method
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
# What else is settled when an intent has been paid: invoices and checkout sessions register themselves.
WHEN_PAID: list[Callable[[World, Json, Json], None]] = []
# What is to be done with a charge of a card that will be disputed.
WHEN_CHARGED: list[Callable[[World, Json, Card], None]] = []


def make_intent(world: World, amount: int, currency: str, customer: str | None, like: Json | None, **more: Any) -> Json:
    """A payment intent that waits for a card."""
    intent = world.new(
        "pi",
        {
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "amount_details": {"tip": {}},
            "automatic_payment_methods": None,
            "capture_method": "automatic_async",
            "confirmation_method": "automatic",
            "currency": currency,
            "customer": customer,
            "description": None,
            "last_payment_error": None,
            "latest_charge": None,
            "metadata": {},
            "next_action": None,
            "payment_method": None,
            "payment_method_types": ["card"],
            "setup_future_usage": None,
            "status": "requires_payment_method",
            **more,
        },
        like=like,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{new_id('', 25).strip('_')}"
    world.save(intent)
    world.emit("payment_intent.created", intent)
    return intent


def confirm(world: World, intent: Json, method: Json, *, off_session: bool) -> StripeError | None:
    """Ask the card to pay; returns its bank's refusal. Without one the intent has succeeded or waits for its owner."""
    intent |= {"payment_method": method["id"], "next_action": None}
    card = card_of(method)
    world.save(intent)
    if _needs_owner(card, method):
        if not off_session:
            intent["status"] = "requires_action"
            url = f"{world.base_url}/simulator/authenticate/{intent['id']}"
            intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": None}}
            world.emit("payment_intent.requires_action", intent)
            return None
        return _fail(world, intent, method, "authentication_required/authentication_required")
    if reason := method["_"].get("decline") or card.charge:
        return _fail(world, intent, method, reason)
    _succeed(world, intent, method, card)
    return None


def _needs_owner(card: Card, method: Json) -> bool:
    if method["_"].get("present"):
        return False
    return card.authentication == "always" or (card.authentication == "once" and not method["_"]["authenticated"])


def _fail(world: World, intent: Json, method: Json, reason: str) -> StripeError:
    charge = make_charge(world, intent, method, reason)
    error = refusal(reason)
    intent |= {
        "status": "requires_payment_method",
        "latest_charge": charge["id"],
        "payment_method": None,
        "last_payment_error": {
            **{name: error.body.get(name) for name in ("code", "decline_code", "message", "type")},
            "charge": charge["id"],
            "payment_method": world.render(method),
        },
    }
    world.save(intent)
    world.emit("charge.failed", charge)
    world.emit("payment_intent.payment_failed", intent)
    error.body |= {"charge": charge["id"], "payment_intent": world.render(intent)}
    return error


def _succeed(world: World, intent: Json, method: Json, card: Card) -> None:
    charge = make_charge(world, intent, method, None)
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "last_payment_error": None,
    }
    if intent["setup_future_usage"] and intent["customer"] and not method["customer"]:
        attach_to(world, method["id"], world.get(intent["customer"], "customer"))
    world.save(intent)
    world.emit("charge.succeeded", charge)
    world.emit("payment_intent.succeeded", intent)
    for settle in WHEN_PAID:
        settle(world, intent, charge)
    for watch in WHEN_CHARGED:
        watch(world, charge, card)


def authenticate(world: World, intent: Json, *, approved: bool) -> None:
    """What the card's owner has answered to their bank."""
    method = world.get(intent["payment_method"], "payment_method")
    intent["next_action"] = None
    if not approved:
        _fail(world, intent, method, "authentication_required/authentication_required")
        return
    method["_"]["authenticated"] = True
    world.save(method)
    card = card_of(method)
    if reason := method["_"].get("decline") or card.charge:
        _fail(world, intent, method, reason)
    else:
        _succeed(world, intent, method, card)


def cancel(world: World, intent: Json, reason: str | None) -> None:
    """Give up an intent that has not been paid."""
    if intent["status"] not in OPEN:
        raise StripeError(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    intent |= {
        "status": "canceled",
        "canceled_at": world.now(intent),
        "cancellation_reason": reason,
        "next_action": None,
    }
    world.save(intent)
    world.emit("payment_intent.canceled", intent)


# ---------------------------------------------------------------- calls


@route("POST", "/v1/payment_intents", sdk.PaymentIntentCreateParams)
def create_intent(world: World, params: Params) -> Json:
    """A payment intent, confirmed at once if asked for."""
    if params["amount"] < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if params.get("capture_method", "automatic") == "manual":
        raise not_simulated("manual capture", "capture_method")
    customer = world.get(params["customer"], "customer", "customer") if params.get("customer") else None
    more: Json = {"metadata": metadata(params)}
    take(
        more,
        params,
        "description",
        "receipt_email",
        "setup_future_usage",
        "payment_method_types",
        "statement_descriptor",
    )
    if (automatic := plain(params.get("automatic_payment_methods"))) is not None:
        more["automatic_payment_methods"] = automatic
    intent = make_intent(
        world, params["amount"], params["currency"].lower(), customer["id"] if customer else None, customer, **more
    )
    if method := params.get("payment_method"):
        intent["payment_method"] = find_method(world, method)["id"]
        intent["status"] = "requires_confirmation"
        world.save(intent)
    if params.get("confirm"):
        _confirmed(world, params, intent)
    return intent


def _confirmed(world: World, params: Params, intent: Json) -> None:
    plain(params.get("return_url"))
    named = params.get("payment_method") or intent["payment_method"]
    if not named:
        raise StripeError(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    method = world.peek(named) if str(named).startswith("pm_") and world.peek(named) else find_method(world, named)
    if intent["payment_method"] and str(named).startswith("pm_card_"):
        method = world.get(intent["payment_method"], "payment_method")
    assert method is not None  # noqa: S101 - find_method raises
    if error := confirm(world, intent, method, off_session=bool(params.get("off_session"))):
        raise error


@route("POST", "/v1/payment_intents/{identifier}/confirm", sdk.PaymentIntentConfirmParams)
def confirm_intent(world: World, params: Params, identifier: str) -> Json:
    """Ask the card to pay."""
    intent = world.get(identifier, "payment_intent")
    if intent["status"] not in OPEN:
        raise StripeError(
            f"You cannot confirm this PaymentIntent because it is {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    if params.get("payment_method"):
        intent["payment_method"] = None
    _confirmed(world, params, intent)
    return intent


@route("POST", "/v1/payment_intents/{identifier}/cancel", sdk.PaymentIntentCancelParams)
def cancel_intent(world: World, params: Params, identifier: str) -> Json:
    """Give up a payment intent."""
    intent = world.get(identifier, "payment_intent")
    cancel(world, intent, params.get("cancellation_reason"))
    return intent


@route("POST", "/v1/payment_intents/{identifier}", sdk.PaymentIntentUpdateParams)
def update_intent(world: World, params: Params, identifier: str) -> Json:
    """Change a payment intent that has not been paid."""
    intent = world.get(identifier, "payment_intent")
    take(intent, params, "description", "receipt_email", "setup_future_usage")
    if (amount := params.get("amount")) is not None and intent["status"] in OPEN:
        intent["amount"] = amount
    intent["metadata"] = metadata(params, intent["metadata"])
    world.save(intent)
    return intent


@route("GET", "/v1/payment_intents/search", sdk.PaymentIntentSearchParams)
def search_intents(world: World, params: Params) -> Json:
    """Payment intents by metadata."""
    return search(params, world.find("payment_intent"), "/v1/payment_intents/search")


@route("GET", "/v1/payment_intents/{identifier}", sdk.PaymentIntentRetrieveParams)
def retrieve_intent(world: World, params: Params, identifier: str) -> Json:
    """One payment intent."""
    return world.get(identifier, "payment_intent")


@route("GET", "/v1/payment_intents", sdk.PaymentIntentListParams)
def list_intents(world: World, params: Params) -> Json:
    """Payment intents, of a customer."""
    return page(params, world.find("payment_intent", customer=params.get("customer")), "/v1/payment_intents")
