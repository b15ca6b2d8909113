"""The staff console's page of revenue, its files, and the lists of what organizations pay."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Organization
from apps.billing import services as billing
from apps.core import tenancy
from apps.staff.abilities import SUPPORT
from apps.staff.views.revenue import last_months
from tests.helpers.money import give, make_exchange, make_invoice, make_order, make_payment, make_price
from tests.helpers.people import Tenant, make_tenant
from tests.helpers.staff import browser_of, make_staff

pytestmark = pytest.mark.django_db
LISTS = ["subscription", "invoice", "payment", "order", "stripeevent", "stripeoperation"]


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_staff("support", SUPPORT))


def page(browser: Client, **query: str) -> Any:
    answer = browser.get(reverse("staff:revenue"), query)
    assert answer.status_code == 200
    return answer


def file(browser: Client, **query: str) -> list[dict[str, str]]:
    answer = browser.get(reverse("staff:revenue_csv"), query)
    assert answer["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def sell(tenant: Tenant, price: Any) -> None:
    """A subscription with all that comes of it."""
    give(tenant, price)
    failed = {"status": "open", "remaining_minor": 2_500, "failed_at": timezone.now() - timedelta(days=2)}
    make_invoice(tenant, 2_500, price.currency, number=f"No {tenant.id}", **failed)
    make_payment(tenant, 900, price.currency, timezone.now(), order=make_order(tenant, 900, price.currency))
    make_exchange(tenant)


def test_an_installation_that_sells_nothing_says_so(browser: Client, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_API_BASE = ""
    text = page(browser).text
    assert "Payments are switched off here" in text
    assert "No organization has paid anything yet." in text
    assert "No payment waits." in text
    assert "<svg class" not in text
    assert file(browser) == file(browser, of="failed") == []


def test_each_currency_has_its_numbers_charts_and_tables(browser: Client, org_a: Tenant, org_b: Tenant) -> None:
    sell(org_a, make_price(123_400, 0, "USD"))
    sell(org_b, make_price(56_700, 0, "JPY"))
    billing.record_months()
    text = page(browser).text
    for shown in ("1,234.00", "56,700", "25.00", "9.00", "Org-A", "Org-B"):
        assert shown in text
    assert text.count('<svg class="figure-drawing"') == text.count("As a table") == 4
    assert text.count('<rect class="series-2"') == 2  # the running month's orders, in each currency
    assert text.count("<polyline") == 2
    assert reverse("staff:accounts_organization_change", args=[org_a.id]) in text
    assert "57,934" not in text


def test_no_more_questions_for_many_than_for_few(browser: Client, org_a: Tenant) -> None:
    price = make_price(1_000, 0, "USD")

    def questions() -> list[int]:
        found = []
        for name in ("revenue", "revenue_csv", *(f"billing_{name}_changelist" for name in LISTS)):
            with CaptureQueriesContext(connection) as asked:
                assert browser.get(reverse(f"staff:{name}")).status_code == 200
            found.append(len(asked))
        return found

    sell(org_a, price)
    few = questions()
    for number in range(12):
        sell(make_tenant(f"payer-{number}"), price)
    billing.record_months()
    assert questions() == few


def test_files_hold_exact_amounts_and_no_formulas(browser: Client, org_a: Tenant, org_b: Tenant) -> None:
    give(org_a, make_price(123_405, 0, "USD"))
    give(org_b, make_price(700, 0, "JPY"))
    evil = make_tenant("evil")
    with tenancy.scope(evil.id):
        Organization.objects.update(name="=HYPERLINK(1)")
    make_invoice(evil, 5, "USD", status="open", remaining_minor=5, failed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    rows = file(browser)
    assert [(row["currency"], row["end"], row["new"], row["customers"]) for row in rows] == [
        ("JPY", "700", "700", "0"),
        ("USD", "1234.05", "1234.05", "0"),
    ]
    [row] = file(browser, of="failed")
    assert row["organization"] == "'=HYPERLINK(1)"
    assert (row["open"], row["failed_at"]) == ("0.05", "2026-01-02T03:04:05+00:00")


def test_twelve_months_end_with_the_running_one() -> None:
    months = last_months(datetime(2026, 3, 1, tzinfo=UTC).date())
    assert [f"{month:%Y-%m}" for month in months[:2] + months[-1:]] == ["2025-04", "2025-05", "2026-03"]
    assert len(months) == 12


@pytest.mark.parametrize("name", ["subscription", "invoice", "payment", "order", "stripeoperation"])
def test_lists_of_money_are_searched(name: str, browser: Client, org_a: Tenant, org_b: Tenant) -> None:
    for tenant in (org_a, org_b):
        sell(tenant, make_price(1_000, 0, "USD"))
    found = browser.get(reverse(f"staff:billing_{name}_changelist"), {"q": "Org-A"}).text
    assert "Org-A" in found
    assert "Org-B" not in found


def test_a_plan_says_how_it_is_changed(browser: Client) -> None:
    price = make_price(1, 0, "USD")
    text = browser.get(reverse("staff:billing_plan_change", args=[price.plan.pk])).text
    assert f"manage.py plan {price.plan.code}" in text


def test_the_page_is_in_the_language_of_its_reader(org_a: Tenant, browser: Client) -> None:
    sell(org_a, make_price(2_000, 0, "USD"))
    browser.cookies["millrace_language"] = "zh-hans"
    text = page(browser).text
    for words in ("各月（CSV）", "每月末的 MRR", "失败的付款"):
        assert words in text
    assert "Months as CSV" not in text
