"""Pausing a subscription as a whole, and taking it up again."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.periods import nth
from deploy.stripe_simulator.resources import invoices
from deploy.stripe_simulator.resources.fields import plain
from deploy.stripe_simulator.resources.proration import credit_rest
from deploy.stripe_simulator.resources.subscription_change import final
from deploy.stripe_simulator.resources.subscription_cycle import bill_period
from deploy.stripe_simulator.resources.subscription_end import bill_rest
from deploy.stripe_simulator.resources.subscription_items import items_of, period_of, recurring_of, set_period
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


@route("POST", "/v1/subscriptions/{identifier}/pause", sdk.SubscriptionPauseParams)
def pause_subscription(world: World, params: Params, identifier: str) -> Json:
    """Pause a subscription: nothing is billed and nothing is provided until it is resumed."""
    subscription = world.get(identifier, "subscription")
    if subscription["status"] not in {"active", "past_due", "trialing"}:
        raise StripeError(f"A subscription that is {subscription['status']} cannot be paused.")
    params.get("type")
    bill = plain(params.get("bill_for")) or {}
    if (bill.get("unused_time_from") or {"type": "now"})["type"] == "now" and subscription["status"] != "trialing":
        for item in items_of(world, subscription):
            credit_rest(world, subscription, item, world.now(subscription))
    if params.get("invoicing_behavior", "pending_invoice_item") == "invoice":
        bill_rest(world, subscription)
    at = world.now(subscription)
    with world.changes(subscription, "customer.subscription.updated"):
        subscription |= {
            "status": "paused",
            "status_details": {
                "paused": {
                    "type": "subscription",
                    "subscription": {"type": "pause_requested"},
                    "transitioned_at": at,
                }
            },
        }
    for name in ("renew_subscription", "announce_renewal", "trial_will_end"):
        world.no_timer(name, subscription)
    world.emit("customer.subscription.paused", subscription)
    return subscription


@route("POST", "/v1/subscriptions/{identifier}/resume", sdk.SubscriptionResumeParams)
def resume_subscription(world: World, params: Params, identifier: str) -> Json:
    """Take up a paused subscription with a period that begins now."""
    subscription = world.get(identifier, "subscription")
    if subscription["status"] != "paused":
        raise StripeError(f"A subscription that is {subscription['status']} cannot be resumed.")
    anchor = params.get("billing_cycle_anchor")
    if anchor is not None and anchor["type"] != "now":
        raise not_simulated("resuming with the old billing cycle", "billing_cycle_anchor")
    wait = params.get("payment_behavior", "resume_on_payment_attempt") == "resume_on_payment_success"
    params.get("proration_behavior")
    now = world.now(subscription)
    with world.changes(subscription, "customer.subscription.updated"):
        subscription |= {"billing_cycle_anchor": now, "status_details": None}
        start = period_of(world, subscription)[0]
        set_period(world, subscription, (now, nth(now, recurring_of(world, subscription), 1)))
        invoice = final(world, bill_period(world, subscription, "subscription_update", (start, now), draft=True))
        if invoice is not None and invoice["status"] == "open" and wait:
            subscription["_"]["resuming"] = invoice["id"]
        else:
            subscription["status"] = "active"
    if subscription["status"] == "active":
        world.emit("customer.subscription.resumed", subscription)
    if invoice is not None and invoice["status"] == "open":
        invoices.collect(world, invoice, off_session=True)
    return subscription
