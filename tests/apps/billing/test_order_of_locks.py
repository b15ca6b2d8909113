"""The watch over the order of locks sees what is locked too late, and nothing in what is right."""

from __future__ import annotations

from typing import Any

import pytest

from apps.billing.models import BillingAccount, Order, UsagePeriod
from apps.billing.services.accounts import lock_account
from apps.core import tenancy
from tests.helpers.locks import in_order, locked_by
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db(transaction=True)


def lock(table: Any) -> None:
    list(table.objects.select_for_update())


def test_what_is_locked_in_its_order_is_right(org_a: Tenant) -> None:
    with in_order(), tenancy.scope(org_a.id):
        lock_account(org_a.id)
        lock(UsagePeriod)
        lock(Order)
        lock(BillingAccount)


def test_another_transaction_begins_anew(org_a: Tenant) -> None:
    with in_order() as order:
        for table in (UsagePeriod, BillingAccount):
            with tenancy.scope(org_a.id):
                lock(table)
    assert order.transactions == 2


@pytest.mark.parametrize(("first", "second"), [(UsagePeriod, BillingAccount), (Order, BillingAccount)])
def test_what_is_locked_too_late_is_told_of(org_a: Tenant, first: Any, second: Any) -> None:
    with (
        pytest.raises(AssertionError, match=f"{second._meta.db_table} after {first._meta.db_table}"),
        in_order(),
        tenancy.scope(org_a.id),
    ):
        lock(first)
        lock(second)


def test_only_what_is_locked_counts() -> None:
    assert locked_by('SELECT 1 FROM "billing_billingaccount" WHERE true') == []
    assert locked_by('SELECT 1 FROM "billing_billingaccount" FOR NO KEY UPDATE') == ["billing_billingaccount"]
    assert locked_by("WITH a AS (UPDATE billing_usageperiod SET x = 1) INSERT INTO billing_usagehour AS hour (id)") == [
        "billing_usageperiod",
        "billing_usagehour",
    ]
