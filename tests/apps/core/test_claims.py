"""PostgreSQL chooses what the policy chooses; caps, weights and passed-over rows hold on real rows."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing.models import Plan, Subscription
from apps.core import claims, jobs, tenancy
from apps.core.fairness import Queue, WaitingJob, choose
from apps.core.jobs import Status
from apps.core.models import Turn
from apps.core.tenancy import Across, across_tenants
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from tests.conftest import APPLICATION_ROLE
from tests.helpers.people import Tenant, make_tenant
from tests.helpers.studio import add_rows, ask, finish, reread, row
from tests.helpers.threads import together

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Generation.source()


def put_on_plan(tenant: Tenant, weight: int = 1, max_running: int = 100) -> None:
    limits = {"requests_per_minute": 10**6, "tokens_per_minute": 10**9, "max_queued": 10**6}
    plan, _ = Plan.objects.update_or_create(
        code=f"plan-{tenant.organization.slug}",
        defaults={"name": "Own", "weight": weight, "max_running": max_running, **limits},
    )
    with tenancy.scope(tenant.id):
        Subscription.objects.update_or_create(organization_id=tenant.id, defaults={"plan": plan})


def claim(limit: int = 1) -> list[Generation]:
    return jobs.claim(Generation, "w1", limit)


# ---------------------------------------------------------------- the same as the policy

waiting_jobs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.booleans()), max_size=4)
queues_of_organizations = st.lists(
    st.tuples(
        waiting_jobs,
        st.sampled_from([1, 3, 4, 16, 1000]),
        st.integers(1, 4),
        st.integers(0, 3),
        st.none() | st.tuples(st.integers(0, 40), st.integers(0, 400)),
    ),
    min_size=3,
    max_size=3,
)


@given(drawn=queues_of_organizations, limit=st.integers(1, 8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_statement_agrees_with_the_policy(
    three: list[Tenant], model: ModelVersion, drawn: list[Any], limit: int
) -> None:
    with transaction.atomic():
        queues, clock = [], 0
        for tenant, (waiting, weight, most, running, turn) in zip(three, drawn, strict=True):
            put_on_plan(tenant, weight, most)
            add_rows(tenant, model, running, status=Status.RUNNING)
            found = add_waiting(tenant, model, waiting)
            if turn:
                start, ahead = turn[0] * 10_000, turn[1] * 1_000
                clock = max(clock, start)
                with tenancy.scope(tenant.id):
                    Turn.objects.create(
                        organization_id=tenant.id, queue=SOURCE.table, weight=1, start=start, turn=start + ahead
                    )
            at = (turn[0] * 10_000 + turn[1] * 1_000) if turn else 0
            queues.append(Queue(tenant.id, weight, most - running, at, found))
        with across_tenants(Across.OPERATE):
            chosen = claims.choose(SOURCE, limit, {})
        assert chosen == choose(queues, clock, limit)
        transaction.set_rollback(True)


@pytest.fixture
def three(db: None) -> list[Tenant]:
    return [make_tenant(name) for name in ("org-x", "org-y", "org-z")]


def add_waiting(tenant: Tenant, model: ModelVersion, drawn: list[tuple[int, int, bool]]) -> tuple[WaitingJob, ...]:
    """Rows made some seconds apart; a row that has run before costs its organization nothing more."""
    with tenancy.scope(tenant.id):
        rows = Generation.objects.bulk_create(
            row(tenant, model, created_at=EPOCH + timedelta(seconds=at), held_tokens=cost, attempt=int(again))
            for at, cost, again in drawn
        )
    rows.sort(key=lambda each: (each.created_at, each.id))
    return tuple(WaitingJob(each.id, each.created_at, 0 if each.attempt else each.held_tokens) for each in rows)


# ---------------------------------------------------------------- shares and caps on real rows


def end(rows: list[Generation]) -> None:
    with across_tenants(Across.OPERATE):
        Generation.objects.filter(pk__in=[each.pk for each in rows]).update(status=Status.SUCCEEDED)


def test_a_plan_of_four_times_the_weight_gets_four_times_the_work(
    org_a: Tenant, org_b: Tenant, model: ModelVersion
) -> None:
    put_on_plan(org_a, weight=4)
    put_on_plan(org_b, weight=1)
    for tenant in (org_a, org_b):
        add_rows(tenant, model, 60)
    started: Counter[UUID] = Counter()
    for _ in range(25):
        rows = claim(limit=2)
        started.update(each.organization_id for each in rows)
        end(rows)
    assert (started[org_a.id], started[org_b.id]) == (40, 10)


def test_never_more_run_than_the_plan_allows(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    put_on_plan(org_a, max_running=3)
    add_rows(org_a, model, 10)
    first = claim(limit=8)
    assert len(first) == 3
    assert claim(limit=8) == []
    add_rows(org_b, model, 2)
    assert {each.organization_id for each in claim(limit=8)} == {org_b.id}
    end(first[:1])
    assert len(claim(limit=8)) == 1


@pytest.mark.django_db(transaction=True)
def test_many_workers_together_keep_to_the_most_running(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    before = Plan.objects.get(code="pro").max_running
    with tenancy.scope(org_a.id):
        Subscription.objects.create(organization_id=org_a.id, plan=Plan.objects.get(code="pro"))
    Plan.objects.filter(code="pro").update(max_running=5)
    add_rows(org_a, model, 30)
    add_rows(org_b, model, 10)
    try:
        taken = [each for rows in together([lambda: claim(limit=4)] * 8) for each in rows]
    finally:
        # Plans outlive a transactional test.
        Plan.objects.filter(code="pro").update(max_running=before)
    assert Counter(each.organization_id for each in taken) == {org_a.id: 5, org_b.id: 10}


def test_a_changed_plan_counts_from_the_next_claim_on(org_a: Tenant, model: ModelVersion) -> None:
    put_on_plan(org_a, max_running=1)
    add_rows(org_a, model, 4)
    assert len(claim(limit=4)) == 1
    put_on_plan(org_a, max_running=3)
    assert len(claim(limit=4)) == 2


def test_what_a_job_did_not_use_is_given_back(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    """Shares are of what was produced: who asks for room and does not use it is not the poorer for it."""
    ask(org_a, max_tokens=500)
    [running] = claim()
    with tenancy.scope(org_a.id):
        before = Turn.objects.get().turn
    finish(running)
    with tenancy.scope(org_a.id):
        after = Turn.objects.get().turn
    assert before - after == (running.held_tokens - 15) * 10_000


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_being_ended_is_passed_over(org_a: Tenant, model: ModelVersion) -> None:
    rows = add_rows(org_a, model, 3)
    oldest = min(rows, key=lambda each: each.id)

    def claim_beside(_: Any = None) -> list[UUID]:
        [found] = together([lambda: claim(limit=2)])
        return [each.pk for each in found]

    with tenancy.scope(org_a.id):
        Generation.objects.select_for_update().get(pk=oldest.pk)
        others = claim_beside()
    assert set(others) == {each.pk for each in rows} - {oldest.pk}
    assert reread(org_a, oldest).status == Status.QUEUED


def test_an_expired_job_is_not_claimed(org_a: Tenant, model: ModelVersion) -> None:
    [late] = add_rows(org_a, model, 1, deadline_at=EPOCH)
    [fresh] = add_rows(org_a, model, 1)
    assert [each.pk for each in claim(limit=5)] == [fresh.pk]
    assert [each.pk for each in jobs.expired(Generation)] == [late.pk]


# ---------------------------------------------------------------- the work of one claim


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize("statistics", ["none", "of another hour"])
def test_a_long_queue_costs_a_claim_nothing(org_a: Tenant, org_b: Tenant, model: ModelVersion, statistics: str) -> None:
    """Read from the plan that was run."""
    if statistics == "of another hour":
        other = ModelVersion.objects.create(
            name="another", backend="local", source="path:/another", context_length=256, max_output_tokens=128
        )
        add_rows(org_b, other, 1_000, status=Status.SUCCEEDED)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            cursor.execute(f"ANALYZE {SOURCE.table}")
            cursor.execute(f"SET LOCAL ROLE {APPLICATION_ROLE}")
    add_rows(org_a, model, 3_000)
    add_rows(org_b, model, 1)
    with across_tenants(Across.CLAIM_WORK, claims.settings(15)), connection.cursor() as cursor:
        claims.begin(cursor, SOURCE)
        statement = "EXPLAIN (ANALYZE, FORMAT JSON) " + SOURCE.choice(["model_id"])
        cursor.execute(statement, {"model_id": [model.pk], "limit": 4, "skip": []})
        [(found,)] = cursor.fetchall()
    plan = found if isinstance(found, list) else json.loads(found)
    read = {
        f"{node['Node Type']} {node.get('Index Name', '')}": node["Actual Rows"] * node["Actual Loops"]
        for node in nodes(plan[0]["Plan"])
        if node.get("Relation Name") == SOURCE.table
    }
    assert read
    assert max(read.values()) <= 20, read
