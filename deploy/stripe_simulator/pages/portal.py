"""The billing portal: a customer's own page for cards, invoices and subscriptions."""

from collections.abc import Callable
from typing import Any

from deploy.stripe_simulator.api import Answer
from deploy.stripe_simulator.control import perform
from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.pages import Visit, page, redirect, view
from deploy.stripe_simulator.pages.checkout import card_choice
from deploy.stripe_simulator.pages.html import Html, button, choice, field, h, money, table
from deploy.stripe_simulator.pages.invoice import day
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.cards import by_number
from deploy.stripe_simulator.resources.catalogue import get_price
from deploy.stripe_simulator.resources.lines import product_name
from deploy.stripe_simulator.resources.payment_methods import attach_to, make_method
from deploy.stripe_simulator.resources.portal import SESSION_SECONDS
from deploy.stripe_simulator.resources.subscription_change import update_subscription
from deploy.stripe_simulator.resources.subscription_end import cancel_subscription
from deploy.stripe_simulator.resources.subscription_items import items_of, period_of
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
ENDED = ("canceled", "incomplete_expired")


def _session(world: World, identifier: str) -> tuple[Json, Json, Json]:
    session = world.get(identifier, "billing_portal.session")
    if world.now() > session["created"] + SESSION_SECONDS:
        raise StripeError("This page has expired; open it anew from the shop.", status=410)
    features = world.get(session["configuration"], "billing_portal.configuration")["features"]
    return session, features, world.get(session["customer"], "customer")


@view("GET", "/simulator/portal/{identifier}")
def show_portal(visit: Visit, identifier: str, problem: str = "") -> Answer:
    """All that the customer may see and do."""
    with visit.simulator.store.lock:
        world = World(visit.simulator.store, base_url=visit.simulator.base_url)
        session, features, customer = _session(world, identifier)
        flow = (session["flow"] or {}).get("type")
        parts: list[Html] = [h("p", problem, role="alert")] if problem else []
        if flow in {None, "payment_method_update"} and features["payment_method_update"]["enabled"]:
            parts += _card(world, customer, identifier)
        if flow != "payment_method_update":
            parts += _subscriptions(world, customer, features, identifier)
        if flow is None and features["invoice_history"]["enabled"]:
            parts += _invoices(world, customer)
    if session["return_url"]:
        parts.append(h("p", h("a", "Back", href=session["return_url"])))
    return page("Billing", parts)


def _card(world: World, customer: Json, identifier: str) -> list[Html]:
    method = world.peek(customer["invoice_settings"]["default_payment_method"])
    now = f"{method['card']['brand']} ending in {method['card']['last4']}" if method else "none yet"
    form = h(
        "form", card_choice(), button("Use this card"), method="post", action=f"/simulator/portal/{identifier}/card"
    )
    return [h("h2", "Card"), h("p", f"Now: {now}."), form]


def _subscriptions(world: World, customer: Json, features: Json, identifier: str) -> list[Html]:
    parts = [h("h2", "Subscriptions")]
    live = [item for item in world.find("subscription", customer=customer["id"]) if item["status"] not in ENDED]
    for subscription in live:
        names = ", ".join(
            f"{item['quantity']} × {product_name(world, get_price(world, item['price']))}"
            for item in items_of(world, subscription)
        )
        end = day(period_of(world, subscription)[1])
        says = f"ends on {end}" if subscription["cancel_at_period_end"] else f"renews on {end}"
        parts.append(h("p", f"{names} · {subscription['status']} · {says}"))
        action = f"/simulator/portal/{identifier}/subscription/{subscription['id']}"
        if subscription["cancel_at_period_end"]:
            parts.append(h("form", button("Keep it", "act", "keep"), method="post", action=action))
        elif features["subscription_cancel"]["enabled"]:
            parts.append(h("form", button("Cancel it", "act", "cancel"), method="post", action=action))
        if features["subscription_update"]["enabled"]:
            parts.append(_change_form(world, subscription, features["subscription_update"], action))
    return parts if live else [*parts, h("p", "There is none.")]


def _change_form(world: World, subscription: Json, feature: Json, action: str) -> Html:
    item, allowed = items_of(world, subscription)[0], feature["default_allowed_updates"]
    fields: list[Html] = []
    if "price" in allowed:
        prices = [get_price(world, one) for product in feature["products"] or [] for one in product["prices"]]
        options = [
            (one["id"], f"{product_name(world, one)}, {money(one['unit_amount'], one['currency'])}") for one in prices
        ]
        fields.append(choice("Plan", "price", options, item["price"]))
    if "quantity" in allowed:
        fields.append(field("Quantity", "quantity", str(item["quantity"]), type="number", min="1"))
    return h("form", *fields, button("Change it", "act", "change"), method="post", action=action)


def _invoices(world: World, customer: Json) -> list[Html]:
    rows = [
        [
            h("a", item["number"], href=f"/simulator/invoice/{item['id']}"),
            day(item["created"]),
            item["status"],
            money(item["total"], item["currency"]),
        ]
        for item in reversed(world.find("invoice", customer=customer["id"]))
        if item["number"]
    ]
    shown = table(["Number", "Date", "Status", "Total"], rows) if rows else h("p", "There is none yet.")
    return [h("h2", "Invoices"), shown]


def _done(visit: Visit, identifier: str, act: Callable[[World], Json]) -> Answer:
    """Do it, and return to the page, or to where the shop wants its customer after this."""
    try:
        perform(visit.simulator, act)
    except StripeError as error:
        return show_portal(visit, identifier, problem=str(error))
    with visit.simulator.store.lock:
        session = World(visit.simulator.store).get(identifier, "billing_portal.session")
    after = (session["flow"] or {}).get("after_completion") or {}
    if after.get("type") == "redirect":
        return redirect(after["redirect"]["return_url"])
    return redirect(f"/simulator/portal/{identifier}")


@view("POST", "/simulator/portal/{identifier}/card")
def change_card(visit: Visit, identifier: str) -> Answer:
    """Pay with another card from now on."""

    def act(world: World) -> Json:
        _, _, customer = _session(world, identifier)
        method = make_method(world, by_number(visit.form.get("number", "")), like=customer)
        attach_to(world, method["id"], customer)
        method["_"]["authenticated"] = True
        world.save(method)
        with world.changes(customer, "customer.updated"):
            customer["invoice_settings"]["default_payment_method"] = method["id"]
        for subscription in world.find("subscription", customer=customer["id"]):
            if subscription["default_payment_method"] and subscription["status"] not in ENDED:
                with world.changes(subscription, "customer.subscription.updated"):
                    subscription["default_payment_method"] = method["id"]
        return customer

    return _done(visit, identifier, act)


@view("POST", "/simulator/portal/{identifier}/subscription/{subscription}")
def change(visit: Visit, identifier: str, subscription: str) -> Answer:
    """Cancel, keep or change a subscription, as far as the portal's configuration allows."""

    def act(world: World) -> Json:
        _, features, customer = _session(world, identifier)
        found = world.get(subscription, "subscription")
        if found["customer"] != customer["id"]:
            raise StripeError("This is somebody else's subscription.", status=404)
        wanted = visit.form.get("act")
        if wanted == "keep":
            return update_subscription(world, Params({"cancel_at_period_end": False}), subscription)
        if wanted == "cancel" and features["subscription_cancel"]["enabled"]:
            if features["subscription_cancel"]["mode"] == "at_period_end":
                return update_subscription(world, Params({"cancel_at_period_end": True}), subscription)
            return cancel_subscription(world, Params({}), subscription)
        feature = features["subscription_update"]
        if wanted != "change" or not feature["enabled"]:
            raise StripeError("This page does not offer that.", status=403)
        return update_subscription(world, Params(_change(world, found, feature, visit.form)), subscription)

    return _done(visit, identifier, act)


def _change(world: World, subscription: Json, feature: Json, form: dict[str, str]) -> Json:
    item = items_of(world, subscription)[0]
    change: Json = {"id": item["id"]}
    offered = [one for product in feature["products"] or [] for one in product["prices"]]
    if "price" in feature["default_allowed_updates"] and form.get("price") in offered:
        change["price"] = form["price"]
        change["quantity"] = item["quantity"]
    if "quantity" in feature["default_allowed_updates"] and form.get("quantity", "").isdigit():
        change["quantity"] = int(form["quantity"])
    return {"items": [change], "proration_behavior": feature["proration_behavior"]}
