"""What time does to a subscription: renewal, the end of a trial, retries of what was not paid, pauses."""

from typing import Any

from deploy.stripe_simulator.periods import nth, period_at
from deploy.stripe_simulator.resources import invoice_end, invoices
from deploy.stripe_simulator.resources.lines import recurring_line
from deploy.stripe_simulator.resources.payment_methods import default_method
from deploy.stripe_simulator.resources.subscription_end import end_now
from deploy.stripe_simulator.resources.subscription_items import items_of, period_of, recurring_of, set_period
from deploy.stripe_simulator.resources.subscriptions import note_billed
from deploy.stripe_simulator.timers import timer
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
DAY = 86_400
ENDED = ("canceled", "incomplete_expired")
# What the operator of a Stripe account chooses in its dashboard; the control API changes it here.
BILLING = {"retry_days": [1, 3, 5, 7], "after_retries": "canceled", "upcoming_days": 7}


def billing_settings(world: World) -> Json:
    """How retries end, and when renewals are announced."""
    return {**BILLING, **world.store.setting("billing", {})}


def announce_trial_end(world: World, subscription: Json) -> None:
    """Three days before a trial ends, or at once when it is shorter."""
    world.timer(max(subscription["trial_end"] - 3 * DAY, world.now(subscription)), "trial_will_end", subscription)


@timer("trial_will_end")
def trial_will_end(world: World, subscription: Json) -> None:
    """Tell that the trial is about to end."""
    if subscription["status"] == "trialing":
        world.emit("customer.subscription.trial_will_end", subscription)


def announce_renewal(world: World, subscription: Json, period: tuple[int, int]) -> None:
    """Some days before a period ends."""
    at = period[1] - billing_settings(world)["upcoming_days"] * DAY
    if at > world.now(subscription):
        world.timer(at, "announce_renewal", subscription)


@timer("announce_renewal")
def tell_of_renewal(world: World, subscription: Json) -> None:
    """Send `invoice.upcoming` with a preview of the next invoice."""
    from deploy.stripe_simulator.resources.preview import upcoming

    if subscription["status"] in {"active", "trialing", "past_due"} and not subscription["cancel_at_period_end"]:
        preview = upcoming(world, subscription)
        if preview is not None:
            world.emit_rendered("invoice.upcoming", preview)


# ---------------------------------------------------------------- renewal


@timer("renew_subscription")
def renew(world: World, subscription: Json) -> None:
    """The end of a period: the subscription ends, pauses, or begins the next one with a new invoice."""
    if subscription["status"] in (*ENDED, "incomplete", "paused"):
        return
    end = period_of(world, subscription)[1]
    leaving = subscription["cancel_at"] is not None and subscription["cancel_at"] <= end
    if subscription["cancel_at_period_end"] or leaving:
        end_now(world, subscription, "cancellation_requested", last_invoice=True)
    elif subscription["status"] == "trialing":
        end_trial(world, subscription)
    else:
        next_period(world, subscription)


def next_period(world: World, subscription: Json) -> Json:
    """Begin the next period; its invoice is a draft for an hour."""
    before = world.render(subscription)
    start, end = period_of(world, subscription)
    anchor = subscription["billing_cycle_anchor"]
    recurring = recurring_of(world, subscription)
    coming = period_at(anchor, recurring, end) if anchor <= end else (end, nth(end, recurring, 1))
    set_period(world, subscription, coming)
    invoice = bill_period(world, subscription, "subscription_cycle", (start, end))
    _tell(world, subscription, before)
    return invoice


def _tell(world: World, subscription: Json, before: Json) -> None:
    world.save(subscription)
    after = world.render(subscription)
    if previous := {name: before[name] for name in after if before.get(name) != after[name]}:
        world.emit("customer.subscription.updated", subscription, previous)


def bill_period(
    world: World, subscription: Json, reason: str, over: tuple[int, int] | None = None, *, draft: bool = False
) -> Json:
    """The invoice of the period that has just begun, with whatever waits; final after an hour, unless it is to stay
    a `draft`, which its caller makes final at once."""
    customer = world.get(subscription["customer"], "customer")
    more: Json = {"period_start": over[0], "period_end": over[1]} if over else {}
    invoice = invoices.make_invoice(
        world,
        customer,
        reason=reason,
        currency=subscription["currency"],
        lines=[recurring_line(world, subscription, item) for item in items_of(world, subscription)],
        subscription=subscription,
        items=invoices.pending_items(world, customer, subscription, subscription["currency"]),
        **more,
    )
    note_billed(world, subscription, invoice)
    pause = subscription["pause_collection"]
    if subscription["status"] == "unpaid" or (pause and pause["behavior"] == "keep_as_draft"):
        invoice["auto_advance"] = False
        world.save(invoice)
    elif pause:
        invoice["auto_advance"] = False
        invoices.finalize(world, invoice)
        if invoice["status"] == "open":
            (invoice_end.void if pause["behavior"] == "void" else invoice_end.mark_uncollectible)(world, invoice)
    elif not draft:
        invoices.finalize_later(world, invoice)
    return invoice


def end_trial(world: World, subscription: Json, *, now: bool = False) -> Json | None:
    """The trial is over: with a card it becomes paid, without one as its settings say."""
    customer = world.get(subscription["customer"], "customer")
    behavior = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    without_card = (
        default_method(world, customer, subscription) is None
        and subscription["collection_method"] == "charge_automatically"
    )
    if without_card and behavior == "cancel":
        end_now(world, subscription, None)
        return None
    if without_card and behavior == "pause":
        with world.changes(subscription, "customer.subscription.updated"):
            at = world.now(subscription)
            subscription |= {
                "status": "paused",
                "status_details": {
                    "paused": {
                        "type": "subscription",
                        "subscription": {"type": "trial_end_without_payment_method"},
                        "transitioned_at": at,
                    }
                },
            }
        world.emit("customer.subscription.paused", subscription)
        return None
    before = world.render(subscription)
    start = period_of(world, subscription)
    at = world.now(subscription) if now else subscription["trial_end"]
    subscription |= {"status": "active", "trial_end": at, "billing_cycle_anchor": at}
    world.no_timer("trial_will_end", subscription)
    set_period(world, subscription, (at, nth(at, recurring_of(world, subscription), 1)))
    reason = "subscription_update" if now else "subscription_cycle"
    invoice = bill_period(world, subscription, reason, (start[0], at), draft=now)
    if now and invoice["auto_advance"]:
        invoices.finalize(world, invoice)
    _tell(world, subscription, before)
    return invoice


# ---------------------------------------------------------------- what is not paid


def _is_refused(world: World, subscription: Json, invoice: Json) -> None:
    """A subscription's invoice was not paid: it is past due, and asked for again after some days."""
    if subscription["status"] in (*ENDED, "incomplete"):
        return
    settings = billing_settings(world)
    tried = invoice["_"]["retries"]
    if tried < len(settings["retry_days"]):
        at = world.now(invoice) + settings["retry_days"][tried] * DAY
        invoice["next_payment_attempt"] = at
        invoice["_"]["retries"] = tried + 1
        world.save(invoice)
        world.timer(at, "retry_invoice", invoice)
        _become(world, subscription, "past_due")
        return
    invoice["next_payment_attempt"] = None
    world.save(invoice)
    if settings["after_retries"] == "canceled":
        end_now(world, subscription, "payment_failed")
    else:
        _become(world, subscription, settings["after_retries"])


def _become(world: World, subscription: Json, status: str) -> None:
    if subscription["status"] not in {"trialing", "unpaid"}:
        with world.changes(subscription, "customer.subscription.updated"):
            subscription["status"] = status


invoices.WHEN_REFUSED.append(_is_refused)


@timer("retry_invoice")
def retry(world: World, invoice: Json) -> None:
    """Ask once more for what was not paid."""
    if invoice["status"] == "open" and invoice["auto_advance"]:
        invoices.collect(world, invoice, off_session=True)


@timer("resume_collection")
def resume_collection(world: World, subscription: Json) -> None:
    """A pause of collection is over."""
    if subscription["pause_collection"]:
        with world.changes(subscription, "customer.subscription.updated"):
            subscription["pause_collection"] = None
