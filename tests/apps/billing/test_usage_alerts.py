"""People are told of allowances, caps and credits that are being used up: each level once, and nobody else's."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail as django_mail
from django.utils import timezone

from apps.accounts.models import Membership
from apps.billing import services as billing
from apps.billing.entitlements import Limits, Term, Terms, month_of
from apps.billing.models import Meter, MeterPeriod, Overage, Plan, PlanAllowance, SpendingCap, UsageAlert, UsagePeriod
from apps.billing.services import Charge, credits
from apps.billing.services.usage_alerts import LEVELS, level_of
from apps.core import mail, tenancy
from apps.core.errors import CapReached
from tests.helpers.people import Tenant, audit_of, events_of
from tests.helpers.threads import together

DOLLAR = 1_000_000
OURS = {"allowance.reached", "spending_cap.reached", "credits.low"}


@pytest.fixture
def sent(transactional_db: None) -> Iterator[Any]:
    """`sent()`: looks for what people are to be told, sends it, and returns (subject, recipient) of each mail."""

    def look() -> list[tuple[str, str]]:
        django_mail.outbox.clear()
        billing.tell_of_usage()
        mail.deliver_due()
        return sorted((message.subject, message.to[0]) for message in django_mail.outbox)

    yield look


def include(images: int, code: str = "free") -> None:
    PlanAllowance.objects.update_or_create(
        plan=Plan.objects.get(code=code), meter=Meter.IMAGES, defaults={"included": images, "overage": Overage.STOP}
    )


def use(tenant: Tenant, images: int, included: int = 10**9) -> None:
    """Uses images that cost a dollar each beyond what is included."""
    terms = Terms("USD", {Meter.IMAGES: Term(included, Decimal(DOLLAR), charged=True)})
    limits = Limits("Test", terms, requests_per_minute=60, tokens_per_minute=1000, max_queued=10)
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(job, {Meter.IMAGES: images}, limits)
        billing.settle(job, Charge(quantity=images))


def give(tenant: Tenant, dollars: int) -> None:
    credits.grant(tenant.id, "USD", dollars * DOLLAR, reference=str(uuid4()), note="")


def told(tenant: Tenant) -> list[str]:
    return [name for name in events_of(tenant) if name in OURS]


def percents(tenant: Tenant, action: str) -> list[int]:
    return [entry.detail["percent"] for entry in audit_of(tenant, action)]


@pytest.mark.parametrize(
    ("used", "whole", "level"),
    [(0, 10, 0), (49, 100, 0), (50, 100, 50), (799, 1000, 50), (8, 10, 80), (10, 10, 100), (11, 10, 100), (1, 0, 0)],
)
def test_a_level_is_reached_exactly(used: int, whole: int, level: int) -> None:
    assert level_of(used, whole, LEVELS) == level


def test_owners_are_told_of_an_allowance_at_50_80_and_100_percent_once_each(org_a: Tenant, sent: Any) -> None:
    include(100)
    use(org_a, 49)
    assert sent() == []
    use(org_a, 1)
    assert sent() == [("50 % of what your plan includes of “Images” are used", org_a.owner.email)]
    assert sent() == []
    use(org_a, 50)
    assert sent() == [("What your plan includes of “Images” is used up", org_a.owner.email)]
    assert sent() == []
    assert percents(org_a, "allowance.reached") == [50, 100]
    assert [entry.actor_kind for entry in audit_of(org_a, "allowance.reached")] == ["system"] * 2
    assert told(org_a) == ["allowance.reached"] * 2


def test_the_mail_says_how_much_is_used_of_what(org_a: Tenant, sent: Any) -> None:
    include(1000)
    use(org_a, 800)
    sent()
    assert "has used 800 images this month, of 1,000 images that the plan includes" in django_mail.outbox[0].body


def test_a_plan_that_includes_more_is_told_of_anew(org_a: Tenant, sent: Any) -> None:
    include(100)
    use(org_a, 90)
    assert len(sent()) == 1
    include(1000)
    assert sent() == []
    use(org_a, 810)
    assert sent() == [("80 % of what your plan includes of “Images” are used", org_a.owner.email)]


def test_a_meter_without_an_allowance_is_not_told_of(org_a: Tenant, sent: Any) -> None:
    include(0)
    use(org_a, 5)
    assert sent() == []


def test_what_is_held_is_not_told_of_before_it_is_used(org_a: Tenant, sent: Any) -> None:
    include(100)
    limits = Limits("Test", Terms("USD", {Meter.IMAGES: Term(100)}), 60, 1000, 10)
    with tenancy.scope(org_a.id):
        billing.hold(uuid4(), {Meter.IMAGES: 100}, limits)
    assert sent() == []


def test_the_cap_counts_what_credits_do_not_pay_for(org_a: Tenant, sent: Any) -> None:
    include(0)
    give(org_a, 10)
    billing.set_cap(org_a.actor, 10 * DOLLAR)
    use(org_a, 4, included=0)
    assert sent() == []
    use(org_a, 11, included=0)
    assert sent() == [
        ("50 % of your spending cap are used", org_a.owner.email),
        ("Your credits are used up", org_a.owner.email),
    ]
    [entry] = audit_of(org_a, "spending_cap.reached")
    assert (entry.detail["charged"], entry.detail["cap"]) == ("5.000000", "10.000000")
    billing.set_cap(org_a.actor, 20 * DOLLAR)
    assert sent() == []
    use(org_a, 11, included=0)
    assert sent() == [("80 % of your spending cap are used", org_a.owner.email)]


def test_credits_are_told_of_at_a_fifth_a_tenth_and_nothing_and_anew_with_new_ones(org_a: Tenant, sent: Any) -> None:
    include(0)
    give(org_a, 10)
    assert sent() == []
    for used, subject in ((7, ""), (1, "20 % of your credits are left"), (1, "10 % of your credits are left")):
        use(org_a, used, included=0)
        assert sent() == ([(subject, org_a.owner.email)] if subject else [])
    give(org_a, 9)
    assert sent() == []
    use(org_a, 8, included=0)
    assert sent() == [("20 % of your credits are left", org_a.owner.email)]
    use(org_a, 2, included=0)
    assert sent() == [("Your credits are used up", org_a.owner.email)]
    assert percents(org_a, "credits.low") == [80, 90, 80, 100]


def test_a_month_that_is_closed_changes_nothing_about_credits(org_a: Tenant, sent: Any) -> None:
    """What it owed is drawn then, and so what is left stays what it was."""
    give(org_a, 10)
    month = month_of(timezone.now()).replace(day=1, year=2025)
    with tenancy.scope(org_a.id):
        UsagePeriod.objects.create(organization_id=org_a.id, month=month)
        MeterPeriod.objects.create(
            organization_id=org_a.id, month=month, meter=Meter.IMAGES, used=9, charged_micros=9 * DOLLAR
        )
    assert sent() == [("10 % of your credits are left", org_a.owner.email)]
    with tenancy.scope(org_a.id):
        credits.draw("2025-11", "USD", 9 * DOLLAR)
        UsagePeriod.objects.filter(month=month).update(closed_at=timezone.now())
    assert sent() == []


def test_a_cap_in_another_currency_than_is_paid_in_is_not_told_of(org_a: Tenant, sent: Any) -> None:
    include(0)
    with tenancy.scope(org_a.id):
        SpendingCap.objects.create(organization_id=org_a.id, currency="EUR", cap_micros=DOLLAR)
    with pytest.raises(CapReached):
        use(org_a, 5, included=0)
    assert sent() == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_look_at_once_tell_once(org_a: Tenant, org_b: Tenant) -> None:
    include(100)
    give(org_a, 10)
    for tenant in (org_a, org_b):
        use(tenant, 90)
    use(org_a, 9, included=0)
    assert sum(together([billing.tell_of_usage] * 8)) == 3
    assert sorted(told(org_a)) == ["allowance.reached", "credits.low"]
    assert told(org_b) == ["allowance.reached"]


def test_nothing_is_noted_where_telling_fails(org_a: Tenant, sent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    include(100)
    use(org_a, 80)
    with monkeypatch.context() as broken:
        broken.setattr("apps.billing.services.usage_alerts.events.record", _fail)
        with pytest.raises(OSError, match="lost"):
            billing.tell_of_usage()
    with tenancy.scope(org_a.id):
        assert not UsageAlert.objects.exists()
    assert len(sent()) == 1


def _fail(*_: Any) -> None:
    raise OSError("the connection was lost")


def test_only_owners_who_are_still_there_are_told(org_a: Tenant, org_b: Tenant, sent: Any) -> None:
    include(100)
    use(org_a, 80)
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.owner).delete()
    assert sent() == []
    assert told(org_b) == []
