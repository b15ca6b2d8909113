"""What is tried again, what runs apart, and what the reaper leaves alone."""

from typing import Any

import pytest

from apps.billing.models import EntryKind
from apps.core import tenancy
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.studio.services.attempts import acquit_generation, retry_generation
from tests.helpers.people import Tenant
from tests.helpers.scripted import WORDS, ScriptedEngine, ended, texts, wait_for
from tests.helpers.studio import ask, ledger, reread, start, states
from workers.generation import reaper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watchful")]


def change(tenant: Tenant, generation: Generation, **values: Any) -> None:
    with tenancy.scope(tenant.id):
        Generation.objects.filter(pk=generation.pk).update(**values)


def test_a_failure_that_may_pass_is_tried_once_more(
    org_a: Tenant, worker: Any, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, redis: Any
) -> None:
    monkeypatch.setattr("workers.generation.runtime.RETRY_SECONDS", 0.01)
    engine.failures.append("upstream_error")
    generation = ask(org_a)
    worker()
    row = ended(org_a, generation)
    assert (row.status, row.attempt, row.crashes, row.text) == (Status.SUCCEEDED, 2, 1, "".join(WORDS))
    assert texts(redis, generation) == "".join(WORDS)
    assert [kind for kind, _ in ledger(org_a)].count(EntryKind.SETTLE) == 1


def test_the_second_failure_is_final_and_keeps_its_code(
    org_a: Tenant, worker: Any, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.generation.runtime.RETRY_SECONDS", 0.01)
    engine.failures += ["upstream_error", "upstream_timeout"]
    generation = ask(org_a)
    worker()
    row = ended(org_a, generation)
    assert (row.status, row.attempt, row.error_code) == (Status.FAILED, 2, "upstream_timeout")


def test_memory_that_lacks_already_when_a_request_comes_in_is_asked_for_once_more(
    org_a: Tenant, worker: Any, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.generation.runtime.RETRY_SECONDS", 0.01)
    engine.refusals += ["out_of_memory", "out_of_memory", "out_of_memory"]
    lost, served = ask(org_a), ask(org_a)
    worker()
    rows = [ended(org_a, generation) for generation in (lost, served)]
    assert sorted((row.status, row.attempt, row.crashes, row.error_code) for row in rows) == [
        (Status.FAILED, 2, 1, "out_of_memory"),
        (Status.SUCCEEDED, 2, 1, ""),
    ]


def test_a_refusal_is_final_at_once(org_a: Tenant, worker: Any, engine: ScriptedEngine) -> None:
    engine.failures.append("upstream_rejected")
    generation = ask(org_a)
    worker()
    row = ended(org_a, generation)
    assert (row.status, row.attempt, row.error_code) == (Status.FAILED, 1, "upstream_rejected")


def test_suspects_run_one_after_the_other_and_nothing_starts_beside_them(
    org_a: Tenant, worker: Any, engine: ScriptedEngine
) -> None:
    generations = [ask(org_a) for _ in range(4)]
    for suspect in generations[:2]:
        change(org_a, suspect, crashes=1)
    engine.held.set()
    worker()
    wait_for(lambda: engine.requests)
    [first] = [request.request_id.split(":")[0] for request in engine.requests]
    assert first in {str(generation.pk) for generation in generations[:2]}
    assert states(org_a) == {"queued": 3, "running": 1}
    engine.held.clear()
    rows = [ended(org_a, generation) for generation in generations]
    assert {(row.status, row.text) for row in rows} == {(Status.SUCCEEDED, "".join(WORDS))}


def test_what_goes_back_and_what_is_acquitted_must_still_be_held(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    generation = start()
    change(org_a, generation, crashes=1)
    acquit_generation(org_a.id, generation.pk, attempt=7)
    assert reread(org_a, generation).crashes == 1
    acquit_generation(org_a.id, generation.pk, generation.attempt)
    assert reread(org_a, generation).crashes == 0
    assert retry_generation(org_a.id, generation.pk, attempt=7) is False
    assert retry_generation(org_a.id, generation.pk, generation.attempt) is True
    row = reread(org_a, generation)
    assert (row.status, row.crashes, row.lease_until, row.worker) == (Status.QUEUED, 1, None, "")


def test_a_reaper_that_has_not_watched_reaps_nothing(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch, redis: Any
) -> None:
    monkeypatch.setattr(reaper, "WATCH_SECONDS", 7)
    ask(org_a)
    change(org_a, start(), lease_until="2020-01-01T00:00Z")
    reaper.reap_generations()
    assert states(org_a) == {"running": 1}
    [key] = redis.keys("*:reaper")
    # As after two ticks more; then as after a gap.
    since, last = (float(value) for value in redis.hmget(key, "since", "last"))
    redis.hset(key, mapping={"since": since - 30, "last": last - 20})
    reaper.reap_generations()
    assert states(org_a) == {"running": 1}
    redis.hset(key, "since", since - 8)
    reaper.reap_generations()
    assert states(org_a) == {"queued": 1}


def test_a_generation_that_loses_one_worker_after_the_other_ends(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    generation = start()
    change(org_a, generation, lease_until="2020-01-01T00:00Z", attempt=10)
    reaper.reap_generations()
    assert reread(org_a, generation).error_code == "worker_lost"
