"""The end of a subscription."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources import invoices
from deploy.stripe_simulator.resources.fields import plain
from deploy.stripe_simulator.resources.subscription_items import items_of
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.timers import timer
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
TIMERS_OF_LIFE = (
    "renew_subscription",
    "announce_renewal",
    "trial_will_end",
    "expire_incomplete",
    "cancel_subscription",
    "resume_collection",
)


def end_now(world: World, subscription: Json, reason: str | None, *, last_invoice: bool = False) -> None:
    """End a subscription at this moment; what waits for an invoice is billed with `last_invoice`."""
    now = world.now(subscription)
    subscription |= {
        "status": "canceled",
        "ended_at": now,
        "canceled_at": subscription["canceled_at"] or now,
        "cancellation_details": (subscription["cancellation_details"] or {}) | {"reason": reason},
    }
    world.save(subscription)
    for name in TIMERS_OF_LIFE:
        world.no_timer(name, subscription)
    for invoice in world.find("invoice", parent=subscription["id"]):
        if invoice["status"] in {"draft", "open"}:  # Stripe stops asking for them by itself
            invoice |= {"auto_advance": False, "next_payment_attempt": None}
            world.save(invoice)
            world.no_timer("retry_invoice", invoice)
            world.no_timer("finalize_invoice", invoice)
    world.emit("customer.subscription.deleted", subscription)
    if last_invoice:
        bill_rest(world, subscription)


def bill_rest(world: World, subscription: Json, *, draft: bool = False) -> Json | None:
    """An invoice of what still waits for one, final and asked for unless it shall be a `draft`."""
    customer = world.get(subscription["customer"], "customer")
    items = invoices.pending_items(world, customer, subscription, subscription["currency"])
    if not items:
        return None
    invoice = invoices.make_invoice(
        world,
        customer,
        reason="manual" if subscription["status"] == "canceled" else "subscription_update",
        currency=subscription["currency"],
        lines=[],
        subscription=subscription,
        items=items,
    )
    if not draft:
        invoices.finalize(world, invoice)
        invoices.collect(world, invoice, off_session=True)
    return invoice


@route("DELETE", "/v1/subscriptions/{identifier}", sdk.SubscriptionCancelParams)
def cancel_subscription(world: World, params: Params, identifier: str) -> Json:
    """End a subscription now, with a credit for the rest of its period if asked for."""
    from deploy.stripe_simulator.resources.proration import credit_rest

    subscription = world.get(identifier, "subscription")
    if subscription["status"] in {"canceled", "incomplete_expired"}:
        raise StripeError(f"No such subscription: '{identifier}'", status=404, code="resource_missing", param="id")
    details = plain(params.get("cancellation_details")) or {}
    subscription["cancellation_details"] = (subscription["cancellation_details"] or {}) | details
    if params.get("prorate"):
        for item in items_of(world, subscription):
            credit_rest(world, subscription, item, world.now(subscription))
    bill = params.get("invoice_now")
    end_now(world, subscription, "cancellation_requested")
    if bill:
        bill_rest(world, subscription)
    return subscription


@timer("cancel_subscription")
def cancel_at(world: World, subscription: Json) -> None:
    """The time of `cancel_at` has come, in the middle of a period."""
    from deploy.stripe_simulator.resources.proration import credit_rest

    if subscription["status"] in {"canceled", "incomplete_expired"}:
        return
    if subscription["_"].get("cancel_prorates"):
        for item in items_of(world, subscription):
            credit_rest(world, subscription, item, world.now(subscription))
    end_now(world, subscription, "cancellation_requested", last_invoice=True)
