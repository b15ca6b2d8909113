"""Rows as work: one holder at a time, by the database's clock, and fair between organizations."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.core import jobs, tenancy
from apps.core.jobs import LEASE_SECONDS, Status
from apps.core.tenancy import Across, across_tenants
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from tests.helpers.people import Tenant, make_tenant
from tests.helpers.studio import add_rows, reread
from tests.helpers.threads import together


def database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def let_leases_lapse() -> None:
    with across_tenants(Across.OPERATE):
        Generation.objects.filter(status=Status.RUNNING).update(lease_until=database_time() - timedelta(seconds=1))


def claim(worker: str = "w1", limit: int = 1, **only: list[Any]) -> list[Generation]:
    return jobs.claim(Generation, worker, limit, only or None)


def test_a_claim_takes_the_oldest_row_with_a_lease(org_a: Tenant, model: ModelVersion) -> None:
    now = timezone.now()
    [young] = add_rows(org_a, model, 1, created_at=now)
    [old] = add_rows(org_a, model, 1, created_at=now - timedelta(minutes=1))
    [claimed] = claim()
    assert claimed.pk == old.pk
    assert (claimed.status, claimed.attempt, claimed.worker) == (Status.RUNNING, 1, "w1")
    remaining = claimed.lease_until - database_time()
    assert timedelta(seconds=LEASE_SECONDS - 5) < remaining <= timedelta(seconds=LEASE_SECONDS)
    assert [row.pk for row in claim()] == [young.pk]
    assert claim() == []


def test_a_claim_of_nothing_asks_nothing(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 1)
    assert claim(limit=0) == []
    assert claim(model_id=[]) == []
    assert claim(model_id=[uuid4()]) == []
    assert len(claim(limit=5, model_id=[model.pk])) == 1


@pytest.mark.django_db(transaction=True)
def test_many_workers_claim_each_row_once(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    wanted = {row.pk for tenant in (org_a, org_b) for row in add_rows(tenant, model, 20)}

    def work(name: str) -> list[Any]:
        taken = []
        while rows := claim(name, limit=3):
            taken += [(row.pk, row.attempt, row.worker) for row in rows]
        return taken

    results = together([lambda name=f"w{n}": work(name) for n in range(6)])
    taken = [entry for result in results for entry in result]
    assert Counter(pk for pk, _, _ in taken) == dict.fromkeys(wanted, 1)
    assert {attempt for _, attempt, _ in taken} == {1}


def test_five_hundred_jobs_do_not_hold_up_anothers_first(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 500, created_at=timezone.now() - timedelta(hours=1))
    running = claim(limit=4)
    assert {row.organization_id for row in running} == {org_a.id}
    [late] = add_rows(org_b, model, 1)
    assert [row.pk for row in claim()] == [late.pk]


def test_equal_organizations_take_turns(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    org_c = make_tenant("org-c")
    tenants = (org_a, org_b, org_c)
    for tenant in tenants:
        add_rows(tenant, model, 5)
    order = []
    for _ in range(9):
        [row] = claim()
        order.append(row.organization_id)
        with tenancy.scope(row.organization_id):
            Generation.objects.filter(pk=row.pk).update(status=Status.SUCCEEDED)
    assert all(set(order[start : start + 3]) == {tenant.id for tenant in tenants} for start in (0, 3, 6))


def test_a_worker_renews_only_what_it_holds(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 2)
    [mine], [others] = claim("w1"), claim("w2")
    before = database_time()
    with across_tenants(Across.OPERATE):
        Generation.objects.update(lease_until=before)
    assert jobs.renew(Generation, "w1", [mine.pk, others.pk, uuid4()]) == {mine.pk}
    assert reread(org_a, mine).lease_until > before + timedelta(seconds=LEASE_SECONDS - 5)
    assert reread(org_a, others).lease_until == before


def test_a_lapsed_lease_returns_the_job_once_and_then_fails_it(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 1)
    [first] = claim("w1")
    let_leases_lapse()
    assert jobs.reap(Generation) == (1, [])
    assert jobs.renew(Generation, "w1", [first.pk]) == set()
    waiting = reread(org_a, first)
    assert (waiting.status, waiting.crashes, waiting.worker, waiting.lease_until) == (Status.QUEUED, 1, "", None)

    [second] = claim("w2")
    assert (second.pk, second.attempt) == (first.pk, 2)
    let_leases_lapse()
    count, hopeless = jobs.reap(Generation)
    assert count == 0
    assert [(row.pk, row.attempt, row.crashes) for row in hopeless] == [(first.pk, 3, 2)]
    stored = reread(org_a, first)
    assert (stored.status, stored.attempt) == (Status.RUNNING, 3)
    assert jobs.reap(Generation) == (0, [])


def test_a_reaper_that_dies_before_failing_a_job_is_followed_by_another(org_a: Tenant, model: ModelVersion) -> None:
    [row] = add_rows(org_a, model, 1, crashes=1)
    claim()
    let_leases_lapse()
    assert [job.pk for job in jobs.reap(Generation)[1]] == [row.pk]
    let_leases_lapse()
    assert [job.pk for job in jobs.reap(Generation)[1]] == [row.pk]


def test_a_worker_that_was_only_slow_has_no_more_to_say_of_a_job_that_the_reaper_ends(
    org_a: Tenant, model: ModelVersion
) -> None:
    [row] = add_rows(org_a, model, 1, crashes=1)
    [claimed] = claim()
    let_leases_lapse()
    jobs.reap(Generation)
    assert jobs.renew(Generation, claimed.worker, [row.pk]) == set()
    assert jobs.hand_back(Generation, claimed.worker, [row.pk]) == 0
    let_leases_lapse()
    assert [job.pk for job in jobs.reap(Generation)[1]] == [row.pk]


def test_a_fresh_lease_is_left_alone(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 1)
    claim()
    assert jobs.reap(Generation) == (0, [])


@pytest.mark.django_db(transaction=True)
def test_two_reapers_count_a_crash_once(org_a: Tenant, model: ModelVersion) -> None:
    rows = add_rows(org_a, model, 10)
    claim(limit=10)
    let_leases_lapse()
    counts = together([lambda: jobs.reap(Generation)[0]] * 4)
    assert sum(counts) == 10
    assert {reread(org_a, row).crashes for row in rows} == {1}


def test_handing_back_counts_no_crash(org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 2)
    [mine], [others] = claim("w1"), claim("w2")
    assert jobs.hand_back(Generation, "w1", [mine.pk, others.pk]) == 1
    waiting = reread(org_a, mine)
    assert (waiting.status, waiting.crashes, waiting.attempt) == (Status.QUEUED, 0, 1)
    assert reread(org_a, others).status == Status.RUNNING


def test_a_wrong_clock_neither_steals_nor_loses_a_lease(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(org_a, model, 1)
    far = datetime(2099, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: far)
    monkeypatch.setattr(time, "time", far.timestamp)
    [row] = claim()
    assert row.lease_until < database_time() + timedelta(seconds=LEASE_SECONDS + 1)
    assert jobs.reap(Generation) == (0, [])
    assert jobs.renew(Generation, "w1", [row.pk]) == {row.pk}


def test_a_wish_to_stop_is_seen_by_the_worker(org_a: Tenant, model: ModelVersion) -> None:
    rows = add_rows(org_a, model, 2)
    with tenancy.scope(org_a.id):
        Generation.objects.filter(pk=rows[0].pk).update(cancel_requested_at=timezone.now())
    assert jobs.cancelled_among(Generation, [row.pk for row in rows]) == {rows[0].pk}


def test_the_place_in_the_queue_counts_ones_own_jobs(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    now = timezone.now()
    add_rows(org_b, model, 3, created_at=now - timedelta(hours=1))
    rows = [add_rows(org_a, model, 1, created_at=now + timedelta(seconds=second))[0] for second in range(3)]
    with tenancy.scope(org_a.id):
        assert [jobs.queue_position(row) for row in rows] == [1, 2, 3]
        rows[0].status = Status.RUNNING
        assert jobs.queue_position(rows[0]) is None


@pytest.mark.django_db(transaction=True)
def test_the_doorbell_rings_on_commit_only(capture_doorbells: list[str]) -> None:
    with transaction.atomic():
        jobs.ring("generation.wake")
        assert capture_doorbells == []
    assert capture_doorbells == ["generation.wake"]
    with pytest.raises(RuntimeError), transaction.atomic():
        jobs.ring("generation.wake")
        raise RuntimeError
    assert capture_doorbells == ["generation.wake"]


@pytest.mark.django_db(transaction=True)
def test_a_bell_that_workers_have_heard_is_not_sent_by_the_broker_as_well(
    capture_doorbells: list[str], redis: Any
) -> None:
    with redis.pubsub() as listening:
        listening.subscribe(jobs.bell_channel("generation.wake"))
        assert listening.get_message(timeout=60)["type"] == "subscribe"
        for _ in range(2):
            with transaction.atomic():
                jobs.ring("generation.wake")
            assert listening.get_message(timeout=60)["type"] == "message"
    assert capture_doorbells == []
    with transaction.atomic():
        jobs.ring("generation.wake")
    assert capture_doorbells == ["generation.wake"]


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_costs_only_the_bell(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from workers.celery import app

    tried: list[str] = []

    def refuse(name: str, *args: Any, **options: Any) -> None:
        tried.append(name)
        raise ConnectionRefusedError

    monkeypatch.setattr(app, "send_task", refuse)
    with transaction.atomic():
        jobs.ring("generation.wake")
    assert tried == ["generation.wake"]
    assert [record.message for record in caplog.records] == ["doorbell not delivered"]
