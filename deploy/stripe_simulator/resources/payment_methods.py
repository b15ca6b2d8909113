"""Payment methods: cards only, and of these only Stripe's test cards."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.cards import Card, by_number, by_token, refusal
from deploy.stripe_simulator.resources.fields import address, metadata, plain
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


def make_method(world: World, card: Card, billing: Json | None = None, like: Json | None = None) -> Json:
    """A payment method with this test card, attached to nobody."""
    given = billing or {}
    return world.new(
        "pm",
        {
            "object": "payment_method",
            "type": "card",
            "customer": None,
            "metadata": {},
            "allow_redisplay": "unspecified",
            "billing_details": {
                "address": address(given.get("address") or {}),
                "email": given.get("email"),
                "name": given.get("name"),
                "phone": given.get("phone"),
            },
            "card": {
                "brand": card.brand,
                "display_brand": card.brand,
                "checks": {"cvc_check": "pass"},
                "country": card.country,
                "exp_month": 12,
                "exp_year": 2040,
                "fingerprint": f"simulator{card.last4}",
                "funding": "debit" if card.token.endswith("debit") else "credit",
                "last4": card.last4,
                "networks": {"available": [card.brand]},
                "three_d_secure_usage": {"supported": True},
            },
            "_": {"card": card.token, "authenticated": False},
        },
        like=like,
    )


def card_of(method: Json) -> Card:
    """The test card behind a payment method."""
    return by_token(method["_"]["card"])


def find_method(world: World, identifier: str, param: str = "payment_method") -> Json:
    """The payment method of this id; `pm_card_…` makes a new one, as with Stripe."""
    if identifier.startswith("pm_card_"):
        return make_method(world, by_token(identifier))
    return world.get(identifier, "payment_method", param)


def attach_to(world: World, identifier: str, customer: Json) -> Json:
    """Attach a payment method; declining test cards are refused here already."""
    method = find_method(world, identifier)
    if method["customer"] == customer["id"]:
        return method
    if method["customer"]:
        raise StripeError("The payment method you provided has already been attached to a customer.")
    if reason := card_of(method).attach:
        raise refusal(reason)
    method["customer"] = customer["id"]
    method["_"]["clock"] = customer.get("test_clock")
    world.save(method)
    world.emit("payment_method.attached", method)
    return method


@route("POST", "/v1/payment_methods", sdk.PaymentMethodCreateParams)
def create_method(world: World, params: Params) -> Json:
    """A payment method from a test token or a test number."""
    if params.get("type", "card") != "card" or params.get("card") is None:
        raise not_simulated("payment methods other than cards", "type")
    given = params["card"]
    card = by_token(given["token"]) if "token" in given else by_number(str(given.get("number", "")))
    plain(given)
    method = make_method(world, card, plain(params.get("billing_details")))
    method["metadata"] = metadata(params)
    world.save(method)
    return method


@route("POST", "/v1/payment_methods/{identifier}/attach", sdk.PaymentMethodAttachParams)
def attach_method(world: World, params: Params, identifier: str) -> Json:
    """Attach a payment method to a customer."""
    return attach_to(world, identifier, world.get(params["customer"], "customer", "customer"))


@route("POST", "/v1/payment_methods/{identifier}/detach", sdk.PaymentMethodDetachParams)
def detach_method(world: World, params: Params, identifier: str) -> Json:
    """Take a payment method from its customer, for good."""
    method = world.get(identifier, "payment_method")
    if not method["customer"]:
        raise StripeError("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer = world.get(method["customer"], "customer")
    with world.changes(method, "payment_method.detached"):
        method["customer"] = None
    if customer["invoice_settings"]["default_payment_method"] == identifier:
        with world.changes(customer, "customer.updated"):
            customer["invoice_settings"]["default_payment_method"] = None
    for subscription in world.find("subscription", customer=customer["id"]):
        if subscription["default_payment_method"] == identifier:
            with world.changes(subscription, "customer.subscription.updated"):
                subscription["default_payment_method"] = None
    return method


@route("POST", "/v1/payment_methods/{identifier}", sdk.PaymentMethodUpdateParams)
def update_method(world: World, params: Params, identifier: str) -> Json:
    """Change billing details or metadata."""
    method = world.get(identifier, "payment_method")
    with world.changes(method, "payment_method.updated"):
        if (details := plain(params.get("billing_details"))) is not None:
            method["billing_details"] |= {**details, "address": address(details.get("address") or {})}
        method["metadata"] = metadata(params, method["metadata"])
    return method


@route("GET", "/v1/payment_methods/{identifier}", sdk.PaymentMethodRetrieveParams)
def retrieve_method(world: World, params: Params, identifier: str) -> Json:
    """One payment method."""
    return world.get(identifier, "payment_method")


@route("GET", "/v1/payment_methods", sdk.PaymentMethodListParams)
def list_methods(world: World, params: Params) -> Json:
    """A customer's payment methods."""
    return _of_customer(world, params, params.get("customer"), "/v1/payment_methods")


@route("GET", "/v1/customers/{customer}/payment_methods", sdk.CustomerPaymentMethodListParams)
def list_customers_methods(world: World, params: Params, customer: str) -> Json:
    """A customer's payment methods."""
    world.get(customer, "customer")
    return _of_customer(world, params, customer, f"/v1/customers/{customer}/payment_methods")


@route("GET", "/v1/customers/{customer}/payment_methods/{identifier}", sdk.CustomerPaymentMethodRetrieveParams)
def retrieve_customers_method(world: World, params: Params, customer: str, identifier: str) -> Json:
    """One payment method of a customer."""
    return world.get(identifier, "payment_method")


def _of_customer(world: World, params: Params, customer: str | None, url: str) -> Json:
    kind = params.get("type", "card")
    items = world.find("payment_method", customer=customer) if customer else []
    return page(params, items, url, lambda item: item["type"] == kind)


def default_method(world: World, customer: Json, *holders: Json | None) -> Json | None:
    """The payment method that pays: of the first holder (invoice, subscription) that names one, else the customer's."""
    for holder in holders:
        if holder and (named := holder.get("default_payment_method")):
            return world.peek(named)
    return world.peek(customer["invoice_settings"]["default_payment_method"])
