"""Killed at any statement, what is done with money has not happened, and done again it happens once."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import InterfaceError, connection

from apps.accounts.models import AuditEntry
from apps.billing import services as billing
from apps.billing.cloudevents import UsageEvent
from apps.billing.entitlements import Limits, Term, Terms
from apps.billing.models import (
    BillingAccount,
    BudgetPeriod,
    CreditEntry,
    CreditPack,
    LedgerEntry,
    Meter,
    MeterPeriod,
    Order,
    OrderKind,
    SpendingCap,
    StripeOperation,
    UsageAlert,
    UsageHour,
    UsagePeriod,
)
from apps.billing.services import Charge, Purpose, closing, credits
from apps.core import tenancy
from apps.core.models import Event
from tests.helpers.locks import in_order
from tests.helpers.people import Tenant

TABLES: tuple[Any, ...] = (
    AuditEntry,
    BudgetPeriod,
    CreditEntry,
    Event,
    LedgerEntry,
    MeterPeriod,
    SpendingCap,
    StripeOperation,
    UsageAlert,
    UsageHour,
    UsagePeriod,
)
OCTOBER, LATER = datetime(2026, 10, 15, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
IMAGES = Limits("Test", Terms("USD", {Meter.IMAGES: Term(1, Decimal(10_000), charged=True)}), 60, 1000, 10)
MOST_STATEMENTS = 200
Act = Callable[[], object]


class Killed(InterfaceError):
    """The process dies, and its connection with it."""


class KilledAt:
    """Lets so many statements pass, and dies at the next."""

    def __init__(self, passing: int) -> None:
        self.left, self.died = passing, False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not self.left and not self.died:
            self.died = True
            raise Killed(sql[:80])
        self.left -= 1
        return execute(sql, params, many, context)


def rows(tenant: Tenant) -> dict[str, list[Any]]:
    """Everything that money leaves behind."""
    with tenancy.scope(tenant.id):
        return {table.__name__: list(table.objects.order_by("pk").values()) for table in TABLES}


def counts(tenant: Tenant) -> dict[str, int]:
    return {name: len(found) for name, found in rows(tenant).items()}


def hold(tenant: Tenant, images: int = 3) -> Any:
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(job, {Meter.IMAGES: images}, IMAGES, OCTOBER, Purpose(tenant.member.pk))
    return job


def holding(tenant: Tenant) -> Act:
    """The same job each time, as a worker would ask again."""
    job = uuid4()

    def act() -> None:
        with tenancy.scope(tenant.id):
            billing.hold(job, {Meter.IMAGES: 3}, IMAGES, OCTOBER, Purpose(tenant.member.pk))

    return act


def settling(tenant: Tenant) -> Act:
    job = hold(tenant)

    def act() -> None:
        with tenancy.scope(tenant.id):
            billing.settle(job, Charge(quantity=2))

    return act


def releasing(tenant: Tenant) -> Act:
    job = hold(tenant)

    def act() -> None:
        with tenancy.scope(tenant.id):
            billing.release(job)

    return act


def reporting(tenant: Tenant) -> Act:
    told = [UsageEvent("test", f"event-{n}", Meter.IMAGES, n, OCTOBER) for n in range(1, 4)]

    def act() -> None:
        with tenancy.scope(tenant.id):
            billing.write_usage(told, now=OCTOBER)

    return act


def order_of(tenant: Tenant) -> Order:
    pack = CreditPack.objects.get(code="credit-usd-2")
    with tenancy.scope(tenant.id):
        order: Order = Order.objects.create(
            organization_id=tenant.id,
            kind=OrderKind.CREDITS,
            item_id=pack.pk,
            name=pack.name,
            currency="USD",
            amount_minor=pack.price_minor,
        )
    return order


def delivering(tenant: Tenant) -> Act:
    order = order_of(tenant)

    def act() -> None:
        with tenancy.scope(tenant.id):
            credits.deliver(order)

    return act


def taking_back(tenant: Tenant) -> Act:
    order = order_of(tenant)
    with tenancy.scope(tenant.id):
        credits.deliver(order)

    def act() -> None:
        with tenancy.scope(tenant.id):
            credits.take_back(order, 200)

    return act


def capping(tenant: Tenant) -> Act:
    return lambda: billing.set_cap(tenant.actor, 5_000_000)


def closing_a_month(tenant: Tenant) -> Act:
    credits.grant(tenant.id, "USD", 100_000, reference="test", note="")
    with tenancy.scope(tenant.id):
        BillingAccount.objects.update(stripe_id="cus_test")
    job = hold(tenant, images=50)
    with tenancy.scope(tenant.id):
        billing.settle(job, Charge(quantity=50))
    return lambda: closing.close_months(LATER)


def alerting(tenant: Tenant) -> Act:
    credits.grant(tenant.id, "USD", 10_000, reference="test", note="")
    settling(tenant)()
    return billing.tell_of_usage


# What is done, which kinds of rows it adds, and how many of each.
ACTS: list[tuple[Callable[[Tenant], Act], dict[str, int]]] = [
    (holding, {"LedgerEntry": 1}),
    (settling, {"LedgerEntry": 1, "UsageHour": 1}),
    (releasing, {"LedgerEntry": 1}),
    (reporting, {"LedgerEntry": 3, "UsageHour": 1}),
    (delivering, {"CreditEntry": 1, "AuditEntry": 1, "Event": 1}),
    (taking_back, {"CreditEntry": 1, "AuditEntry": 1, "Event": 1}),
    (capping, {"SpendingCap": 1, "AuditEntry": 1, "Event": 1}),
    (closing_a_month, {"CreditEntry": 1, "StripeOperation": 3, "AuditEntry": 2, "Event": 2}),
    (alerting, {"UsageAlert": 1, "AuditEntry": 1, "Event": 1}),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("make", "added"), ACTS, ids=[make.__name__ for make, _ in ACTS])
def test_killed_at_any_statement_it_has_not_happened(
    org_a: Tenant, make: Callable[[Tenant], Act], added: dict[str, int]
) -> None:
    act = make(org_a)
    before, kills = rows(org_a), 0
    for passing in range(MOST_STATEMENTS):
        kill = KilledAt(passing)
        with connection.execute_wrapper(kill), in_order(), suppress(Killed):
            act()
        if not kill.died:
            break
        kills += 1
        assert rows(org_a) == before, f"at statement {passing + 1}"
    else:
        raise AssertionError(f"It takes more than {MOST_STATEMENTS} statements.")
    assert kills >= 2
    after = counts(org_a)
    for name, number in added.items():
        assert after[name] - len(before[name]) == number, name
