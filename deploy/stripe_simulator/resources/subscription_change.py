"""Changes of a subscription: items, trial, cancellation, pauses; with prorations as they are asked for."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.periods import nth
from deploy.stripe_simulator.resources import invoices
from deploy.stripe_simulator.resources.catalogue import get_price, price_of
from deploy.stripe_simulator.resources.discounts import redeem
from deploy.stripe_simulator.resources.fields import metadata, plain, take
from deploy.stripe_simulator.resources.invoice_items import add_invoice_item
from deploy.stripe_simulator.resources.proration import charge_rest, credit_rest
from deploy.stripe_simulator.resources.subscription_cycle import announce_trial_end, bill_period, end_trial
from deploy.stripe_simulator.resources.subscription_end import bill_rest
from deploy.stripe_simulator.resources.subscription_items import (
    add_item,
    interval,
    items_of,
    period_of,
    recurring_of,
    set_period,
    whole_quantity,
)
from deploy.stripe_simulator.resources.subscriptions import plain_list, take_settings
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


@route("POST", "/v1/subscriptions/{identifier}", sdk.SubscriptionUpdateParams)
def update_subscription(world: World, params: Params, identifier: str) -> Json:
    """Change a subscription."""
    subscription = world.get(identifier, "subscription")
    if subscription["status"] in {"canceled", "incomplete_expired"}:
        return _note_on_ended(world, params, subscription)
    with world.changes(subscription, "customer.subscription.updated"):
        change_fields(world, params, subscription)
        change_end(world, params, subscription)
        _pause_collection(world, params, subscription)
        invoice = change_billing(world, params, subscription)
    behavior = params.get("payment_behavior", "allow_incomplete")
    off_session = params.get("off_session")
    if behavior == "pending_if_incomplete":
        raise not_simulated("pending_if_incomplete", "payment_behavior")
    if invoice is not None and invoice["status"] == "open" and subscription["collection_method"] != "send_invoice":
        _ask(world, subscription, invoice, behavior, off_session=bool(off_session))
    return subscription


def _note_on_ended(world: World, params: Params, subscription: Json) -> Json:
    if params.keys() - {"metadata", "cancellation_details", "expand"}:
        raise StripeError(
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="resource_missing",
            status=404,
        )
    with world.changes(subscription, "customer.subscription.updated"):
        subscription["metadata"] = metadata(params, subscription["metadata"])
        details = plain(params.get("cancellation_details")) or {}
        subscription["cancellation_details"] = (subscription["cancellation_details"] or {}) | details
    return subscription


def _ask(world: World, subscription: Json, invoice: Json, behavior: str, *, off_session: bool) -> None:
    if behavior == "default_incomplete":
        with world.changes(subscription, "customer.subscription.updated"):
            subscription["status"] = "past_due"
        return
    error = invoices.collect(world, invoice, off_session=off_session)
    if behavior == "error_if_incomplete" and invoice["status"] != "paid" and not world.dry:
        refused = error or StripeError(
            "The payment needs its owner.",
            status=402,
            kind="card_error",
            code="subscription_payment_intent_requires_action",
        )
        refused.keep = False  # the change is undone together with what it was asked for
        raise refused


def change_fields(world: World, params: Params, subscription: Json) -> None:
    """What has nothing to do with money, and what only later invoices take up."""
    take(subscription, params, "description", "default_payment_method", "days_until_due", "collection_method")
    take(subscription, params, "trial_settings")
    take_settings(world, params, subscription)
    subscription["metadata"] = metadata(params, subscription["metadata"])
    if (given := params.get("discounts")) is not None:
        subscription["discounts"] = redeem(
            world, plain_list(given), subscription["customer"], subscription["currency"], subscription
        )
    customer = world.get(subscription["customer"], "customer")
    for item in plain_list(params.get("add_invoice_items")) or []:
        add_invoice_item(world, item, customer, subscription)


def change_end(world: World, params: Params, subscription: Json) -> None:
    """When it will end, or that it will not."""
    details = plain(params.get("cancellation_details")) or {}
    subscription["cancellation_details"] = (subscription["cancellation_details"] or {}) | details
    at_end, at = params.get("cancel_at_period_end"), params.get("cancel_at")
    if at_end is None and at is None:
        return
    if at_end and at:
        raise StripeError("You may only specify one of these parameters: cancel_at, cancel_at_period_end.")
    now, end = world.now(subscription), period_of(world, subscription)[1]
    when = at if at not in {None, ""} else None
    if isinstance(when, str):
        when = end
    if when is not None and when <= now:
        raise StripeError("cancel_at must be in the future.", param="cancel_at")
    world.no_timer("cancel_subscription", subscription)
    subscription["_"]["cancel_prorates"] = params.get("proration_behavior", "create_prorations") != "none"
    leaves = bool(at_end) or when is not None
    reason = "cancellation_requested" if leaves else None
    subscription |= {
        "cancel_at_period_end": bool(at_end),
        "cancel_at": end if at_end else when,
        "canceled_at": now if leaves else None,
        "cancellation_details": (subscription["cancellation_details"] or {}) | {"reason": reason},
    }
    if when is not None and when != end:
        world.timer(when, "cancel_subscription", subscription)


def _pause_collection(world: World, params: Params, subscription: Json) -> None:
    given = params.get("pause_collection")
    if given is None:
        return
    world.no_timer("resume_collection", subscription)
    if given == "":
        subscription["pause_collection"] = None
        return
    subscription["pause_collection"] = {"behavior": given["behavior"], "resumes_at": given.get("resumes_at")}
    if given.get("resumes_at"):
        world.timer(given["resumes_at"], "resume_collection", subscription)


# ---------------------------------------------------------------- what is billed


def change_billing(world: World, params: Params, subscription: Json) -> Json | None:
    """Items, trial and anchor; returns the invoice that comes of it at once, if one does. It is not asked for yet."""
    behavior = params.get("proration_behavior", "create_prorations")
    if behavior not in {"create_prorations", "always_invoice", "none"}:
        raise StripeError("Invalid proration_behavior.", param="proration_behavior")
    at = _proration_date(world, params, subscription)
    anchor = params.get("billing_cycle_anchor")
    changed = _change_items(world, params, subscription, at, behavior)
    if (end := params.get("trial_end")) is not None:
        return _change_trial(world, subscription, end, at, behavior)
    if subscription["status"] == "trialing":
        return None
    if changed == "interval" or (anchor is not None and anchor["type"] == "now"):
        return _begin_anew(world, subscription, at, behavior, credited=changed == "interval")
    if changed and behavior == "always_invoice":
        return final(world, bill_rest_as_draft(world, subscription))
    return None


def _proration_date(world: World, params: Params, subscription: Json) -> int:
    given = params.get("proration_date")
    if given is None:
        return world.now(subscription)
    start, end = period_of(world, subscription)
    if not start <= given <= end:
        raise StripeError("The proration date must be within the current subscription period.", param="proration_date")
    return int(given)


def _change_items(world: World, params: Params, subscription: Json, at: int, behavior: str) -> str:
    """Change the items; returns "" for nothing, "item", or "interval" when it renews by another interval now."""
    before = interval(get_price(world, items_of(world, subscription)[0]["price"]))
    free = subscription["status"] == "trialing" or behavior == "none"
    changed = ""
    for index, given in enumerate(params.get("items", [])):
        changed = _change_item(world, given, subscription, at, f"items[{index}]", free) or changed
    left = items_of(world, subscription)
    if not left:
        raise StripeError("A subscription must have at least one active plan.", param="items")
    intervals = {interval(get_price(world, item["price"])) for item in left}
    if len(intervals) > 1:
        raise not_simulated("prices of different intervals in one subscription", "items")
    if intervals != {before}:
        return "interval"
    if changed and not free:
        for item in left:
            if item["_"].pop("rest", False):
                charge_rest(world, subscription, item, at)
    return changed


def _change_item(world: World, given: Params, subscription: Json, at: int, param: str, free: bool) -> str:
    if given.get("id") is None:
        item = add_item(world, subscription, given, period_of(world, subscription), param)
        item["_"]["rest"] = True
        world.save(item)
        return "item"
    item = world.get(given["id"], "subscription_item", f"{param}[id]")
    if item["subscription"] != subscription["id"]:
        raise StripeError(f"No such subscription item: '{item['id']}'", code="resource_missing", param=f"{param}[id]")
    if given.get("deleted"):
        if not free:
            credit_rest(world, subscription, item, at)
        item["deleted"] = True
        world.save(item)
        return "item"
    item["metadata"] = metadata(given, item["metadata"])
    price, quantity = item["price"], item["quantity"]
    if given.get("price") is not None or given.get("price_data") is not None:
        price = price_of(world, given, recurring=True, param=param)["id"]
        quantity = 1 if price != item["price"] else quantity
    quantity = whole_quantity(given.get("quantity", quantity), f"{param}[quantity]")
    world.save(item)
    if (price, quantity) == (item["price"], item["quantity"]):
        return ""
    if not free:
        credit_rest(world, subscription, item, at)
    item |= {"price": price, "quantity": quantity}
    item["_"]["rest"] = True
    return "item"


def _begin_anew(world: World, subscription: Json, at: int, behavior: str, *, credited: bool) -> Json:
    """Another interval, or another anchor: the next period begins now and is billed now."""
    if not credited and behavior != "none":
        for item in items_of(world, subscription):
            credit_rest(world, subscription, item, at)
    start = period_of(world, subscription)[0]
    now = world.now(subscription)
    subscription["billing_cycle_anchor"] = now
    set_period(world, subscription, (now, nth(now, recurring_of(world, subscription), 1)))
    invoice = bill_period(world, subscription, "subscription_update", (start, now), draft=True)
    final(world, invoice)
    return invoice


def bill_rest_as_draft(world: World, subscription: Json) -> Json | None:
    """A draft of what waits for an invoice."""
    return bill_rest(world, subscription, draft=True)


def final(world: World, invoice: Json | None) -> Json | None:
    """Make an invoice that came of a change final, unless its collection is paused."""
    if invoice is not None and invoice["auto_advance"] and invoice["status"] == "draft":
        invoices.finalize(world, invoice)
    return invoice


def _change_trial(world: World, subscription: Json, end: int | str, at: int, behavior: str) -> Json | None:
    now = world.now(subscription)
    if end == "now":
        if subscription["status"] != "trialing":
            return None
        return end_trial(world, subscription, now=True)
    if not isinstance(end, int) or end <= now:
        raise StripeError("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    if subscription["status"] != "trialing" and behavior != "none":
        for item in items_of(world, subscription):
            credit_rest(world, subscription, item, at)
            item["_"]["billed"] = 0
    subscription |= {
        "status": "trialing",
        "trial_start": subscription["trial_start"] if subscription["status"] == "trialing" else now,
        "trial_end": end,
        "billing_cycle_anchor": end,
    }
    start = period_of(world, subscription)[0] if subscription["trial_start"] != now else now
    set_period(world, subscription, (start, end))
    announce_trial_end(world, subscription)
    return None
