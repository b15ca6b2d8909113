"""Stopping a generation and ending it together with its charge: each once, whoever else tries."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from redis.exceptions import ResponseError

from apps.billing import services as billing
from apps.billing.models import EntryKind
from apps.core import jobs, streams, tenancy
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant
from tests.helpers.studio import SUCCESS, ask, event_types, finish, held, ledger, reread, start, states
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
