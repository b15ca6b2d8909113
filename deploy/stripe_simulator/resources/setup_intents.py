"""Setup intents: a card is kept for later, after its owner has agreed."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.fields import metadata, plain, take
from deploy.stripe_simulator.resources.payment_methods import attach_to, card_of, find_method
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]


def make_setup(world: World, customer: Json | None, **more: Any) -> Json:
    """A setup intent that waits for a card."""
    intent = world.new(
        "seti",
        {
            "object": "setup_intent",
            "customer": customer and customer["id"],
            "metadata": {},
            "payment_method": None,
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
            "usage": "off_session",
            "next_action": None,
            "last_setup_error": None,
            **more,
        },
        like=customer,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{new_id('', 25).strip('_')}"
    world.save(intent)
    world.emit("setup_intent.created", intent)
    return intent


def confirm_setup(world: World, intent: Json, method: Json, *, owner_agrees: bool = False) -> None:
    """Keep the card with the customer; a card whose bank wants to hear its owner waits for that."""
    intent["payment_method"] = method["id"]
    if card_of(method).authentication and not owner_agrees:
        url = f"{world.base_url}/simulator/authenticate/{intent['id']}"
        intent |= {
            "status": "requires_action",
            "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": None}},
        }
        world.save(intent)
        world.emit("setup_intent.requires_action", intent)
        return
    if intent["customer"]:
        attach_to(world, method["id"], world.get(intent["customer"], "customer"))
    method["_"]["authenticated"] = True
    intent |= {"status": "succeeded", "next_action": None}
    world.save(intent, method)
    world.emit("setup_intent.succeeded", intent)


@route("POST", "/v1/setup_intents", sdk.SetupIntentCreateParams)
def create_setup(world: World, params: Params) -> Json:
    """A setup intent, confirmed at once if asked for."""
    customer = world.get(params["customer"], "customer", "customer") if params.get("customer") else None
    more: Json = {"metadata": metadata(params)}
    take(more, params, "description", "usage", "payment_method_types", "automatic_payment_methods")
    intent = make_setup(world, customer, **more)
    if method := params.get("payment_method"):
        found = find_method(world, method)
        intent |= {"payment_method": found["id"], "status": "requires_confirmation"}
        world.save(intent)
        if params.get("confirm"):
            plain(params.get("return_url"))
            confirm_setup(world, intent, found)
    return intent


@route("POST", "/v1/setup_intents/{identifier}/confirm", sdk.SetupIntentConfirmParams)
def confirm_setup_call(world: World, params: Params, identifier: str) -> Json:
    """Keep the card."""
    intent = world.get(identifier, "setup_intent")
    named = params.get("payment_method") or intent["payment_method"]
    plain(params.get("return_url"))
    if not named or intent["status"] == "succeeded":
        raise StripeError("This SetupIntent cannot be confirmed.", code="setup_intent_unexpected_state")
    confirm_setup(world, intent, find_method(world, named))
    return intent


@route("POST", "/v1/setup_intents/{identifier}/cancel", sdk.SetupIntentCancelParams)
def cancel_setup(world: World, params: Params, identifier: str) -> Json:
    """Give up a setup intent."""
    intent = world.get(identifier, "setup_intent")
    if intent["status"] in {"succeeded", "canceled"}:
        raise StripeError("This SetupIntent cannot be canceled.", code="setup_intent_unexpected_state")
    intent |= {"status": "canceled", "cancellation_reason": params.get("cancellation_reason")}
    world.save(intent)
    world.emit("setup_intent.canceled", intent)
    return intent


@route("GET", "/v1/setup_intents/{identifier}", sdk.SetupIntentRetrieveParams)
def retrieve_setup(world: World, params: Params, identifier: str) -> Json:
    """One setup intent."""
    return world.get(identifier, "setup_intent")


@route("GET", "/v1/setup_intents", sdk.SetupIntentListParams)
def list_setups(world: World, params: Params) -> Json:
    """Setup intents, of a customer."""
    return page(params, world.find("setup_intent", customer=params.get("customer")), "/v1/setup_intents")
