"""Prices for anybody: the page and the API show the rows, add up exactly, and ask the database rarely."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from apps.billing import catalogue as catalogues
from apps.billing import units
from apps.billing.catalogue import Price, SoldPlan, catalogue
from apps.billing.models import CreditPack, Meter, Plan, PlanPrice
from apps.billing.pricing import Choice, choice_of, quote, saving
from apps.core.templatetags import ui
from tests.helpers.people import Tenant

ENGLISH = {"accept-language": "en"}


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    catalogues.forget()
    yield
    catalogues.forget()


def plan_of(**facts: Any) -> SoldPlan:
    plain: dict[str, Any] = {"code": "x", "name": "X", "description": "", "trial_days": 0, "included_seats": 3}
    plain |= {"max_seats": 10, "features": (), "requests_per_minute": 1, "max_running": 1, "max_passages": 1}
    prices = (Price("month", "USD", 2_900, 900), Price("year", "USD", 29_000, 9_000), Price("month", "JPY", 500, 100))
    return SoldPlan(**(plain | {"prices": prices, "allowances": (), "rates": ()} | facts))


@pytest.mark.parametrize(
    ("interval", "seats", "total"),
    [("month", 1, 2_900), ("month", 3, 2_900), ("month", 4, 3_800), ("year", 10, 29_000 + 7 * 9_000)],
)
def test_seats_beyond_those_included_are_added_exactly(interval: str, seats: int, total: int) -> None:
    found = quote(plan_of(), Choice(interval, "USD", seats))
    assert found is not None
    assert (found.total_minor, found.interval) == (total, interval)


def test_what_cannot_be_bought_has_no_price() -> None:
    assert quote(plan_of(), Choice("month", "USD", 11)) is None
    assert quote(plan_of(), Choice("month", "EUR", 1)) is None
    by_the_month = quote(plan_of(), Choice("year", "JPY", 1))
    assert by_the_month is not None
    assert by_the_month.interval == "month"


def test_savings_are_rounded_down_and_never_invented() -> None:
    assert saving(plan_of(), Choice("year", "USD", 3)) == 16  # ten months for twelve: 16.67 %
    assert saving(plan_of(), Choice("year", "JPY", 3)) == 0
    dearer = (Price("month", "USD", 100, 0), Price("year", "USD", 1_300, 0))
    assert saving(plan_of(prices=dearer), Choice("year", "USD", 1)) == 0


@pytest.mark.parametrize(
    ("given", "languages", "expected"),
    [
        ({}, ["en"], Choice("month", "USD", 1)),
        ({}, ["zh-hans", "en"], Choice("month", "CNY", 1)),
        ({}, ["de-at", "en"], Choice("month", "EUR", 1)),
        ({"currency": "cny", "interval": "year", "seats": "12"}, ["de"], Choice("year", "CNY", 12)),
        ({"currency": "ABC", "interval": "week", "seats": "-3"}, [], Choice("month", "USD", 1)),
        ({"seats": "999999999999"}, [], Choice("month", "USD", 100_000)),
        ({"seats": "٣"}, [], Choice("month", "USD", 1)),
    ],
)
def test_the_address_decides_and_otherwise_the_language(given: Any, languages: list[str], expected: Choice) -> None:
    assert choice_of(given, ["USD", "CNY", "EUR"], languages) == expected


@pytest.mark.parametrize(
    ("minor", "currency", "full", "brief"),
    [
        (2_900, "USD", "$29.00", "$29"),
        (2_950, "EUR", "€29.50", "€29.50"),
        (500, "JPY", "¥500", "¥500"),
        (1_234_500, "KWD", "KWD 1,234.500", "KWD 1,234.500"),
        (-150, "USD", "−$1.50", "−$1.50"),
        (Decimal("0.25"), "USD", "$0.0025", None),
        (0, "VND", "VND 0", "VND 0"),
    ],
)
def test_minor_units_are_shown_with_their_currencys_decimals(
    minor: Any, currency: str, full: str, brief: str | None
) -> None:
    assert ui.minor(minor, currency) == full
    assert brief is None or ui.price(minor, currency) == brief


@pytest.mark.parametrize(
    ("meter", "amount", "words", "for_each"),
    [
        (Meter.TOKENS_IN, 1_000_000, "1,000,000 tokens", "1,000,000 tokens"),
        (Meter.BOT_RESOLUTIONS, 1, "1 resolution", "resolution"),
        (Meter.TRAINING_SECONDS, 3_600, "1 h", "hour"),
        (Meter.TRAINING_SECONDS, 1_000_000, "277 h 46 min 40 s", "277 h 46 min 40 s"),
        (Meter.CAMERA_MINUTES, 1_000, "1,000 camera minutes", "1,000 camera minutes"),
    ],
)
def test_quantities_are_said_in_units_that_people_use(meter: str, amount: int, words: str, for_each: str) -> None:
    assert units.quantity(meter, amount) == words
    assert units.per(meter, amount) == for_each


def text_of(client: Client, query: str = "", **headers: str) -> str:
    response = client.get(reverse("pricing") + query, headers=ENGLISH | headers)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_a_stranger_reads_every_price_of_the_rows(db: None) -> None:
    text = text_of(Client(), "?seats=5&interval=month&currency=USD")
    assert "$47 a month" in text  # 2900 + 2 × 900
    assert "$29 + 2 × $9" in text
    assert "$0.50 per 1,000,000 tokens" in text
    assert "$2.40 per hour" in text
    assert "14 days free on trial" in text
    assert "20,000,000 tokens" in text
    yearly = text_of(Client(), "?seats=5&interval=year&currency=EUR")
    assert "€440 a year" in yearly  # ten months of 27.00 + 2 × 8.50
    assert "saves 16 % against monthly" in yearly


def test_a_changed_row_changes_the_page_and_what_is_not_public_stays_away(db: None) -> None:
    PlanPrice.objects.filter(plan__code="pro", interval="month", currency="USD").update(is_active=False)
    PlanPrice.objects.create(
        plan=Plan.objects.get(code="pro"), interval="month", currency="USD", base_minor=3_333, seat_minor=0
    )
    Plan.objects.filter(code="enterprise").update(is_public=False)
    CreditPack.objects.filter(currency="USD").update(is_active=False)
    text = text_of(Client(), "?currency=USD")
    assert "$33.33" in text
    assert "$29 " not in text
    assert "Enterprise" not in text
    assert "Prepaid credit For use" not in text


def test_no_plan_at_all_is_said(db: None) -> None:
    Plan.objects.update(is_public=False)
    assert "Nothing is sold here" in text_of(Client())


def test_the_visitors_language_chooses_the_currency(db: None) -> None:
    response = Client().get(reverse("pricing"), headers={"accept-language": "fr-FR,fr;q=0.9"})
    assert 'aria-current="true">EUR' in response.content.decode()
    assert "accept-language" in response["vary"].lower()
    assert 'aria-current="true">CNY' in Client().get(reverse("pricing"), headers={"accept-language": "zh-CN"}).text


def test_choosing_leads_to_signing_up_or_to_ones_plan(org_a: Tenant, client_of: Any) -> None:
    assert f'href="{reverse("account_signup")}">Choose' in Client().get(reverse("pricing"), headers=ENGLISH).text
    owners = client_of(org_a.owner).get(reverse("pricing"), headers=ENGLISH).text
    assert re.search(r'href="/settings/billing/plan/\?[^"]+plan=\w+">Choose', owners)
    members = client_of(org_a.member).get(reverse("pricing"), headers=ENGLISH).text
    assert "Whoever manages billing" in members
    assert ">Choose" not in members


def test_an_outsider_without_an_organization_reads_it_too(outsider: Any, client_of: Any) -> None:
    assert "Whoever manages billing" in text_of(client_of(outsider))


def test_what_is_asked_of_the_database_is_constant(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(4):  # plans with all that is theirs, and packs, within a savepoint
        catalogue()
    with django_assert_num_queries(0):
        text_of(Client())


def test_a_database_that_is_away_leaves_the_last_answer(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalogue()

    def away() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(catalogues, "_read", away)
    monkeypatch.setattr(catalogues, "KEPT_SECONDS", 0.0)
    assert catalogue() == before
    catalogues.forget()
    with pytest.raises(DatabaseError):
        catalogue()


def test_the_api_gives_the_same_rows_without_a_key(db: None) -> None:
    response = Client().get("/api/v1/plans")
    assert response.status_code == 200
    assert response["cache-control"].startswith("public")
    body = response.json()
    [pro] = [plan for plan in body["plans"] if plan["code"] == "pro"]
    assert {"interval": "year", "currency": "USD", "base_minor": 29_000, "seat_minor": 9_000} in pro["prices"]
    assert {"meter": "images", "currency": "EUR", "per": 100, "price_minor": "75.000000"} in pro["rates"]
    assert {"meter": "images", "included": 5_000, "overage": "charge"} in pro["allowances"]
    assert pro["max_seats"] == 200
    assert [plan["max_seats"] for plan in body["plans"] if plan["code"] == "enterprise"] == [None]
    assert {pack["currency"] for pack in body["credit_packs"]} == {"USD", "EUR", "CNY"}
