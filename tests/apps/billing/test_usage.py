"""Usage: its sums equal the ledger's, everybody sees what they may, and a spreadsheet runs nothing."""

import csv
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.billing import services as billing
from apps.billing.models import BudgetKind, BudgetPeriod, EntryKind, LedgerEntry, Spender, UsageHour, UsagePeriod
from apps.billing.services import BudgetFor, Charge, Purpose
from apps.billing.usage import GROUPINGS, Filters, Totals, breakdown
from apps.core import tenancy
from tests.apps.billing.test_budgets import PLENTY, hold, of_member, team_of
from tests.helpers.people import Tenant, add_person, audit_of

PRICES = {"input_price": Decimal("0.5"), "output_price": Decimal("1.5")}
Browser = Callable[[User], Client]


def use(tenant: Tenant, user: User | None, prompt: int, completion: int, model: str = "house", key: Any = None) -> None:
    with tenancy.scope(tenant.id):
        job = uuid4()
        purpose = Purpose(user.pk if user else None, key.pk if key else None, model)
        billing.hold(job, billing.tokens(prompt, completion + 5), PLENTY, purpose=purpose)
        billing.settle(job, Charge(prompt, completion, **PRICES))


def month_of_usage(tenant: Tenant) -> date:
    with tenancy.scope(tenant.id):
        month: date = UsagePeriod.objects.get().month
    return month


def text_of(response: Any) -> str:
    return str(response.content.decode())


def export_of(browser: Client, **filters: str) -> str:
    """The file, read to its end; the pieces are asked for in this thread, whose transaction holds the rows."""
    answer: Any = browser.post("/settings/usage/export/", {"month": "", **filters})
    assert "attachment" in answer["content-disposition"]

    async def read() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(read)().decode("utf-8-sig")


# ---------------------------------------------------------------- sums


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["owner", "admin", "member", "key", "nobody"]),
        st.integers(0, 50),
        st.integers(0, 50),
        st.sampled_from(["settle", "release", "open"]),
        st.sampled_from(["house", "other"]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_sums_of_spenders_hours_and_the_month_equal_the_ledger(org_a: Tenant, steps: list[Any]) -> None:
    with tenancy.scope(org_a.id):
        for who, prompt, completion, end, model in steps:
            user = {"owner": org_a.owner, "admin": org_a.admin, "member": org_a.member}.get(who)
            purpose = Purpose(user.pk if user else None, org_a.api_key.pk if who == "key" else None, model)
            job = uuid4()
            billing.hold(job, billing.tokens(prompt, completion), PLENTY, purpose=purpose)
            if end == "settle":
                billing.settle(job, Charge(prompt, completion, **PRICES))
            elif end == "release":
                billing.release(job)
        settled = LedgerEntry.objects.filter(kind=EntryKind.SETTLE)
        for spender_id in [None, *Spender.objects.values_list("pk", flat=True)]:
            mine = settled.filter(spender_id=spender_id)
            used = mine.aggregate(sum=Sum("tokens", default=0))["sum"]
            assert (
                UsageHour.objects.filter(spender_id=spender_id).aggregate(sum=Sum("tokens", default=0))["sum"] == used
            )
            if spender_id:
                period = BudgetPeriod.objects.get(owner_id=spender_id)
                holds = LedgerEntry.objects.filter(spender_id=spender_id, kind=EntryKind.HOLD)
                closed = LedgerEntry.objects.exclude(kind=EntryKind.HOLD).values("job_id")
                held = holds.exclude(job_id__in=closed).aggregate(sum=Sum("tokens", default=0))["sum"]
                assert (period.used_tokens, period.held_tokens) == (used, held)
        names = ("tokens", "amount_micros", "prompt_tokens", "completion_tokens")
        of_hours = UsageHour.objects.aggregate(
            **{name: Sum(name, default=0) for name in names}, n=Sum("requests", default=0)
        )
        of_ledger = settled.aggregate(**{name: Sum(name, default=0) for name in names})
        assert of_hours == of_ledger | {"n": settled.count()}


@pytest.mark.parametrize("by", GROUPINGS)
def test_lines_and_rest_add_up_to_the_total(org_a: Tenant, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.billing.usage.lines.MOST_LINES", 2)
    team = team_of(org_a, org_a.member)
    for number, person in enumerate([org_a.owner, org_a.admin, org_a.member, None]):
        use(org_a, person, 10 * number, 1, model=f"model {number}", key=None if person else org_a.api_key)
    month = month_of_usage(org_a)
    with tenancy.scope(org_a.id):
        found = breakdown(Filters(month), by)
        period = UsagePeriod.objects.get()
    assert (found.total.tokens, sum(found.total.amounts.values())) == (period.used_tokens, period.spent_micros)
    if by == "team":
        assert [(line.name, line.totals.tokens) for line in found.lines] == [(team.name, 21)]
    else:
        assert len(found.lines) <= 2
        assert sum((line.totals for line in found.lines), found.rest) == found.total


def test_every_number_leads_to_the_entries_that_it_is_the_sum_of(org_a: Tenant, client_of: Browser) -> None:
    use(org_a, org_a.member, 10, 5)
    use(org_a, org_a.member, 20, 5, model="other")
    use(org_a, None, 100, 5, key=org_a.api_key)
    browser = client_of(org_a.owner)
    for by in ("meter", "member", "key", "model", "day"):
        with tenancy.scope(org_a.id):
            found = breakdown(Filters(month_of_usage(org_a)), by)
        for line in found.lines:
            page = browser.get(f"/settings/usage/ledger/?{line.query}")
            assert page.status_code == 200
            assert sum(entry.tokens for entry in page.context["page"].rows) == line.totals.tokens
            assert f"?{line.query}".replace("&", "&amp;") in text_of(browser.get(f"/settings/usage/?by={by}"))


# ---------------------------------------------------------------- who sees what


def test_whoever_may_see_members_sees_everybodys_usage(org_a: Tenant, org_b: Tenant, client_of: Browser) -> None:
    use(org_a, org_a.member, 1234, 0)
    use(org_b, org_b.member, 777_777, 0)
    shown = text_of(client_of(org_a.owner).get("/settings/usage/?by=member"))
    assert org_a.member.email in shown
    assert "1,234" in shown
    assert "777,777" not in shown
    assert "1,234" not in text_of(client_of(org_b.owner).get("/settings/usage/?by=day"))


def test_a_member_sees_their_own_usage_only(org_a: Tenant, client_of: Browser) -> None:
    use(org_a, org_a.member, 1234, 0)
    use(org_a, org_a.admin, 5678, 0)
    browser = client_of(org_a.member)
    with tenancy.scope(org_a.id):
        admin = Spender.objects.get(user=org_a.admin).pk
    pages = ["/settings/usage/", "/settings/usage/?by=member", "/settings/usage/?by=team", "/settings/usage/ledger/"]
    for path in [*pages, f"/settings/usage/ledger/?member={admin}", f"/settings/usage/?member={admin}"]:
        shown = text_of(browser.get(path))
        assert "5,678" not in shown
        assert org_a.admin.email not in shown
    assert "1,234" in text_of(browser.get("/settings/usage/"))
    exported = export_of(browser)
    assert "1234" in exported
    assert "5678" not in exported
    key_sees = Client().get("/api/v1/usage/breakdown", headers=org_a.bearer).json()
    assert key_sees["total"]["tokens"] == 0
    assert Client().get("/api/v1/usage/breakdown?by=member", headers=org_a.bearer).status_code == 403


def test_nobody_from_outside_sees_anything(org_a: Tenant, outsider: User, client_of: Browser) -> None:
    use(org_a, org_a.member, 1234, 0)
    paths = ("/settings/usage/", "/settings/usage/ledger/", "/settings/budgets/", "/api/v1/usage/breakdown")
    for browser in (Client(), client_of(outsider)):
        for path in paths:
            assert "1,234" not in text_of(browser.get(path))
            assert browser.get(path).status_code in {302, 401, 404}


@pytest.mark.parametrize(
    "query",
    [
        "meter=miles",
        "team=x",
        "team=none",
        "month=x",
        "month=2026-13",
        "member=x",
        "key=1",
        "day=2020-01-01",
        "model=a%00b",
    ],
)
def test_nonsense_in_the_address_is_a_bad_request(org_a: Tenant, client_of: Browser, query: str) -> None:
    browser = client_of(org_a.owner)
    for path in ("/settings/usage/", "/settings/usage/ledger/", "/api/v1/usage/breakdown"):
        assert browser.get(f"{path}?{query}").status_code == 400


def test_pages_take_as_many_queries_for_many_members_as_for_few(org_a: Tenant, client_of: Browser) -> None:
    browser = client_of(org_a.owner)
    counts = []
    for people in (1, 12):
        for number in range(people):
            use(org_a, add_person(org_a, f"p{people}-{number}"), 10, 1)
        for path in ("/settings/usage/", "/settings/usage/ledger/", "/settings/budgets/"):
            with CaptureQueriesContext(connection) as captured:
                browser.get(path)
            counts.append(len(captured))
    assert counts[:3] == counts[3:]


# ---------------------------------------------------------------- export


def test_the_export_equals_the_ledger_and_runs_no_formula(org_a: Tenant, client_of: Browser) -> None:
    key, _ = accounts.create_api_key(org_a.actor, "=HYPERLINK(1)")
    use(org_a, None, 10, 5, key=key)
    use(org_a, org_a.member, 20, 5, model="other")
    text = export_of(client_of(org_a.owner))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(row["tokens"]) for row in rows) == 40
    assert {row["api_key"] for row in rows} == {"'=HYPERLINK(1)", ""}
    assert {row["meter"] for row in rows} == {"text"}
    assert {row["member"] for row in rows} == {org_a.owner.email, org_a.member.email}
    assert len(audit_of(org_a, "usage.exported")) == 1


def test_an_export_comes_in_pieces_and_misses_nothing(
    org_a: Tenant, client_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.billing.export.PIECE_ROWS", 2)
    for number in range(5):
        use(org_a, org_a.member, number + 1, 0, model=f"model {number}")
    text = export_of(client_of(org_a.owner))
    assert sorted(int(row["tokens"]) for row in csv.DictReader(io.StringIO(text))) == [1, 2, 3, 4, 5]


# ---------------------------------------------------------------- budgets' pages and API


def test_budgets_are_set_changed_and_removed_on_their_pages(org_a: Tenant, client_of: Browser) -> None:
    browser = client_of(org_a.owner)
    made = {"kind": "member", "email": org_a.member.email, "monthly_tokens": "1000"}
    assert browser.post("/settings/budgets/", made).status_code == 302
    assert browser.post("/settings/budgets/", made).status_code == 422
    assert browser.post("/settings/budgets/", made | {"email": "nobody@x.example"}).status_code == 422
    assert browser.post("/settings/budgets/", {"kind": "team", "monthly_tokens": "1"}).status_code == 422
    hold(org_a, 900, org_a.member)
    shown = text_of(browser.get("/settings/budgets/"))
    assert org_a.member.email in shown
    [id] = [state.budget.pk for state in browser.get("/settings/budgets/").context["states"]]
    assert browser.post(f"/settings/budgets/{id}/", {"monthly_tokens": "2000"}).status_code == 302
    assert "2,000" in text_of(browser.get("/settings/budgets/"))
    assert "2,000" in text_of(client_of(org_a.member).get("/dashboard/"))
    assert browser.post(f"/settings/budgets/{id}/delete/").status_code == 302
    assert org_a.member.email not in text_of(browser.get("/settings/budgets/"))
    assert client_of(org_a.member).get("/settings/budgets/").status_code == 403


def test_budgets_over_the_api(org_a: Tenant, org_b: Tenant, client_of: Browser) -> None:
    browser = client_of(org_a.owner)
    owner = str(of_member(org_a, org_a.member).id)
    sent: dict[str, Any] = {"kind": "member", "owner": owner, "monthly_tokens": 500}
    post = {"content_type": "application/json"}
    assert browser.post("/api/v1/budgets", {"kind": "member", "monthly_tokens": 5}, **post).status_code == 400
    made = browser.post("/api/v1/budgets", sent, **post)
    assert made.status_code == 201
    assert browser.post("/api/v1/budgets", sent, **post).status_code == 409
    hold(org_a, 100, org_a.member)
    path = f"/api/v1/budgets/{made.json()['id']}"
    body = browser.get(path).json()
    assert (body["name"], body["held"], body["remaining"]) == (org_a.member.email, 100, 400)
    assert browser.patch(path, {"monthly_tokens": 50}, **post).json()["remaining"] == 0
    own = client_of(org_a.member)
    assert [row["monthly_tokens"] for row in own.get("/api/v1/budgets").json()["data"]] == [50]
    assert own.get("/api/v1/budgets?limit=101").status_code == 400
    assert Client().get("/api/v1/budgets", headers=org_a.bearer).json()["data"] == []
    assert own.patch(path, {"monthly_tokens": 5000}, **post).status_code == 403
    stranger = client_of(org_b.owner)
    missing = stranger.get(f"/api/v1/budgets/{uuid4()}").content
    assert stranger.get(path).content == missing
    assert stranger.delete(path).status_code == 404
    assert browser.delete(path).status_code == 204
    assert browser.get("/api/v1/budgets").json()["data"] == []


def test_a_refused_call_is_told_in_openais_shape_and_noted(org_a: Tenant, model: Any) -> None:
    budget = billing.create_budget(org_a.actor, BudgetFor(BudgetKind.DEFAULT), 1)
    body = {"model": "default", "messages": [{"role": "user", "content": "Hello"}]}
    answer = Client().post("/v1/chat/completions", body, content_type="application/json", headers=org_a.bearer)
    assert (answer.status_code, answer["x-should-retry"]) == (429, "false")
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("budget_exceeded", "insufficient_quota")
    assert org_a.owner.email in error["message"]
    assert "renews on" in error["message"]
    with tenancy.scope(org_a.id):
        assert BudgetPeriod.objects.get().refused_at is not None
        assert not LedgerEntry.objects.exists()
    assert billing.tell_of_budgets() == 1
    billing.remove_budget(org_a.actor, budget.pk)


def test_totals_take_away_what_they_add() -> None:
    one, two = Totals(1, 2, 3, 5, {"USD": 7}), Totals(1, 1, 1, 2, {"EUR": 1})
    assert (one + two) - two == one
