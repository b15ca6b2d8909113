"""Changes whose answers are lost: each has its effect once, in the order of the decisions, and none comes later."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.models import OperationState, Plan, StripeOperation, Subscription
from apps.billing.services import changes, operations, outbox, reconcile
from apps.billing.services.catalogue import prices_at_stripe
from apps.core import tenancy
from apps.core.errors import PaymentsUnavailable, PreviewOutdated, StripeRefused
from tests.helpers.billing import invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
PassTime = Callable[[float], None]


class Silence:
    """Calls of one kind that are not answered, while it lasts; whether they have their effect all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str, *, is_done: bool) -> None:
        self.lasts, self.is_done, self.call = True, is_done, getattr(gateway, kind)
        monkeypatch.setattr(gateway, kind, self._called)

    def _called(self, *values: Any, **named: Any) -> str:
        if self.lasts and not self.is_done:
            raise PaymentsUnavailable("No answer.")
        answer: str = self.call(*values, **named)
        if self.lasts:
            raise PaymentsUnavailable("No answer.")
        return answer


def send_what_waits(tenant: Tenant) -> None:
    """The outbox's next look, after its lease."""
    with tenancy.scope(tenant.id):
        StripeOperation.objects.update(next_at=Now())
    outbox.send_operations()


def states(tenant: Tenant) -> list[tuple[str, str]]:
    with tenancy.scope(tenant.id):
        rows = StripeOperation.objects.filter(parameters__has_key="subscription").order_by("created_at", "id")
        return list(rows.values_list("kind", "state"))


def ask(row: Subscription, kind: str, **more: Any) -> StripeOperation:
    with tenancy.scope(row.organization_id):
        parameters = {"subscription": row.stripe_id, **more}
        return operations.write_operation(row.organization_id, kind, f"{kind} of a test", parameters)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_cancellation_that_was_taken_back_never_comes_later(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    row = subscribe(payments, org_a)
    silence = Silence(monkeypatch, "cancel_at_end", is_done=is_done)
    with pytest.raises(PaymentsUnavailable):
        billing.cancel_subscription(org_a.actor)
    if not is_done:
        with pytest.raises(PaymentsUnavailable):
            billing.keep_subscription(org_a.actor)
        silence.lasts = False
    # What was done is found there, also where it is still not answered.
    assert billing.keep_subscription(org_a.actor).cancel_at is None
    assert states(org_a) == [("cancel_at_end", "done"), ("keep", "done")]
    send_what_waits(org_a)
    assert not payments.client.v1.subscriptions.retrieve(row.stripe_id).cancel_at_period_end


def test_a_cancellation_that_was_done_and_not_copied_can_be_taken_back(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = subscribe(payments, org_a)
    silence = Silence(monkeypatch, "list_subscriptions", is_done=False)
    with pytest.raises(PaymentsUnavailable):
        billing.cancel_subscription(org_a.actor)
    silence.lasts = False
    assert states(org_a) == [("cancel_at_end", "done")]
    billing.keep_subscription(org_a.actor)
    assert not payments.client.v1.subscriptions.retrieve(row.stripe_id).cancel_at_period_end


def test_two_decisions_at_the_same_moment_reach_stripe_in_their_order(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    ask(row, "cancel_at_end", reason="")
    operations.perform(ask(row, "keep"))
    assert states(org_a) == [("cancel_at_end", "done"), ("keep", "done")]
    assert not payments.client.v1.subscriptions.retrieve(row.stripe_id).cancel_at_period_end


def test_what_cannot_go_before_an_earlier_change_is_withdrawn(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = subscribe(payments, org_a)
    silence = Silence(monkeypatch, "cancel_at_end", is_done=False)
    ask(row, "cancel_at_end", reason="")
    later = ask(row, "keep")
    with pytest.raises(PaymentsUnavailable):
        operations.perform(later)
    assert states(org_a) == [("cancel_at_end", "sent"), ("keep", "failed")]
    with pytest.raises(StripeRefused):
        operations.perform(later)
    # As a second click has read it.
    later.state = OperationState.WAITING
    silence.lasts = False
    with pytest.raises(StripeRefused):
        operations.perform(later)
    assert states(org_a) == [("cancel_at_end", "done"), ("keep", "failed")]


def test_a_price_that_was_shown_before_another_change_is_not_charged(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    shown = billing.preview_change(org_a.actor, seats=9)
    write, other = changes.write_operation, [lambda: ask(row, "cancel_at_end", reason="")]

    def writes(*values: Any) -> StripeOperation:
        if other:
            other.pop()()
        return write(*values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "write_operation", writes)
        with pytest.raises(PreviewOutdated):
            billing.confirm_change(org_a.actor, shown.token)
    assert states(org_a) == [("cancel_at_end", "done"), ("change_items", "failed")]
    billing.refresh(org_a.id)
    assert (subscription_of(org_a).seats, subscription_of(org_a).cancel_at is None) == (3, False)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_change_whose_answer_was_lost_is_part_of_the_next_preview(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    subscribe(payments, org_a, interval="year")
    silence = Silence(monkeypatch, "change_items", is_done=is_done)
    shown = billing.preview_change(org_a.actor, seats=9)
    with pytest.raises(PaymentsUnavailable):
        billing.confirm_change(org_a.actor, shown.token)
    silence.lasts = False
    second = billing.preview_change(org_a.actor, seats=10)
    assert second.due_now_minor < shown.due_now_minor, "one seat more, and not seven"
    assert billing.confirm_change(org_a.actor, shown.token).seats == 9, "it is done, and not once more"
    billing.confirm_change(org_a.actor, second.token)
    send_what_waits(org_a)
    assert subscription_of(org_a).seats == 10
    assert len(list(payments.client.v1.charges.list({}).data)) == 3


# ---------------------------------------------------------------- downgrades that wait


def downgrade(payments: Simulator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, *, is_done: bool) -> Silence:
    """One that is to wait, and whose answer is lost."""
    subscribe(payments, tenant, "enterprise")
    shown = billing.preview_change(tenant.actor, plan="pro", when="period_end")
    silence = Silence(monkeypatch, "change_items", is_done=is_done)
    with pytest.raises(PaymentsUnavailable):
        billing.confirm_change(tenant.actor, shown.token)
    return silence


@pytest.mark.parametrize("is_done", [True, False])
def test_a_downgrade_waits_also_where_its_answer_was_lost(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, pass_time: PassTime, is_done: bool
) -> None:
    silence = downgrade(payments, org_a, monkeypatch, is_done=is_done)
    billing.refresh(org_a.id)  # an event of something else
    silence.lasts = False
    send_what_waits(org_a)
    row = subscription_of(org_a)
    assert (row.plan.code, row.next_price.plan.code, row.next_at) == ("enterprise", "pro", row.period_end)
    pass_time(32)
    billing.refresh(org_a.id)
    assert (subscription_of(org_a).plan.code, subscription_of(org_a).next_at) == ("pro", None)


def test_a_copy_that_was_read_before_the_downgrade_was_done_forgets_nothing(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = downgrade(payments, org_a, monkeypatch, is_done=False)
    silence.lasts, real = False, gateway.list_subscriptions
    with tenancy.scope(org_a.id):
        waiting = StripeOperation.objects.get(kind="change_items")

    def slow(customer: str) -> Any:
        found = real(customer)
        operations.perform(waiting)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "list_subscriptions", slow)
        billing.refresh(org_a.id)
    billing.refresh(org_a.id)
    assert (subscription_of(org_a).plan.code, subscription_of(org_a).next_price is None) == ("enterprise", False)


def test_a_downgrade_is_never_done_in_another_period(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, pass_time: PassTime
) -> None:
    silence = downgrade(payments, org_a, monkeypatch, is_done=False)
    monkeypatch.setattr(operations, "KEY_HOLDS", timedelta(days=40))
    pass_time(32)
    silence.lasts = False
    send_what_waits(org_a)
    assert states(org_a) == [("change_items", "failed")]
    row = subscription_of(org_a)
    assert (row.plan.code, row.next_at) == ("enterprise", None), "as it is paid for"


def test_what_was_given_up_waits_no_more(payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    downgrade(payments, org_a, monkeypatch, is_done=False)
    with tenancy.scope(org_a.id):
        StripeOperation.objects.update(first_sent_at=timezone.now() - operations.KEY_HOLDS - timedelta(minutes=1))
    send_what_waits(org_a)
    assert states(org_a) == [("change_items", "unknown")]
    assert subscription_of(org_a).next_at is None


def test_a_downgrade_that_was_refused_takes_none_back_that_was_confirmed_since(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, pass_time: PassTime
) -> None:
    subscribe(payments, org_a, "enterprise")
    shown = billing.preview_change(org_a.actor, plan="pro", when="period_end")
    real = changes.perform

    def refused(operation: StripeOperation) -> StripeOperation:
        monkeypatch.setattr(changes, "perform", real)
        operations.note(operation, state=OperationState.FAILED)
        other = billing.preview_change(org_a.actor, plan="pro", seats=4, when="period_end")
        billing.confirm_change(org_a.actor, other.token)
        raise StripeRefused("No.")

    monkeypatch.setattr(changes, "perform", refused)
    with pytest.raises(StripeRefused):
        billing.confirm_change(org_a.actor, shown.token)
    billing.refresh(org_a.id)
    row = subscription_of(org_a)
    assert (row.plan.code, row.next_at, row.next_seats) == ("enterprise", row.period_end, 4), "as it is paid for"
    pass_time(32)
    billing.refresh(org_a.id)
    assert (subscription_of(org_a).plan.code, subscription_of(org_a).seats) == ("pro", 4)


@pytest.mark.parametrize("after", [{"plan": "pro"}, {"seats": 6}], ids=["another plan", "fewer seats"])
def test_a_downgrade_goes_on_waiting_where_the_plan_includes_more_seats_meanwhile(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, after: dict[str, Any]
) -> None:
    subscribe(payments, org_a, "pro" if "seats" in after else "enterprise", seats=9 if "seats" in after else 5)
    before = subscription_of(org_a)
    shown = billing.preview_change(org_a.actor, when="period_end", **after)
    billing.confirm_change(org_a.actor, shown.token)
    waiting = subscription_of(org_a)
    assert (waiting.plan_id, waiting.seats, waiting.next_seats) == (before.plan_id, before.seats, shown.seats)
    Plan.objects.filter(code="pro").update(included_seats=F("included_seats") + 1)
    billing.refresh(org_a.id)
    row = subscription_of(org_a)
    assert (row.plan_id, row.seats, row.next_at) == (before.plan_id, before.seats, before.period_end), "paid for"
    assert (row.next_price.plan.code, row.next_seats) == ("pro", shown.seats + 1), "as it is billed from then on"
    pass_time(32)
    billing.refresh(org_a.id)
    row = subscription_of(org_a)
    assert (row.plan.code, row.seats, row.next_at) == ("pro", shown.seats + 1, None)


def raise_at_stripe(payments: Simulator, tenant: Tenant, seats: int) -> None:
    """As somebody does who works in Stripe's own dashboard, past us and without a proration."""
    row = subscription_of(tenant)
    at_stripe = payments.client.v1.subscriptions.retrieve(row.stripe_id)
    further = {item.price.id: item for item in at_stripe["items"].data}[prices_at_stripe(row.next_price).seat]
    quantity = further.quantity + seats - row.next_seats
    payments.client.v1.subscription_items.update(further.id, {"quantity": quantity, "proration_behavior": "none"})


@pytest.mark.parametrize(
    ("plan", "after", "raised", "waits"),
    [
        ("pro", {"seats": 6}, 8, True),
        ("pro", {"seats": 6}, 9, False),
        ("pro", {"seats": 6}, 12, False),
        ("enterprise", {"plan": "pro", "seats": 4}, 30, True),
        ("enterprise", {"plan": "pro", "seats": 4}, 100, False),
    ],
    ids=["still fewer", "as many as are paid for", "more", "a smaller plan's", "more than is paid for"],
)
def test_seats_of_a_downgrade_that_waits_are_raised_at_stripe(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, plan: str, after: dict[str, Any], raised: int, waits: bool
) -> None:
    subscribe(payments, org_a, plan, seats=9 if plan == "pro" else 25)
    shown = billing.preview_change(org_a.actor, when="period_end", **after)
    billing.confirm_change(org_a.actor, shown.token)
    paid = subscription_of(org_a)
    raise_at_stripe(payments, org_a, raised)
    billing.refresh(org_a.id)
    row = subscription_of(org_a)
    if waits:
        assert (row.plan_id, row.seats, row.next_at) == (paid.plan_id, paid.seats, paid.period_end), "as it is paid for"
        assert (row.next_price.plan.code, row.next_seats) == ("pro", raised), "as it is billed from then on"
    else:
        assert (row.plan.code, row.seats, row.next_at) == ("pro", raised, None), "more holds at once"
    pass_time(32)
    billing.refresh(org_a.id)
    row = subscription_of(org_a)
    assert (row.plan.code, row.seats, row.next_at) == ("pro", raised, None)
    assert invoices_of(org_a)[-1].subtotal_minor == row.price.of_period(raised)
    assert "subscription" not in {drift.kind for drift in reconcile.reconcile()}
