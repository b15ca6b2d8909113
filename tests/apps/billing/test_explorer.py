"""Usage by meter: each shown apart, narrowed by what it is of, with its lines and in the export."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.billing import services as billing
from apps.billing.cloudevents import UsageEvent
from apps.billing.models import Spender, UsagePeriod
from apps.billing.usage import GROUPINGS, Filters, breakdown
from apps.core import tenancy
from tests.apps.billing.test_budgets import team_of
from tests.apps.billing.test_usage import Browser, export_of, month_of_usage, text_of, use
from tests.helpers.people import Tenant


def reported(tenant: Tenant, id: str, quantity: int, meter: str, subject: str, model: str = "") -> None:
    moment = timezone.now() - timedelta(seconds=1)
    event = UsageEvent("/farm", id, meter, quantity, moment, subject, model)
    with tenancy.scope(tenant.id):
        billing.write_usage([event])


def test_meters_are_shown_apart_and_each_leads_to_its_lines(org_a: Tenant, client_of: Browser) -> None:
    team = team_of(org_a, org_a.member)
    use(org_a, org_a.member, 30, 12)
    reported(org_a, "1", 5, "images", org_a.member.email, "sketch")
    reported(org_a, "2", 7, "images", org_a.admin.email)
    reported(org_a, "3", 900, "training_seconds", org_a.admin.email)
    browser = client_of(org_a.owner)
    page = browser.get("/settings/usage/")
    assert page.context["by"] == "meter"
    found = {str(line.name): line for line in page.context["found"].lines}
    assert {name: (line.totals.tokens, line.totals.quantity) for name, line in found.items()} == {
        "Text generation": (42, 0),
        "Images": (0, 12),
        "Training time": (0, 900),
    }
    for line in found.values():
        rows = browser.get(f"/settings/usage/ledger/?{line.query}").context["page"].rows
        assert sum(row.quantity + row.tokens for row in rows) == line.totals.quantity + line.totals.tokens
    for by, wanted in {
        "member": {org_a.admin.email: 7, org_a.member.email: 5},
        "model": {"sketch": 5, "Unknown": 7},
        "team": {team.name: 5},
    }.items():
        lines = browser.get(f"/settings/usage/?meter=images&by={by}").context["found"].lines
        assert {str(line.name): line.totals.quantity for line in lines} == wanted
        for line in lines:
            shown = browser.get(f"/settings/usage/ledger/?{line.query}")
            assert sum(row.quantity for row in shown.context["page"].rows) == line.totals.quantity
            assert shown.context["total"].quantity == line.totals.quantity
    with tenancy.scope(org_a.id):
        of_team = breakdown(Filters(month_of_usage(org_a)), "team").lines
    assert [(line.totals.requests, line.totals.tokens, line.totals.quantity) for line in of_team] == [(2, 42, 5)]


def test_a_late_line_says_of_which_month_it_is(org_a: Tenant, client_of: Browser) -> None:
    now = timezone.now()
    before = now.replace(day=1) - timedelta(days=1)
    with tenancy.scope(org_a.id):
        UsagePeriod.objects.create(organization_id=org_a.id, month=before.date().replace(day=1), closed_at=now)
        billing.write_usage([UsageEvent("/farm", "late", "images", 3, before)])
    shown = text_of(client_of(org_a.owner).get("/settings/usage/ledger/"))
    assert "/farm · late" in shown
    assert f"reported after {before:%B %Y} was closed, so it counts here" in shown


def test_the_api_breaks_a_meter_down(org_a: Tenant, client_of: Browser) -> None:
    use(org_a, org_a.member, 30, 12)
    reported(org_a, "1", 5, "images", org_a.member.email)
    ask = client_of(org_a.owner).get
    all_of_them = ask("/api/v1/usage/breakdown?by=meter").json()
    assert {line["name"]: (line["quantity"], line["tokens"]) for line in all_of_them["lines"]} == {
        "Text generation": (0, 42),
        "Images": (5, 0),
    }
    assert (all_of_them["total"]["quantity"], all_of_them["total"]["tokens"]) == (None, 42)
    images = ask("/api/v1/usage/breakdown?meter=images&by=member").json()
    assert [(line["name"], line["quantity"], line["charges"]) for line in images["lines"]] == [
        (org_a.member.email, 5, {})
    ]
    assert images["total"]["quantity"] == 5
    assert ask("/api/v1/usage/breakdown?meter=text").json()["total"]["tokens"] == 42


def test_pages_ask_at_most_twelve_questions(org_a: Tenant, client_of: Browser) -> None:
    """Beside those that every page asks: who it is, and what they may."""
    team = team_of(org_a, org_a.member)
    use(org_a, org_a.member, 10, 1, key=org_a.api_key)
    reported(org_a, "1", 5, "images", org_a.member.email)
    browser = client_of(org_a.owner)
    with tenancy.scope(org_a.id):
        spender = Spender.objects.get(user=org_a.member).pk
    narrow = f"meter=images&member={spender}&key={org_a.api_key.pk}&model=x&team={team.pk}"
    for path in [f"?by={by}" for by in GROUPINGS] + [f"?{narrow}", f"ledger/?{narrow}", "ledger/"]:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(f"/settings/usage/{path}").status_code == 200
        asked = [query["sql"] for query in captured if "billing_" in query["sql"] or "accounts_team" in query["sql"]]
        assert len(asked) <= 12, f"{path}: {len(asked)}"


def test_a_teams_sums_ask_nothing_of_the_ledger(org_a: Tenant, client_of: Browser) -> None:
    team = team_of(org_a, org_a.member)
    use(org_a, org_a.member, 10, 1)
    reported(org_a, "1", 5, "images", org_a.member.email)
    use(org_a, org_a.admin, 1_000, 1)
    browser = client_of(org_a.owner)
    for path, tokens in {"?by=team": 1_012, f"?by=member&team={team.pk}": 11}.items():
        with CaptureQueriesContext(connection) as captured:
            found = browser.get(f"/settings/usage/{path}").context["found"]
        assert found.total.tokens == tokens
        assert sum(totals.tokens for totals in found.days.values()) == tokens
        assert [line.totals.tokens for line in found.lines] == [11]
        asked = [query["sql"] for query in captured if "billing_ledgerentry" in query["sql"]]
        assert not [sql for sql in asked if "SUM(" in sql or "COUNT(" in sql]
    exported = export_of(browser, team=str(team.pk))
    assert org_a.member.email in exported
    assert org_a.admin.email not in exported


def test_an_export_has_every_meter_or_the_one_that_is_shown(org_a: Tenant, client_of: Browser) -> None:
    use(org_a, org_a.member, 10, 5)
    reported(org_a, "1", 4, "images", org_a.member.email)
    browser = client_of(org_a.owner)
    whole = list(csv.DictReader(io.StringIO(export_of(browser))))
    assert {(row["meter"], row["tokens"], row["quantity"]) for row in whole} == {
        ("text", "15", "0"),
        ("images", "0", "4"),
    }
    images = list(csv.DictReader(io.StringIO(export_of(browser, meter="images"))))
    assert [(row["meter"], row["charge"], row["charge_currency"]) for row in images] == [("images", "0.000000", "USD")]


@pytest.mark.parametrize("month", ["9999-12", "0000-01", "2026-13", "x"])
def test_a_month_that_cannot_be_is_refused(org_a: Tenant, client_of: Browser, month: str) -> None:
    for path in ("/settings/usage/", "/settings/usage/ledger/"):
        assert client_of(org_a.owner).get(path, {"month": month}).status_code == 400


def test_the_hours_are_read_once_for_the_page_and_once_more_for_its_lines(org_a: Tenant, client_of: Browser) -> None:
    use(org_a, org_a.member, 30, 12)
    long_ago = timezone.now() - timedelta(days=20)
    with tenancy.scope(org_a.id):
        billing.write_usage(
            [UsageEvent("/farm", f"d{n}", "images", 9, long_ago + timedelta(days=n)) for n in range(20)]
        )
    browser = client_of(org_a.owner)
    for by, times in {"meter": 1, "day": 1, "member": 2, "key": 2, "model": 2}.items():
        with CaptureQueriesContext(connection) as captured:
            page = browser.get(f"/settings/usage/?by={by}")
        reads = [one for one in captured.captured_queries if 'FROM "billing_usagehour"' in one["sql"]]
        assert (by, len(reads)) == (by, times)
        assert page.context["forecast"] == billing.forecast_of(org_a.id)
        assert {each.meter for each in page.context["forecast"].meters} >= {"images"}
        month = sum(totals.requests for day, totals in page.context["found"].days.items())
        assert month == page.context["found"].total.requests
        assert all(day >= timezone.now().date().replace(day=1) for day in page.context["found"].days)


def test_time_is_shown_as_time_wherever_its_quantity_stands(org_a: Tenant, client_of: Browser) -> None:
    reported(org_a, "1", 5_430, "training_seconds", org_a.admin.email)
    reported(org_a, "2", 1_234, "images", org_a.admin.email)
    browser = client_of(org_a.owner)
    for address in (
        "/settings/usage/",
        "/settings/usage/?meter=training_seconds&by=member",
        "/settings/usage/ledger/",
        "/settings/usage/ledger/?meter=training_seconds",
    ):
        shown = text_of(browser.get(address))
        assert "Training time" in shown
        assert "1 h 30 min 30 s" in shown, address
        assert "5,430" not in shown, address
        assert "Training seconds" not in shown
    assert "1,234" in text_of(browser.get("/settings/usage/"))
    [row] = [row for row in csv.DictReader(io.StringIO(export_of(browser))) if row["meter"] == "training_seconds"]
    assert row["quantity"] == "5430"
