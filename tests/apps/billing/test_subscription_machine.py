"""Whatever people, cards, time and lost answers do to a subscription: one, as Stripe has it, at the price shown.

The machine changes, cancels, keeps, pauses and resumes, in any order and as it comes, while Stripe fails before or
after it has done what was asked. After every step it compares our copy with Stripe's own object; and no lock is ever
taken in another order than decision 30 says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.entitlements import Access
from apps.billing.models import Invoice, OperationState, Status, StripeCatalogue, StripeOperation, Subscription
from apps.billing.services import outbox
from apps.billing.services.changes import ChangePreview
from apps.core import metrics, tenancy
from apps.core.errors import Conflict, InvalidRequest, PaymentRefused, PaymentsUnavailable, PreviewOutdated
from tests.apps.billing.test_order_of_changes import send_what_waits
from tests.helpers.billing import subscribe, subscription_of
from tests.helpers.locks import in_order
from tests.helpers.people import Tenant, make_tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# What may be said to somebody who asks for something that cannot be done now.
REFUSALS = (Conflict, InvalidRequest, PaymentRefused, PaymentsUnavailable, PreviewOutdated)
NUMBERS = count(1)
Failure = tuple[bool, str] | None
failures: Any = st.sampled_from([None, None, (False, "error"), (True, "error"), (False, "answer"), (True, "answer")])
FULL = {Status.TRIALING: Access.FULL, Status.ACTIVE: Access.FULL, Status.PAUSED: Access.READ_ONLY}


class Life(RuleBasedStateMachine):
    payments: Simulator
    passed: list[timedelta]

    @initialize(plan=st.sampled_from(["pro", "enterprise"]), interval=st.sampled_from(["month", "month", "year"]))
    def begin(self, plan: str, interval: str) -> None:
        self.payments.reset()
        StripeCatalogue.objects.all().delete()
        self.passed.clear()
        self.tenant: Tenant = make_tenant(f"life-{next(NUMBERS)}")
        self.row = subscribe(self.payments, self.tenant, plan, interval=interval)
        self.shown: ChangePreview | None = None
        self.illegal = metrics.STRIPE_ILLEGAL_CHANGES._value.get()
        found = self.payments.client.v1.subscriptions.retrieve(self.row.stripe_id)
        self.card = str(found.default_payment_method)

    # ------------------------------------------------------------ what people do

    @rule(
        wanted=st.sampled_from(
            [{"seats": 4}, {"seats": 9}, {"seats": 40}, {"plan": "pro"}, {"plan": "enterprise"}, {"interval": "year"}]
        ),
        when=st.sampled_from(["now", "now", "period_end"]),
    )
    def look(self, wanted: dict[str, Any], when: str) -> None:
        with suppress(*REFUSALS), in_order():
            self.shown = billing.preview_change(self.tenant.actor, when=when, **wanted)

    @rule(fails=failures)
    def confirm(self, fails: Failure) -> None:
        """What was shown last, however long ago, and perhaps for the second time."""
        if self.shown is None:
            return
        before = self._invoices()
        self._let_stripe(fails)
        try:
            with in_order():
                row = billing.confirm_change(self.tenant.actor, self.shown.token)
        except REFUSALS:
            return
        made = [id for id in self._invoices() if id not in before]
        if self.shown.when == "now" and row.next_at is None and made:
            assert [self._invoices()[id] for id in made] == [self.shown.total_minor], "as it was shown"

    @rule(
        act=st.sampled_from(
            [
                billing.cancel_subscription,
                billing.keep_subscription,
                billing.resume_subscription,
                billing.take_back_change,
                lambda actor: billing.pause_subscription(actor, 1),
            ]
        ),
        fails=failures,
    )
    def act(self, act: Callable[[Any], Any], fails: Failure) -> None:
        self._let_stripe(fails)
        with suppress(*REFUSALS), in_order():
            act(self.tenant.actor)

    @rule(twice=st.booleans(), fails=failures)
    def end(self, twice: bool, fails: Failure) -> None:
        self._let_stripe(fails)
        for _ in range(1 + twice):
            with suppress(*REFUSALS), in_order():
                billing.cancel_subscription(self.tenant.actor, at_once=True)

    # ------------------------------------------------------------ what happens to them

    @rule(reason=st.sampled_from(["", "card_declined/insufficient_funds"]))
    def the_card(self, reason: str) -> None:
        self.payments.do("decline", payment_method=self.card, reason=reason)

    @rule(days=st.sampled_from([0.5, 6, 31]))
    def wait(self, days: float) -> None:
        """Nothing is left open for longer than Stripe keeps a key: other tests have what is."""
        self._settle()
        self.passed.append(timedelta(days=days))
        self.payments.advance(days=days)

    @rule()
    def the_outbox_looks(self) -> None:
        with in_order():
            send_what_waits(self.tenant)

    def _let_stripe(self, fails: Failure) -> None:
        """Fail at the next change, before or after it has made it; its key gets the failure or the answer then."""
        before, replays = fails or (False, "")
        values = {"times": 1 if fails else 0, "replays": replays, "before": before}
        self.payments.do("fail", matching="(POST|DELETE) /v1/subscriptions/", **values)

    def _settle(self) -> None:
        self.payments.do("fail", times=0)
        send_what_waits(self.tenant)

    def _invoices(self) -> dict[str, int]:
        found = self.payments.client.v1.invoices.list({"limit": 100}).data
        return {str(one.id): one.total for one in found if one.status not in {"draft", "void"}}

    # ------------------------------------------------------------ what holds

    @invariant()
    def there_is_one_and_it_is_stripes(self) -> None:
        self.payments.do("fail", times=0)
        with in_order():
            billing.refresh(self.tenant.id)
        row = subscription_of(self.tenant)
        remote = gateway.get_subscription(row.stripe_id)
        live = list(self.payments.client.v1.subscriptions.list({"limit": 100}).data)
        assert [one.id for one in live] == ([row.stripe_id] if row.is_live else [])
        with tenancy.scope(self.tenant.id):
            assert Subscription.objects.filter(is_live=True).count() == len(live)
        assert (row.cancel_at, row.period_end, row.ended_at) == (remote.cancel_at, remote.period_end, remote.ended_at)
        assert (row.status == Status.PAUSED) == (remote.is_paused and remote.status in {"active", "trialing"})
        assert metrics.STRIPE_ILLEGAL_CHANGES._value.get() == self.illegal
        access = billing.limits_of(self.tenant.id).access
        assert access == FULL.get(Status(row.status), access) if row.is_live else access == Access.FREE

    @invariant()
    def nothing_is_of_unknown_outcome(self) -> None:
        with tenancy.scope(self.tenant.id):
            rows = StripeOperation.objects.filter(parameters__subscription=self.row.stripe_id)
            assert not rows.filter(state=OperationState.UNKNOWN).exists()
            assert rows.filter(state__in=StripeOperation.UNDONE).count() <= 1

    @invariant()
    def what_was_charged_is_what_was_invoiced(self) -> None:
        charges = self.payments.client.v1.charges.list({"limit": 100}).data
        charged = sum(one.amount - one.amount_refunded for one in charges if one.status == "succeeded")
        paid = self.payments.client.v1.invoices.list({"limit": 100}).data
        assert charged == sum(one.amount_paid for one in paid)

    def teardown(self) -> None:
        if hasattr(self, "tenant"):
            self._settle()
            with tenancy.scope(self.tenant.id):
                assert not StripeOperation.objects.filter(state__in=StripeOperation.UNDONE).exists()
                stored = dict(Invoice.objects.values_list("stripe_id", "total_minor"))
            wanted = self._invoices()
            assert {id: stored[id] for id in stored if id in wanted}.items() <= wanted.items()


def test_a_subscription_is_one_and_stripes_whatever_happens(
    payments: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, so_much = timezone.now, list[timedelta]()
    monkeypatch.setattr(timezone, "now", lambda: real() + sum(so_much, timedelta()))
    assert outbox.send_operations() == 0

    class Ours(Life):
        passed = so_much

    Ours.payments = payments
    run_state_machine_as_test(
        Ours,
        settings=settings(
            max_examples=10, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
