"""The ledger: held before the work, settled or released once after it, and never above the allowance."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from django.db.models import Q, Sum

from apps.billing import services as billing
from apps.billing.models import EntryKind, LedgerEntry, Plan, Subscription, UsagePeriod
from apps.billing.services import Charge
from apps.core import tenancy
from apps.core.errors import InsufficientQuota
from apps.core.tenancy import ScopeMissing
from tests.helpers.people import Tenant
from tests.helpers.plans import limits
from tests.helpers.threads import together

PRICES = {"input_price": Decimal("0.5"), "output_price": Decimal("1.5")}


def charge(prompt: int, completion: int) -> Charge:
    return Charge(prompt, completion, **PRICES)


def hold(tenant: Tenant, tokens: int, monthly: int = 1000, now: datetime | None = None) -> UUID:
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(job, billing.tokens(0, tokens), limits(monthly), now)
    return job


def sums(tenant: Tenant, month: date | None = None) -> tuple[int, int, int]:
    """(held, used, spent) of the running sums; proves on the way that they equal the entries' own."""
    with tenancy.scope(tenant.id):
        periods = list(UsagePeriod.objects.order_by("month"))
        for period in periods:
            assert (period.held_tokens, period.used_tokens, period.spent_micros) == recomputed(period.month)
        rows = [row for row in periods if month is None or row.month == month]
        return (
            sum(row.held_tokens for row in rows),
            sum(row.used_tokens for row in rows),
            sum(row.spent_micros for row in rows),
        )


def recomputed(month: date) -> tuple[int, int, int]:
    entries = LedgerEntry.objects.filter(month=month)
    closed = entries.exclude(kind=EntryKind.HOLD)
    found = entries.aggregate(
        held=Sum("tokens", filter=Q(kind=EntryKind.HOLD) & ~Q(job_id__in=closed.values("job_id")), default=0),
        used=Sum("tokens", filter=~Q(kind=EntryKind.HOLD), default=0),
        spent=Sum("amount_micros", default=0),
    )
    return found["held"], found["used"], found["spent"]


def test_a_hold_is_settled_with_what_was_used(org_a: Tenant) -> None:
    job = hold(org_a, 100)
    assert sums(org_a) == (100, 0, 0)
    with tenancy.scope(org_a.id):
        entry = billing.settle(job, charge(30, 20))
    assert (entry.tokens, entry.prompt_tokens, entry.completion_tokens) == (50, 30, 20)
    assert entry.amount_micros == 15_000 + 30_000
    assert sums(org_a) == (0, 50, 45_000)


def test_a_released_hold_costs_nothing(org_a: Tenant) -> None:
    job = hold(org_a, 100)
    with tenancy.scope(org_a.id):
        billing.release(job)
    assert sums(org_a) == (0, 0, 0)


def test_a_job_is_held_and_closed_once(org_a: Tenant) -> None:
    job = hold(org_a, 10)
    closes = (lambda: billing.settle(job, charge(1, 1)), lambda: billing.release(job))
    with pytest.raises(IntegrityError), tenancy.scope(org_a.id):
        billing.hold(job, billing.tokens(0, 10), limits(1000))
    with tenancy.scope(org_a.id):
        billing.settle(job, charge(1, 1))
    for close in closes:
        with pytest.raises(IntegrityError), tenancy.scope(org_a.id):
            close()
    assert sums(org_a) == (0, 2, 2_000)


def test_more_than_the_allowance_is_refused_and_leaves_nothing(org_a: Tenant) -> None:
    hold(org_a, 90, monthly=100)
    with pytest.raises(InsufficientQuota) as refused:
        hold(org_a, 11, monthly=100)
    assert (refused.value.status, refused.value.should_retry) == (429, False)
    hold(org_a, 10, monthly=100)
    assert sums(org_a) == (100, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_fifty_holds_at_once_never_exceed_the_allowance(org_a: Tenant) -> None:
    results = together([lambda: hold(org_a, 7, monthly=100)] * 50)
    refused = [result for result in results if isinstance(result, InsufficientQuota)]
    assert len(results) - len(refused) == 100 // 7
    assert {type(result) for result in results} == {UUID, InsufficientQuota}
    assert sums(org_a) == (98, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_settling_and_releasing_at_once_closes_once(org_a: Tenant) -> None:
    job = hold(org_a, 100)

    def close(number: int) -> LedgerEntry:
        with tenancy.scope(org_a.id):
            return billing.settle(job, charge(10, 10)) if number % 2 else billing.release(job)

    results = together([lambda number=number: close(number) for number in range(8)])
    assert [type(result) for result in results if not isinstance(result, IntegrityError)] == [LedgerEntry]
    assert sums(org_a)[0] == 0


def test_organizations_do_not_share_an_allowance(org_a: Tenant, org_b: Tenant) -> None:
    hold(org_a, 100, monthly=100)
    job = hold(org_b, 100, monthly=100)
    with pytest.raises(LedgerEntry.DoesNotExist), tenancy.scope(org_a.id):
        billing.release(job)
    with pytest.raises(ScopeMissing):
        billing.release(job)


def test_work_over_midnight_is_charged_in_the_month_of_its_hold(org_a: Tenant) -> None:
    last, first = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    job = hold(org_a, 100, monthly=100, now=last)
    with pytest.raises(InsufficientQuota, match="2026-12-01"):
        hold(org_a, 1, monthly=100, now=last)
    hold(org_a, 100, monthly=100, now=first)
    with tenancy.scope(org_a.id):
        billing.settle(job, charge(40, 40))
    assert sums(org_a, date(2026, 11, 1))[:2] == (0, 80)
    assert sums(org_a, date(2026, 12, 1))[:2] == (100, 0)


@pytest.mark.parametrize("seed", range(5))
def test_running_sums_equal_the_entries_after_any_sequence(org_a: Tenant, org_b: Tenant, seed: int) -> None:
    random, open_jobs = Random(seed), list[tuple[Tenant, UUID, int]]()
    for step in _steps(random, 40):
        if step == "hold":
            tenant, tokens = random.choice((org_a, org_b)), random.randint(0, 120)
            month = datetime(2026, random.randint(1, 3), 15, tzinfo=UTC)
            try:
                open_jobs.append((tenant, hold(tenant, tokens, monthly=400, now=month), tokens))
            except InsufficientQuota:
                continue
        elif open_jobs:
            tenant, job, tokens = open_jobs.pop(random.randrange(len(open_jobs)))
            prompt = random.randint(0, tokens)
            with tenancy.scope(tenant.id):
                if step == "settle":
                    billing.settle(job, charge(prompt, random.randint(0, tokens - prompt)))
                else:
                    billing.release(job)
        for tenant in (org_a, org_b):
            held = sums(tenant)[0]
            assert held == sum(tokens for owner, _, tokens in open_jobs if owner is tenant)


def _steps(random: Random, count: int) -> Iterator[str]:
    yield from random.choices(["hold", "settle", "release"], weights=[3, 2, 1], k=count)


def test_without_a_subscription_the_free_plan_applies(org_a: Tenant) -> None:
    pro = Plan.objects.get(code="pro")
    assert billing.limits_of(org_a.id).plan == "Free"
    with tenancy.scope(org_a.id):
        Subscription.objects.create(organization_id=org_a.id, plan=pro)
    assert billing.limits_of(org_a.id).plan == "Pro"


def test_the_summary_shows_this_month(org_a: Tenant) -> None:
    empty = billing.usage_summary(org_a.id)
    assert (empty.used, empty.held, empty.percent, empty.remaining) == (0, 0, 0, empty.allowance)
    out = empty.allowance // 2
    hold(org_a, out // 4, monthly=out)
    with tenancy.scope(org_a.id):
        job = uuid4()
        billing.hold(job, billing.tokens(40, 60), limits(out))
        billing.settle(job, charge(40, 20))
    summary = billing.usage_summary(org_a.id)
    assert (summary.used, summary.held, summary.percent) == (60, out // 4, 25)
    assert summary.remaining == summary.allowance - summary.used - summary.held
    assert summary.spent == Decimal("0.05")
    assert summary.resets_on > summary.month
