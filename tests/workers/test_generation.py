"""The worker's runtime with real rows and streams, and an engine that says what the test wants."""

import threading
import time
from typing import Any

import pytest

from apps.billing.models import EntryKind
from apps.core import streams, tenancy
from apps.core.jobs import Status
from apps.core.streams import DELTA, END, Entry
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from ml.types import ModelUnavailable
from tests.helpers.people import Tenant
from tests.helpers.scripted import WORDS, ScriptedEngine, ended, entries, texts, wait_for
from tests.helpers.studio import ask, ledger, reread, start, states
from workers import runtime as engines
from workers.generation.reaper import reap_generations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watchful")]


def test_a_waiting_generation_is_written_stored_and_charged(org_a: Tenant, worker: Any, redis: Any) -> None:
    generation = ask(org_a)
    worker()
    row = ended(org_a, generation)
    assert (row.status, row.text, row.finish_reason) == (Status.SUCCEEDED, "".join(WORDS), "stop")
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, 10 + len(WORDS))
    wait_for(lambda: entries(redis, generation)[-1][0] == END)
    assert texts(redis, generation) == "".join(WORDS)
    assert redis.ttl(streams.key(generation.pk)) > 0


def test_many_are_written_once_each(org_a: Tenant, worker: Any, redis: Any) -> None:
    generations = [ask(org_a) for _ in range(12)]
    worker()
    worker()
    rows = [ended(org_a, generation) for generation in generations]
    assert {row.text for row in rows} == {"".join(WORDS)}
    assert {texts(redis, generation) for generation in generations} == {"".join(WORDS)}
    assert [kind for kind, _ in ledger(org_a)].count(EntryKind.SETTLE) == 12


def test_a_wish_to_stop_reaches_the_engine(org_a: Tenant, worker: Any, engine: ScriptedEngine, redis: Any) -> None:
    engine.held.set()
    generation = ask(org_a)
    worker()
    wait_for(lambda: texts(redis, generation) == "Tea is")
    studio.cancel_generation(org_a.actor, generation.pk)
    row = ended(org_a, generation)
    assert (row.status, row.text) == (Status.CANCELLED, "Tea is")
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, 12)


def lose_a_worker(org_a: Tenant, redis: Any) -> Generation:
    """A generation whose first worker wrote two words and was then lost."""
    generation = start()
    streams.take_over(redis, generation.pk, 1)
    pipe = redis.pipeline()
    for index, word in enumerate(WORDS[:2]):
        streams.append(pipe, generation.pk, 1, index + 1, Entry("", DELTA, word, (index,), index))
    pipe.execute()
    with tenancy.scope(org_a.id):
        Generation.objects.filter(pk=generation.pk).update(lease_until="2020-01-01T00:00Z")
    reap_generations()
    assert states(org_a) == {"queued": 1}
    return generation


def test_the_next_worker_goes_on_after_the_last_token(
    org_a: Tenant, worker: Any, engine: ScriptedEngine, redis: Any
) -> None:
    ask(org_a)
    generation = lose_a_worker(org_a, redis)
    worker()
    row = ended(org_a, generation)
    assert (row.text, row.attempt, row.crashes) == ("".join(WORDS), 2, 1)
    assert (engine.requests[0].progress.token_ids, engine.requests[0].progress.text) == ((0, 1), "Tea is")
    assert texts(redis, generation) == "".join(WORDS)
    assert [kind for kind, _ in ledger(org_a)] == [EntryKind.HOLD, EntryKind.SETTLE]


def test_what_is_stopped_between_two_workers_keeps_its_text(
    org_a: Tenant, worker: Any, engine: ScriptedEngine, redis: Any
) -> None:
    ask(org_a)
    generation = lose_a_worker(org_a, redis)
    studio.cancel_generation(org_a.actor, generation.pk)
    worker()
    row = ended(org_a, generation)
    assert (row.status, row.text, row.completion_tokens) == (Status.CANCELLED, "Tea is", 2)
    assert engine.requests == []
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, row.prompt_tokens + 2)
    assert wait_for(lambda: entries(redis, generation)[-1][0] == END)


def test_a_second_loss_ends_it_with_what_was_written(org_a: Tenant, model: ModelVersion, redis: Any) -> None:
    ask(org_a)
    generation = lose_a_worker(org_a, redis)
    assert start().attempt == 2
    with tenancy.scope(org_a.id):
        Generation.objects.filter(pk=generation.pk).update(lease_until="2020-01-01T00:00Z")
    reap_generations()
    row = reread(org_a, generation)
    assert (row.status, row.error_code, row.text) == (Status.FAILED, "worker_lost", "Tea is")
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, row.prompt_tokens + 2)
    assert entries(redis, generation)[-1][0] == END


def test_a_worker_that_was_taken_over_writes_and_charges_nothing(
    org_a: Tenant, worker: Any, engine: ScriptedEngine, redis: Any
) -> None:
    engine.held.set()
    generation = ask(org_a)
    worker()
    wait_for(lambda: texts(redis, generation) == "Tea is")
    with tenancy.scope(org_a.id):
        Generation.objects.filter(pk=generation.pk).update(attempt=2, worker="another")
    streams.take_over(redis, generation.pk, 2)
    engine.held.clear()
    time.sleep(0.5)
    row = reread(org_a, generation)
    assert (row.status, row.attempt, row.text) == (Status.RUNNING, 2, "")
    assert texts(redis, generation) == "Tea is"
    assert [kind for kind, _ in ledger(org_a)] == [EntryKind.HOLD]


def test_a_model_that_does_not_load_fails_its_work_visibly(
    org_a: Tenant, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(version: ModelVersion) -> None:
        raise ModelUnavailable("there is no such folder")

    monkeypatch.setattr(engines, "_load", fail)
    generation = ask(org_a)
    worker()
    row = ended(org_a, generation)
    assert (row.status, row.error_code) == (Status.FAILED, "model_unavailable")
    assert ledger(org_a)[-1] == (EntryKind.RELEASE, 0)


def test_a_worker_that_leaves_in_order_hands_its_work_back(
    org_a: Tenant, worker: Any, engine: ScriptedEngine, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.generation.runtime.DRAIN_SECONDS", 0.2)
    engine.held.set()
    generation = ask(org_a)
    leaving = worker()
    wait_for(lambda: texts(redis, generation) == "Tea is")
    leaving.drain()
    row = reread(org_a, generation)
    assert (row.status, row.crashes) == (Status.QUEUED, 0)
    assert threading.active_count() < 50
