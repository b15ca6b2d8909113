"""Subscriptions: their beginning, and reading them."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import page, search
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.periods import nth
from deploy.stripe_simulator.resources import invoice_end, invoices
from deploy.stripe_simulator.resources.discounts import redeem
from deploy.stripe_simulator.resources.fields import metadata, plain, take
from deploy.stripe_simulator.resources.invoice_items import add_invoice_item
from deploy.stripe_simulator.resources.lines import recurring_line
from deploy.stripe_simulator.resources.payment_methods import default_method
from deploy.stripe_simulator.resources.subscription_items import (
    add_item,
    bill_whole,
    items_of,
    recurring_of,
    set_period,
)
from deploy.stripe_simulator.resources.tax import require_location
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.timers import timer
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
DAY = 86_400
INCOMPLETE_SECONDS = 23 * 3600


@route("POST", "/v1/subscriptions", sdk.SubscriptionCreateParams)
def create_subscription(world: World, params: Params) -> Json:
    """A subscription: in its trial, or with its first invoice asked for at once."""
    customer = world.get(params["customer"], "customer", "customer")
    return start(world, params, customer)


def start(world: World, params: Params, customer: Json, **more: Any) -> Json:
    """Begin a subscription as `POST /v1/subscriptions` does; Checkout begins here too."""
    if not params.get("items"):
        raise StripeError("Missing required param: items.", code="parameter_missing", param="items")
    now = world.now(customer)
    trial_end = _trial_end(params, now)
    subscription = _new(world, params, customer, trial_end, more)
    for index, given in enumerate(params["items"]):
        add_item(world, subscription, given, (now, now + 1), f"items[{index}]")
    recurring = recurring_of(world, subscription)
    first = world.get(items_of(world, subscription)[0]["price"], "price")
    subscription["currency"] = first["currency"]
    subscription["discounts"] = redeem(
        world, plain_list(params.get("discounts")), customer["id"], first["currency"], subscription
    )
    if subscription["automatic_tax"]["enabled"]:
        require_location(customer)
    end = trial_end or nth(now, recurring, 1)
    set_period(world, subscription, (now, end))
    subscription["billing_cycle_anchor"] = trial_end or now
    world.save(subscription)
    world.emit("customer.subscription.created", subscription)
    for item in plain_list(params.get("add_invoice_items")) or []:
        add_invoice_item(world, item, customer, subscription)
    _first_invoice(world, params, subscription, customer, trial=trial_end is not None)
    return subscription


def plain_list(value: Any) -> Any:
    """A list parameter; the empty text stands for an empty list."""
    return [] if value == "" else value


def _trial_end(params: Params, now: int) -> int | None:
    days, end = params.get("trial_period_days"), params.get("trial_end")
    if days is not None and end is not None:
        raise StripeError(
            "You may only specify one of these parameters: trial_end, trial_period_days.", param="trial_end"
        )
    if days is not None:
        if days < 1:
            raise StripeError("Invalid trial_period_days: must be at least 1.", param="trial_period_days")
        return now + days * DAY
    if end is None or end == "now":
        return None
    if end <= now:
        raise StripeError("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    return int(end)


def _new(world: World, params: Params, customer: Json, trial_end: int | None, more: Json) -> Json:
    now = world.now(customer)
    behavior = params.get("payment_behavior", "allow_incomplete")
    if behavior == "pending_if_incomplete":
        raise not_simulated("pending_if_incomplete", "payment_behavior")
    body: Json = {
        "object": "subscription",
        "automatic_tax": {"enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "billing_schedules": [],
        "cancel_at": None,
        "cancel_at_period_end": bool(params.get("cancel_at_period_end")),
        "canceled_at": now if params.get("cancel_at_period_end") else None,
        "cancellation_details": {},
        "collection_method": "charge_automatically",
        "currency": "usd",
        "customer": customer["id"],
        "days_until_due": params.get("days_until_due"),
        "default_payment_method": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"issuer": {"type": "self"}},
        "items": None,
        "latest_invoice": None,
        "metadata": metadata(params),
        "pause_collection": None,
        "payment_settings": {"save_default_payment_method": "off"},
        "pending_setup_intent": None,
        "start_date": now,
        "status": "trialing" if trial_end else "incomplete",
        "test_clock": customer["test_clock"],
        "trial_end": trial_end,
        "trial_start": now if trial_end else None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "_": {"clock": customer["test_clock"], "ratio": [1, 1]},
    }
    take(body, params, "description", "collection_method", "default_payment_method", "trial_settings")
    take_settings(world, params, body)
    made = world.new("sub", body | more, like=customer)
    if trial_end:
        from deploy.stripe_simulator.resources.subscription_cycle import announce_trial_end

        announce_trial_end(world, made)
    return made


def take_settings(world: World, params: Params, subscription: Json) -> None:
    """Settings that are merged into what is there."""
    for name in ("automatic_tax", "payment_settings"):
        if (given := plain(params.get(name))) is not None:
            subscription[name] = (subscription[name] or {}) | given
    if method := subscription["default_payment_method"]:
        found = world.get(method, "payment_method", "default_payment_method")
        if found["customer"] != subscription["customer"]:
            raise StripeError(
                f"The customer does not have a payment method with the ID {method}.",
                code="resource_missing",
                param="default_payment_method",
            )


def _first_invoice(world: World, params: Params, subscription: Json, customer: Json, *, trial: bool) -> None:
    behavior = params.get("payment_behavior", "allow_incomplete")
    off_session = bool(params.get("off_session"))
    paying = default_method(world, customer, subscription)
    items = items_of(world, subscription)
    invoice = invoices.make_invoice(
        world,
        customer,
        reason="subscription_create",
        currency=subscription["currency"],
        lines=[recurring_line(world, subscription, item, trial=trial) for item in items],
        subscription=subscription,
        items=invoices.pending_items(world, customer, subscription, subscription["currency"]),
    )
    by_hand = subscription["collection_method"] == "send_invoice"
    if invoice["amount_due"] and paying is None and not (by_hand or world.dry) and behavior != "default_incomplete":
        raise StripeError(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    note_billed(world, subscription, invoice, trial=trial)
    invoices.finalize(world, invoice)
    if invoice["status"] == "paid" or by_hand:
        _activate(world, subscription)
        return
    world.timer(world.now(subscription) + INCOMPLETE_SECONDS, "expire_incomplete", subscription)
    if trial:  # what was added to it is owed, but the trial is on
        world.no_timer("expire_incomplete", subscription)
    if behavior == "default_incomplete":
        return
    error = invoices.collect(world, invoice, off_session=off_session)
    if behavior == "error_if_incomplete" and (error or invoice["status"] != "paid") and not world.dry:
        raise _undone(error)


def _undone(error: StripeError | None) -> StripeError:
    """The refusal of a payment, as an error that undoes what it was needed for."""
    refused = error or StripeError(
        "The payment needs its owner.",
        status=402,
        kind="card_error",
        code="subscription_payment_intent_requires_action",
    )
    refused.keep = False
    return refused


def note_billed(world: World, subscription: Json, invoice: Json, *, trial: bool = False) -> None:
    """Note what the period's invoice bills, which later changes are credited against."""
    recurring = [line for line in invoice["_"]["lines"] if _is_period(line)]
    gross = sum(line["amount"] for line in recurring)
    off = sum(item["amount"] for line in recurring for item in line["discount_amounts"])
    subscription["_"]["ratio"] = [gross - off, gross] if gross else [1, 1]
    world.save(subscription)
    for item in items_of(world, subscription):
        if trial:
            item["_"]["billed"] = 0
            world.save(item)
        else:
            bill_whole(world, item)


def _is_period(line: Json) -> bool:
    details = (line["parent"] or {}).get("subscription_item_details")
    return details is not None and not details["proration"]


def _activate(world: World, subscription: Json) -> None:
    if subscription["status"] in {"incomplete", "past_due", "unpaid"}:
        with world.changes(subscription, "customer.subscription.updated"):
            subscription["status"] = "active"
        world.no_timer("expire_incomplete", subscription)


def _is_paid(world: World, subscription: Json, invoice: Json) -> None:
    """A subscription's invoice has been paid: it is active again if nothing else is owed."""
    if subscription["status"] == "incomplete" and invoice["billing_reason"] == "subscription_create":
        _activate(world, subscription)
    elif subscription["status"] in {"past_due", "unpaid"}:
        owed = [
            item
            for item in world.find("invoice", parent=subscription["id"])
            if item["status"] == "open" and item["attempted"]
        ]
        if not owed:
            _activate(world, subscription)
    elif subscription["status"] == "paused" and subscription["_"].get("resuming") == invoice["id"]:
        with world.changes(subscription, "customer.subscription.updated"):
            subscription["status"] = "active"
        world.emit("customer.subscription.resumed", subscription)


invoices.WHEN_PAID.append(_is_paid)


@timer("expire_incomplete")
def expire_incomplete(world: World, subscription: Json) -> None:
    """The first payment has not come within 23 hours."""
    if subscription["status"] != "incomplete":
        return
    with world.changes(subscription, "customer.subscription.updated"):
        subscription |= {"status": "incomplete_expired", "ended_at": world.now(subscription)}
    for name in ("renew_subscription", "announce_renewal", "cancel_subscription"):
        world.no_timer(name, subscription)
    invoice = world.get(subscription["latest_invoice"], "invoice")
    if invoice["status"] == "open":
        invoice_end.void(world, invoice)


@route("GET", "/v1/subscriptions/search", sdk.SubscriptionSearchParams)
def search_subscriptions(world: World, params: Params) -> Json:
    """Subscriptions by metadata or status."""
    return search(params, world.find("subscription"), "/v1/subscriptions/search")


@route("GET", "/v1/subscriptions/{identifier}", sdk.SubscriptionRetrieveParams)
def retrieve_subscription(world: World, params: Params, identifier: str) -> Json:
    """One subscription."""
    return world.get(identifier, "subscription")


@route("GET", "/v1/subscriptions", sdk.SubscriptionListParams)
def list_subscriptions(world: World, params: Params) -> Json:
    """Subscriptions; those that were canceled only when asked for."""
    status, price = params.get("status"), params.get("price")
    wanted = {name: params.get(name) for name in ("collection_method", "test_clock")}

    def fits(item: Json) -> bool:
        if status is None and item["status"] == "canceled":
            return False
        if status == "ended" and item["status"] not in {"canceled", "incomplete_expired"}:
            return False
        if status not in {None, "all", "ended"} and item["status"] != status:
            return False
        if price is not None and price not in {one["price"] for one in items_of(world, item)}:
            return False
        return all(value is None or item[name] == value for name, value in wanted.items())

    return page(params, world.find("subscription", customer=params.get("customer")), "/v1/subscriptions", fits)
