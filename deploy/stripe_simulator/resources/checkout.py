"""Checkout sessions: a page on which somebody pays, and what it makes of that."""

from typing import Any

from stripe.params import checkout as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import includes, page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.catalogue import amount_of, get_price, price_of
from deploy.stripe_simulator.resources.discounts import check_redeemable
from deploy.stripe_simulator.resources.fields import metadata, one_of, plain, take
from deploy.stripe_simulator.resources.lines import product_name
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.timers import timer
from deploy.stripe_simulator.world import World, new_id, renders

Json = dict[str, Any]
DAY = 86_400
HALF_HOUR = 1800
# Kept as they were given, for the page and for the answer.
SHOWN = ("billing_address_collection", "customer_update", "locale", "submit_type", "consent_collection", "custom_text")


@renders("checkout.session")
def fill_session(world: World, session: Json) -> None:
    """The page's address, for as long as it can be paid on."""
    session["url"] = f"{world.base_url}/simulator/checkout/{session['id']}" if session["status"] == "open" else None


@includes("checkout.session", "line_items")
def line_items_of(world: World, session: Json) -> Json:
    """What is bought, for `expand`."""
    return list_line_items(world, Params({"limit": 100}), session["id"])


@route("POST", "/v1/checkout/sessions", sdk.SessionCreateParams)
def create_session(world: World, params: Params) -> Json:
    """A page to pay on."""
    mode = params.get("mode", "payment")
    customer = world.get(params["customer"], "customer", "customer") if params.get("customer") else None
    if params.get("ui_mode", "hosted_page") not in {"hosted", "hosted_page"}:
        raise not_simulated("embedded checkout", "ui_mode")
    now = world.now(customer)
    expires = params.get("expires_at", now + DAY)
    if not now + HALF_HOUR <= expires <= now + DAY:
        raise StripeError("The `expires_at` timestamp must be 30 minutes to 24 hours from now.", param="expires_at")
    lines = _lines(world, params, mode)
    currency = get_price(world, lines[0]["price"])["currency"] if lines else params.get("currency")
    identifier = new_id("cs_test", 58)
    body: Json = {
        "object": "checkout.session",
        "id": identifier,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "automatic_tax": {"enabled": False, "liability": None, "status": None},
        "client_reference_id": params.get("client_reference_id"),
        "currency": currency,
        "custom_fields": [],
        "custom_text": {},
        "customer": customer and customer["id"],
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "expires_at": expires,
        "invoice_creation": {"enabled": False, "invoice_data": {"metadata": {}}} if mode == "payment" else None,
        "metadata": metadata(params),
        "mode": mode,
        "payment_method_collection": params.get("payment_method_collection", "always"),
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "cancel_url": params.get("cancel_url"),
        "success_url": params.get("success_url"),
        "tax_id_collection": {"enabled": False, "required": "never"},
        "ui_mode": params.get("ui_mode", "hosted_page"),
        "_": {"lines": lines, "clock": customer and customer["test_clock"], **_data(params, mode)},
    }
    _take_options(world, params, body, customer, currency)
    session = world.new("cs", body)
    from deploy.stripe_simulator.resources.checkout_payment import quote

    quote(world, session)
    world.timer(expires, "expire_session", session)
    return session


def _take_options(world: World, params: Params, body: Json, customer: Json | None, currency: str | None) -> None:
    shown: Json = {}
    take(shown, params, *SHOWN)
    body["_"]["shown"] = shown
    body["billing_address_collection"] = shown.get("billing_address_collection")
    body["locale"] = shown.get("locale")
    if shown.get("customer_update") and customer is None:
        raise StripeError("`customer_update` can only be used with `customer`.", param="customer_update")
    if (given := plain(params.get("payment_method_types"))) not in (None, ["card"]):
        raise not_simulated(f"payment methods other than cards ({given})", "payment_method_types")
    if (given := params.get("automatic_tax")) is not None:
        body["automatic_tax"]["enabled"] = given["enabled"]
    if (given := params.get("tax_id_collection")) is not None:
        body["tax_id_collection"] = {"enabled": given["enabled"], "required": given.get("required", "never")}
        if given["enabled"] and customer and (shown.get("customer_update") or {}).get("name") != "auto":
            raise StripeError(
                "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an "
                "existing customer, please set `customer_update[name]` to `auto`.",
                param="tax_id_collection",
            )
    if (given := params.get("invoice_creation")) is not None and body["invoice_creation"]:
        body["invoice_creation"] |= {"enabled": given["enabled"]}
        data = given.get("invoice_data")
        body["invoice_creation"]["invoice_data"] = {"metadata": {}} | (plain(data) if data is not None else {})
    if discounts := params.get("discounts"):
        if body["allow_promotion_codes"]:
            raise StripeError("You may only specify one of these parameters: allow_promotion_codes, discounts.")
        body["discounts"] = [_named(world, item, customer, currency) for item in discounts]


def _named(world: World, item: Params, customer: Json | None, currency: str | None) -> Json:
    named = one_of(item, "coupon", "promotion_code")
    code = world.get(item["promotion_code"], "promotion_code", "discounts") if named == "promotion_code" else None
    coupon = world.get(code["promotion"]["coupon"] if code else item["coupon"], "coupon", "discounts")
    check_redeemable(world, coupon, code, customer["id"] if customer else None, currency or "")
    return {"coupon": None if code else coupon["id"], "promotion_code": code["id"] if code else None}


def _lines(world: World, params: Params, mode: str) -> list[Json]:
    lines = []
    for index, given in enumerate(params.get("line_items", [])):
        param = f"line_items[{index}]"
        price = price_of(world, given, recurring=None if mode == "subscription" else False, param=param)
        quantity = given.get("quantity", 1)
        if quantity < 1:
            raise StripeError("The quantity must be at least 1.", param=f"{param}[quantity]")
        lines.append({"id": new_id("li"), "price": price["id"], "quantity": quantity})
    prices = [get_price(world, line["price"]) for line in lines]
    if mode != "setup" and not lines:
        raise StripeError("Missing required param: line_items.", code="parameter_missing", param="line_items")
    if len({price["currency"] for price in prices}) > 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    if mode == "subscription" and not any(price["recurring"] for price in prices):
        raise StripeError("You must provide at least one recurring price in `subscription` mode.", param="line_items")
    return lines


def _data(params: Params, mode: str) -> Json:
    """What is passed on to the subscription or to the payment intent."""
    names = {"subscription": "subscription_data", "payment": "payment_intent_data", "setup": "setup_intent_data"}
    name = names[mode]
    return {"data": plain(params.get(name)) or {}}


@route("GET", "/v1/checkout/sessions/{identifier}", sdk.SessionRetrieveParams)
def retrieve_session(world: World, params: Params, identifier: str) -> Json:
    """One session."""
    return world.get(identifier, "checkout.session")


@route("POST", "/v1/checkout/sessions/{identifier}", sdk.SessionUpdateParams)
def update_session(world: World, params: Params, identifier: str) -> Json:
    """Change a session's metadata."""
    session = world.get(identifier, "checkout.session")
    session["metadata"] = metadata(params, session["metadata"])
    world.save(session)
    return session


@route("GET", "/v1/checkout/sessions", sdk.SessionListParams)
def list_sessions(world: World, params: Params) -> Json:
    """Sessions, of a customer or by what came of them."""
    wanted = {name: params.get(name) for name in ("payment_intent", "subscription", "status")}
    items = world.find("checkout.session", customer=params.get("customer"))
    return page(
        params,
        items,
        "/v1/checkout/sessions",
        lambda item: all(value is None or item.get(name) == value for name, value in wanted.items()),
    )


@route("GET", "/v1/checkout/sessions/{identifier}/line_items", sdk.SessionLineItemListParams)
def list_line_items(world: World, params: Params, identifier: str) -> Json:
    """What is bought on the page."""
    session = world.get(identifier, "checkout.session")
    items = [_shown(world, line) for line in reversed(session["_"]["lines"])]
    return page(params, items, f"/v1/checkout/sessions/{identifier}/line_items")


def _shown(world: World, line: Json) -> Json:
    price = get_price(world, line["price"])
    amount = amount_of(price, line["quantity"])
    return {
        "id": line["id"],
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": product_name(world, price),
        "price": world.render(price),
        "quantity": line["quantity"],
    }


@route("POST", "/v1/checkout/sessions/{identifier}/expire", sdk.SessionExpireParams)
def expire_now(world: World, params: Params, identifier: str) -> Json:
    """Close a page on which nobody has paid yet."""
    session = world.get(identifier, "checkout.session")
    if session["status"] != "open":
        raise StripeError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.',
            code="checkout_session_not_open",
        )
    expire(world, session)
    return session


@timer("expire_session")
def expire(world: World, session: Json) -> None:
    """Nobody has paid in time."""
    if session["status"] == "open":
        session["status"] = "expired"
        world.save(session)
        world.no_timer("expire_session", session)
        world.emit("checkout.session.expired", session)
