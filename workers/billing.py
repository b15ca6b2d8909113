"""Budgets, nightly looks at the sums, and the exchange with Stripe, on the default queue."""

from __future__ import annotations

from workers.celery import app

# By the kind of an order, which app delivers it and takes it back.
DELIVERERS = {
    "credits": "apps.billing.services.credits",
    "licence": "apps.licensing.services",
    "data": "apps.market.services",
}


@app.task(name="billing.tell_of_budgets")
def tell_of_budgets() -> None:
    """Tells of the budgets that are nearly or wholly used, once each in a month."""
    from apps.billing.services import tell_of_budgets as tell

    tell()


@app.task(name="billing.close_months")
def close_months() -> None:
    """Closes the months that ended long enough ago, and asks for what they owe."""
    from apps.billing.services import close_months as close

    close()


@app.task(name="billing.tell_of_usage")
def tell_of_usage() -> None:
    """Tells of allowances, caps and credits that are being used up, each level once."""
    from apps.billing.services import tell_of_usage as tell

    tell()


@app.task(name="billing.record_months")
def record_months() -> None:
    """Every hour: writes down what each subscription is worth in the running month."""
    from apps.billing.services import record_months as record

    record()


@app.task(name="billing.check_rollups")
def check_rollups() -> None:
    """Every night: recomputes the sums of usage from the ledger, and tells of those that differ."""
    from apps.billing.services import check_rollups as check

    check()


@app.task(name="billing.tell_of_subscriptions")
def tell_of_subscriptions() -> None:
    """Tells owners of trials that end, payments that failed, and what ends because of them, once each."""
    from apps.billing.services.notices import tell_of_subscriptions as tell

    tell()


@app.task(name="billing.deliver_orders")
def deliver_orders() -> None:
    """Hands what was paid for to the app that delivers it."""
    from apps.billing.services import orders

    orders.deliver_due(DELIVERERS)


@app.task(name="billing.expire_credits")
def expire_credits() -> None:
    """Ends credit whose time is over and that was not used; asks for the money of what lies idle."""
    from apps.billing.services import idle_credit
    from apps.billing.services.expiry import expire_credits as expire

    expire()
    idle_credit.look()


@app.task(name="billing.handle_stripe_events")
def handle_stripe_events() -> None:
    """Looks at what Stripe's events are about."""
    from apps.billing.services import inbox

    inbox.handle_events()


@app.task(name="billing.send_operations")
def send_operations() -> None:
    """Asks Stripe again for what was not answered, with the same keys."""
    from apps.billing.services import outbox

    outbox.send_operations()


@app.task(name="billing.preview_renewals")
def preview_renewals() -> None:
    """Asks Stripe what the next invoices come to, for the pages that show it."""
    from apps.billing.services import renewals

    renewals.preview_renewals()


@app.task(name="billing.reconcile")
def reconcile() -> None:
    """Every night: compares all copies with Stripe, mends them and tells of it."""
    from apps.billing.services import reconcile

    reconcile.reconcile()
