"""Changes that Stripe answers with a failure, which it repeats to the same key for a day: settled by one look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.accounts.access import Actor
from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.models import OperationState, StripeOperation, Subscription
from apps.core import tenancy
from apps.core.errors import PaymentsUnavailable
from tests.apps.billing.test_order_of_changes import Silence, send_what_waits, states
from tests.helpers.billing import invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
PassTime = Callable[[float], None]
Act = Callable[[Actor], Any]


def buy_seats(actor: Actor) -> None:
    billing.confirm_change(actor, billing.preview_change(actor, seats=9).token)


def upgrade(actor: Actor) -> None:
    billing.confirm_change(actor, billing.preview_change(actor, plan="enterprise").token)


def downgrade(actor: Actor) -> None:
    billing.confirm_change(actor, billing.preview_change(actor, plan="pro", when="period_end").token)


def cancel(actor: Actor) -> None:
    billing.cancel_subscription(actor)


def end(actor: Actor) -> None:
    billing.cancel_subscription(actor, at_once=True)


def keep(actor: Actor) -> None:
    billing.keep_subscription(actor)


def take_back(actor: Actor) -> None:
    billing.take_back_change(actor)


def pause(actor: Actor) -> None:
    billing.pause_subscription(actor, 1)


def resume(actor: Actor) -> None:
    billing.resume_subscription(actor)


# What is done, on which plan, after what, and what of the subscription it changes.
ACTS: list[tuple[Act, str, Act | None, Callable[[Subscription], Any]]] = [
    (buy_seats, "pro", None, lambda row: row.seats),
    (upgrade, "pro", None, lambda row: row.plan.code),
    (downgrade, "enterprise", None, lambda row: row.next_at is None),
    (take_back, "enterprise", downgrade, lambda row: row.next_at is None),
    (cancel, "pro", None, lambda row: row.cancel_at is None),
    (keep, "pro", cancel, lambda row: row.cancel_at is None),
    (end, "pro", None, lambda row: row.is_live),
    (pause, "pro", None, lambda row: row.status),
    (resume, "pro", pause, lambda row: row.status),
]
EACH = pytest.mark.parametrize(("act", "plan", "first", "what"), ACTS, ids=[f"{act.__name__}" for act, *_ in ACTS])


def fail(payments: Simulator, stripe_id: str, *, before: bool, times: int = 1) -> None:
    """The next change of the subscription is answered with 500, and so is its key from then on."""
    payments.do(
        "fail", times=times, matching=f"(POST|DELETE) /v1/subscriptions/{stripe_id}", replays="error", before=before
    )


@EACH
def test_what_was_made_all_the_same_is_found_at_once(
    payments: Simulator, org_a: Tenant, act: Act, plan: str, first: Act | None, what: Callable[[Subscription], Any]
) -> None:
    row = subscribe(payments, org_a, plan)
    if first:
        first(org_a.actor)
    before = what(subscription_of(org_a))
    fail(payments, row.stripe_id, before=False)
    act(org_a.actor)
    assert what(subscription_of(org_a)) != before
    assert {state for _, state in states(org_a)} == {"done"}


@EACH
def test_what_was_not_made_is_told_of_and_done_by_the_next_attempt(
    payments: Simulator, org_a: Tenant, act: Act, plan: str, first: Act | None, what: Callable[[Subscription], Any]
) -> None:
    row = subscribe(payments, org_a, plan)
    if first:
        first(org_a.actor)
    before = what(subscription_of(org_a))
    fail(payments, row.stripe_id, before=True)
    with pytest.raises(PaymentsUnavailable, match="is as it was"):
        act(org_a.actor)
    assert states(org_a)[-1][1] == OperationState.FAILED
    billing.refresh(org_a.id)
    assert what(subscription_of(org_a)) == before
    act(org_a.actor)
    assert what(subscription_of(org_a)) != before
    send_what_waits(org_a)
    assert [state for _, state in states(org_a)][-2:] == ["failed", "done"]


@pytest.mark.parametrize("is_made", [True, False])
def test_the_next_change_settles_one_that_failed_while_nobody_could_look(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    row = subscribe(payments, org_a)
    shown = billing.preview_change(org_a.actor, seats=9)
    fail(payments, row.stripe_id, before=not is_made)
    silence = Silence(monkeypatch, "find_made", is_done=False)
    with pytest.raises(PaymentsUnavailable):
        billing.confirm_change(org_a.actor, shown.token)
    assert states(org_a) == [("change_items", "sent")]
    silence.lasts = False
    billing.cancel_subscription(org_a.actor)
    assert states(org_a) == [("change_items", "done" if is_made else "failed"), ("cancel_at_end", "done")]
    assert (subscription_of(org_a).seats, subscription_of(org_a).cancel_at is None) == (9 if is_made else 3, False)


def test_a_change_that_was_made_is_never_asked_for_again(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(payments, org_a, interval="year")
    silence = Silence(monkeypatch, "change_items", is_done=True)
    shown = billing.preview_change(org_a.actor, seats=9)
    with pytest.raises(PaymentsUnavailable):
        billing.confirm_change(org_a.actor, shown.token)
    silence.is_done = False
    send_what_waits(org_a)
    assert states(org_a) == [("change_items", "done")], "found, for the call itself is not answered yet"
    assert (subscription_of(org_a).seats, len(invoices_of(org_a))) == (9, 2)


def test_lines_that_an_earlier_attempt_has_begun_to_bill_are_billed_with_an_end(
    payments: Simulator, org_a: Tenant
) -> None:
    row = subscribe(payments, org_a)
    customer = payments.client.v1.subscriptions.retrieve(row.stripe_id).customer
    line = {"customer": customer, "currency": "usd", "amount_minor": 700, "description": "Tokens"}
    gateway.create_invoice_item(**line, period_start=1_790_000_000, period_end=1_790_000_100, key="line")
    payments.do("fail", times=1, matching="/finalize", replays="error", before=True)
    with pytest.raises(PaymentsUnavailable):
        end(org_a.actor)
    assert subscription_of(org_a).is_live
    end(org_a.actor)
    billing.refresh(org_a.id)
    assert [(one.total_minor, one.status) for one in invoices_of(org_a)][1:] == [(700, "paid")]


def test_an_end_that_the_sdk_asks_for_twice_has_come(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    # A DELETE has no key: asked again after a failure, Stripe knows no such subscription any more.
    path = f"DELETE /v1/subscriptions/{row.stripe_id}"
    payments.do("fail", times=1, matching=path, replays="answer", before=False)
    end(org_a.actor)
    assert (subscription_of(org_a).is_live, states(org_a)) == (False, [("cancel_now", "done")])


def test_an_unknown_change_is_looked_for_by_its_name(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    cancel(org_a.actor)
    with tenancy.scope(org_a.id):
        operation = StripeOperation.objects.get(kind="cancel_at_end")
    assert gateway.find_made("cancel_at_end", operation.parameters, str(operation.pk)) == row.stripe_id
    keep(org_a.actor)
    assert gateway.find_made("cancel_at_end", operation.parameters, str(operation.pk)) == ""
