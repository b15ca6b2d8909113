"""Stopping a generation and ending it together with its charge: each once, whoever else tries."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis as redis_py
from django.db import IntegrityError
from redis.exceptions import ResponseError

from apps.billing import services as billing
from apps.billing.models import EntryKind
from apps.core import jobs, streams, tenancy
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome, endings
from tests.helpers.people import Tenant
from tests.helpers.studio import SUCCESS, ask, event_types, finish, held, ledger, reread, spec, start, states
from tests.helpers.threads import together

# ---------------------------------------------------------------- stopping


def test_stopping_what_waits_costs_nothing(org_a: Tenant, model: ModelVersion) -> None:
    generation = studio.cancel_generation(org_a.actor, ask(org_a).pk)
    assert (generation.status, generation.finish_reason, generation.total_tokens) == (
        Status.CANCELLED,
        "cancelled",
        generation.prompt_tokens,
    )
    assert [kind for kind, _ in ledger(org_a)] == [EntryKind.HOLD, EntryKind.RELEASE]
    summary = billing.usage_summary(org_a.id)
    assert (summary.used, summary.held, summary.spent_micros) == (0, 0, 0)
    assert event_types(org_a) == ["generation.queued", "generation.cancelled"]
    assert jobs.claim(Generation, "w1", 1) == []


def test_stopping_what_runs_is_a_wish_to_its_worker(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    running = start()
    stopped = studio.cancel_generation(org_a.actor, running.pk)
    assert (stopped.status, stopped.cancel_requested_at is not None) == (Status.RUNNING, True)
    assert jobs.cancelled_among(Generation, [running.pk]) == {running.pk}
    again = studio.cancel_generation(org_a.actor, running.pk)
    assert again.cancel_requested_at == stopped.cancel_requested_at
    assert finish(running, Outcome(Status.CANCELLED, "Tea,", "cancelled", prompt_tokens=10, completion_tokens=2))
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, 12)


def test_what_waits_again_after_a_lost_worker_ends_with_what_that_one_streamed(
    org_a: Tenant, model: ModelVersion, redis: Any
) -> None:
    ask(org_a)
    running = start()
    pipe = redis.pipeline()
    streams.append(pipe, running.pk, running.attempt, 1, streams.Entry("", streams.DELTA, "Tea, warm.", (5, 6, 7)))
    pipe.execute()
    jobs.hand_back(Generation, "w1", [running.pk])
    stopped = studio.cancel_generation(org_a.actor, running.pk)
    assert (stopped.status, stopped.text, stopped.completion_tokens) == (Status.CANCELLED, "Tea, warm.", 3)
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, running.prompt_tokens + 3)
    streams.append(pipe, running.pk, running.attempt, 2, streams.Entry("", streams.DELTA, " Late.", (8,)))
    with pytest.raises(ResponseError, match="equal or smaller"):
        pipe.execute()


def test_stopping_what_has_ended_changes_nothing(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    running = start()
    finish(running)
    before = (ledger(org_a), event_types(org_a))
    assert studio.cancel_generation(org_a.actor, running.pk).status == Status.SUCCEEDED
    assert (ledger(org_a), event_types(org_a)) == before


# ---------------------------------------------------------------- ending


def test_the_text_and_its_charge_are_written_together(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    running = start()
    assert finish(running)
    ended = reread(org_a, running)
    assert (ended.status, ended.text, ended.finish_reason, ended.total_tokens) == (
        "succeeded",
        SUCCESS.text,
        "stop",
        15,
    )
    assert ended.finished_at is not None
    assert ended.lease_until is None
    summary = billing.usage_summary(org_a.id)
    charge = billing.Charge(10, 5, model.input_price, model.output_price)
    assert (summary.used, summary.held, summary.spent_micros) == (15, 0, charge.amount_micros)
    assert event_types(org_a) == ["generation.queued", "generation.succeeded"]


@pytest.mark.parametrize(("produced", "kind"), [(0, EntryKind.RELEASE), (3, EntryKind.SETTLE)])
def test_a_failure_is_charged_for_what_it_produced(
    org_a: Tenant, model: ModelVersion, produced: int, kind: EntryKind
) -> None:
    ask(org_a)
    outcome = Outcome(Status.FAILED, "x" * produced, "error", 10, produced, "engine_error", "It broke.")
    running = start()
    assert finish(running, outcome)
    assert ledger(org_a)[-1] == (kind, 10 + produced if produced else 0)
    assert reread(org_a, running).error_code == "engine_error"


def test_another_attempt_cannot_end_it(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    running = start()
    for attempt in (0, 2, 99):
        assert not finish(running, attempt=attempt)
    assert states(org_a) == {"running": 1}
    jobs.hand_back(Generation, "w1", [running.pk])
    assert not finish(running)
    second = start()
    assert not finish(running)
    assert finish(second)
    assert not finish(second)
    assert [kind for kind, _ in ledger(org_a)] == [EntryKind.HOLD, EntryKind.SETTLE]


def test_a_charge_that_fails_takes_the_text_back(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    running = start()
    with tenancy.scope(org_a.id):
        billing.release(running.pk)
    with pytest.raises(IntegrityError):
        finish(running)
    after = reread(org_a, running)
    assert (after.status, after.text) == (Status.RUNNING, "")


ENDINGS: list[Callable[[Tenant, Generation], Any]] = [
    lambda tenant, running: finish(running),
    lambda tenant, running: finish(running, Outcome(Status.FAILED, "", "error", error_code="engine_error")),
    lambda tenant, running: studio.cancel_generation(tenant.actor, running.pk) and None,
]


@pytest.mark.django_db(transaction=True)
def test_ends_at_once_write_one_end_and_one_charge(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    running = start()
    results = together([lambda end=end: end(org_a, running) for end in ENDINGS * 4])
    assert [result for result in results if isinstance(result, Exception)] == []
    assert results.count(True) == 1
    assert len(ledger(org_a)) == 2
    assert len(event_types(org_a)) == 2


@pytest.mark.django_db(transaction=True)
def test_starting_and_stopping_at_once_ends_in_one_of_the_two(org_a: Tenant, model: ModelVersion) -> None:
    for _ in range(5):
        id = ask(org_a).pk
        claimed, stopped = together(
            [lambda: jobs.claim(Generation, "w1", 1), lambda id=id: studio.cancel_generation(org_a.actor, id)]
        )
        if claimed:
            assert stopped.cancel_requested_at is not None or stopped.status == Status.RUNNING
            assert finish(claimed[0], Outcome(Status.CANCELLED, "", "cancelled"))
        else:
            assert stopped.status == Status.CANCELLED
    assert states(org_a) == {"cancelled": 5}
    assert held(org_a) == 0


# ---------------------------------------------------------------- stopping what has lost its worker


def stream_of(running: Generation, redis: Any, text: str, *tokens: int) -> None:
    streams.take_over(redis, running.pk, running.attempt)
    pipe = redis.pipeline()
    streams.append(pipe, running.pk, running.attempt, 1, streams.Entry("", streams.DELTA, text, tokens))
    pipe.execute()


def let_the_lease_lapse(tenant: Tenant) -> None:
    with tenancy.scope(tenant.id):
        Generation.objects.update(lease_until="2026-01-01T00:00:00Z")


def test_what_runs_without_a_worker_ends_at_once_with_what_was_streamed(
    org_a: Tenant, model: ModelVersion, redis: Any
) -> None:
    ask(org_a)
    running = start()
    stream_of(running, redis, "Tea, warm.", 5, 6, 7)
    let_the_lease_lapse(org_a)
    stopped = studio.cancel_generation(org_a.actor, running.pk)
    assert (stopped.status, stopped.text, stopped.completion_tokens) == (Status.CANCELLED, "Tea, warm.", 3)
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, running.prompt_tokens + 3)
    # The worker was only slow: whatever it says now is refused.
    assert not finish(running)
    with pytest.raises(ResponseError, match="equal or smaller"):
        redis.xadd(streams.key(running.pk), {"k": "delta"}, id=f"{running.attempt}-2")


def test_without_redis_the_wish_to_stop_is_kept_for_whoever_takes_the_row_next(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(org_a)
    running = start()
    let_the_lease_lapse(org_a)
    monkeypatch.setattr(endings, "quick_redis_client", lambda: redis_py.Redis(port=1, retry=None))
    stopped = studio.cancel_generation(org_a.actor, running.pk)
    assert (stopped.status, stopped.cancel_requested_at is not None) == (Status.RUNNING, True)
    requeued, ending = jobs.reap(Generation)
    assert (requeued, [row.pk for row in ending]) == (0, [running.pk])
    assert finish(ending[0], Outcome(Status.CANCELLED, "", "cancelled"))


@pytest.mark.django_db(transaction=True)
def test_a_wish_to_stop_is_pushed_to_workers_once_it_is_committed(
    org_a: Tenant, model: ModelVersion, redis: Any
) -> None:
    ask(org_a)
    running = start()
    with redis.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(jobs.cancel_channel())
        heard.get_message(timeout=10)
        studio.cancel_generation(org_a.actor, running.pk)
        message = heard.get_message(timeout=10)
    assert message["data"].decode() == str(running.pk)


# ---------------------------------------------------------------- deadlines


def late(tenant: Tenant, **fields: Any) -> Generation:
    """A waiting generation whose deadline has just passed."""
    generation = studio.request_generation(tenant.actor, replace(spec(), deadline_seconds=60))
    with tenancy.scope(tenant.id):
        Generation.objects.filter(pk=generation.pk).update(deadline_at="2026-01-01T00:00:00Z", **fields)
    return generation


def test_a_deadline_counts_from_acceptance_by_the_databases_clock(org_a: Tenant, model: ModelVersion) -> None:
    studio.request_generation(org_a.actor, replace(spec(), deadline_seconds=60))
    before = time.monotonic()
    running = start()
    assert 59 < (running.deadline_at - running.created_at).total_seconds() < 61
    assert running.must_end_by is not None
    assert before + 30 < running.must_end_by <= time.monotonic() + 60


def test_without_a_deadline_waiting_has_no_end(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    assert jobs.expired(Generation) == []
    running = start()
    assert (running.deadline_at, running.must_end_by) == (None, None)


def test_a_deadline_that_passes_in_the_queue_fails_visibly_and_costs_nothing(
    org_a: Tenant, model: ModelVersion
) -> None:
    generation = late(org_a)
    assert jobs.claim(Generation, "w1", 1) == []
    assert [row.pk for row in jobs.expired(Generation)] == [generation.pk]
    assert studio.expire_generation(org_a.id, generation.pk)
    ended = reread(org_a, generation)
    assert (ended.status, ended.finish_reason, ended.error_code) == (Status.FAILED, "deadline", "deadline_exceeded")
    assert [kind for kind, _ in ledger(org_a)] == [EntryKind.HOLD, EntryKind.RELEASE]
    assert event_types(org_a) == ["generation.queued", "generation.failed"]
    assert not studio.expire_generation(org_a.id, generation.pk)


def test_what_a_lost_worker_had_written_is_kept_when_time_is_up(org_a: Tenant, model: ModelVersion, redis: Any) -> None:
    ask(org_a)
    running = start()
    stream_of(running, redis, "Tea", 5)
    jobs.hand_back(Generation, "w1", [running.pk])
    with tenancy.scope(org_a.id):
        Generation.objects.update(deadline_at="2026-01-01T00:00:00Z")
    assert studio.expire_generation(org_a.id, running.pk)
    ended = reread(org_a, running)
    assert (ended.status, ended.text, ended.finish_reason) == (Status.FAILED, "Tea", "deadline")
    assert ledger(org_a)[-1] == (EntryKind.SETTLE, running.prompt_tokens + 1)


def test_what_runs_and_what_has_time_left_does_not_expire(org_a: Tenant, model: ModelVersion) -> None:
    waiting = studio.request_generation(org_a.actor, replace(spec(), deadline_seconds=60))
    assert not studio.expire_generation(org_a.id, waiting.pk)
    running = start()
    with tenancy.scope(org_a.id):
        Generation.objects.update(deadline_at="2026-01-01T00:00:00Z")
    assert not studio.expire_generation(org_a.id, running.pk)
    assert states(org_a) == {"running": 1}
