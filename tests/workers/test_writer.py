"""The stream writer against a real Redis that cuts, forgets and refuses."""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.core import streams
from apps.core.streams import REFUSED, WRITTEN, Write
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.studio.services import Outcome
from ml.types import StepOutput
from tests.helpers.scripted import wait_for
from workers.generation.active import Active
from workers.generation.writer import LONGEST_WRITE_SECONDS, SECONDS_A_STREAM, WRITE_SECONDS, Writer


@dataclass
class Owner:
    """What the runtime is to the writer; `holds` says whose row it still is."""

    active: dict[str, Active] = field(default_factory=dict)
    holds: bool = True
    abandoned: list[str] = field(default_factory=list)
    finished: list[Outcome] = field(default_factory=list)

    def find(self, key: str) -> Active | None:
        return self.active.get(key)

    def owned(self, actives: Sequence[Active]) -> set[str]:
        return {active.key for active in actives} if self.holds else set()

    def abandon(self, active: Active) -> None:
        active.lost = True
        self.abandoned.append(active.key)

    def proven(self, active: Active) -> None:
        pass

    def finish(self, active: Active, outcome: Outcome) -> None:
        self.finished.append(outcome)


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def writer(owner: Owner) -> Iterator[Writer]:
    """Its thread has nothing to do: the tests call its steps themselves."""
    writer = Writer(owner)
    yield writer
    writer.stop()


@pytest.fixture
def active(owner: Owner, redis: Any) -> Active:
    generation = Generation(id=uuid.uuid4(), attempt=1)
    active = Active(generation, 1, ModelVersion(name="m"))
    active.open(streams.take_over(redis, generation.pk, 1))
    owner.active[active.key] = active
    return active


def say(writer: Writer, active: Active, *words: str) -> None:
    """One engine step for each word."""
    for word in words:
        token = len(active.token_ids)
        writer._write({active.key: [StepOutput(active.key, text=word, token_ids=(token,))]})


def entries(redis: Any, active: Active) -> list[tuple[str, str, str]]:
    found = redis.xrange(active.stream)
    return [(id.decode(), fields[b"k"].decode(), fields.get(b"t", b"").decode()) for id, fields in found]


def test_an_append_compares_first(redis: Any) -> None:
    key = streams.key(uuid.uuid4())
    first, second = Write(key, "", "1-0", "attempt"), Write(key, "1-0", "1-1", "delta", "Tea", "5", 0)
    assert streams.write(redis, [first, second]) == [WRITTEN, WRITTEN]
    assert streams.write(redis, [second]) == [WRITTEN]
    assert redis.xlen(key) == 2
    assert streams.write(redis, [Write(key, "1-0", "1-2", "delta", "!")]) == ["1-1"]
    assert streams.write(redis, [Write(streams.key("gone"), "1-1", "1-2", "delta", "!")]) == [""]
    redis.set(f"{key}:other", "no stream")
    assert redis.xlen(key) == 2


def test_a_refusal_says_why_and_is_made_up_for(writer: Writer, active: Active, redis: Any) -> None:
    before = redis.config_get("maxmemory")["maxmemory"]
    redis.config_set("maxmemory", 1)
    try:
        say(writer, active, "Tea", " is")
        [answer] = streams.write(redis, [active.unsent[0]])
        assert answer.startswith(REFUSED)
    finally:
        redis.config_set("maxmemory", before)
    say(writer, active, " warm")
    assert [text for _, kind, text in entries(redis, active) if kind == "delta"] == ["Tea", " is", " warm"]
    assert not active.unsent


def test_a_stream_that_is_gone_is_written_anew(writer: Writer, active: Active, redis: Any) -> None:
    say(writer, active, "Tea", " is")
    redis.delete(active.stream)
    say(writer, active, " warm")
    writer._flush()
    say(writer, active, ".")
    assert [(kind, text) for _, kind, text in entries(redis, active)] == [
        ("reset", ""),
        ("delta", "Tea is warm"),
        ("delta", "."),
    ]
    assert streams.progress(streams.take_over(redis, active.id, 2)).token_ids == (0, 1, 2, 3)
    assert redis.ttl(active.stream) > 0


def test_a_stream_that_has_lost_its_end_is_written_anew(writer: Writer, active: Active, redis: Any) -> None:
    say(writer, active, "Tea", " is", " warm")
    redis.xdel(active.stream, active.last_id)
    say(writer, active, ".")
    writer._flush()
    assert entries(redis, active)[-2:] == [("1-5", "reset", ""), ("1-6", "delta", "Tea is warm.")]


def test_a_stream_of_a_later_attempt_is_left_alone(writer: Writer, active: Active, owner: Owner, redis: Any) -> None:
    say(writer, active, "Tea")
    streams.take_over(redis, active.id, 2)
    say(writer, active, " is")
    assert owner.abandoned == [active.key]
    assert entries(redis, active)[-1] == ("2-0", "attempt", "")


def test_who_has_lost_the_row_does_not_write_its_stream_anew(
    writer: Writer, active: Active, owner: Owner, redis: Any
) -> None:
    say(writer, active, "Tea")
    redis.delete(active.stream)
    owner.holds = False
    say(writer, active, " is")
    assert owner.abandoned == [active.key]
    assert not redis.exists(active.stream)


def test_outputs_that_come_together_are_one_entry(writer: Writer, active: Active, redis: Any) -> None:
    outputs = [StepOutput(active.key, text=word, token_ids=(n,)) for n, word in enumerate(("Tea", " is", " warm"))]
    writer._write({active.key: outputs})
    assert entries(redis, active)[-1] == ("1-1", "delta", "Tea is warm")


def test_an_end_is_told_although_redis_is_away(
    writer: Writer, active: Active, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> list[str]:
        raise ConnectionError("away")

    monkeypatch.setattr(streams, "write", away)
    last = StepOutput(active.key, text="Tea", token_ids=(1,), finish_reason="stop", completion_tokens=1)
    writer._write({active.key: [last]})
    assert [(outcome.text, outcome.completion_tokens) for outcome in owner.finished] == [("Tea", 1)]
    assert [write.text for write in active.unsent] == ["Tea"]


# ---------------------------------------------------------------- how often


def test_where_many_write_their_text_is_written_less_often(writer: Writer, owner: Owner, redis: Any) -> None:
    pauses = []
    for count in (1, 8, 16, 64):
        outputs = {}
        for number in range(count):
            generation = Generation(id=uuid.uuid4(), attempt=1)
            each = Active(generation, 1, ModelVersion(name="m"))
            each.open(streams.take_over(redis, generation.pk, 1))
            owner.active[each.key] = each
            outputs[each.key] = [StepOutput(each.key, text=str(number), token_ids=(number,))]
        writer._write(outputs)
        pauses.append(writer._pause)
    assert pauses == [WRITE_SECONDS, 8 * SECONDS_A_STREAM, 16 * SECONDS_A_STREAM, LONGEST_WRITE_SECONDS]
    writer._write({})
    assert writer._pause == LONGEST_WRITE_SECONDS


def test_the_first_text_and_the_last_wait_for_no_pause(owner: Owner, active: Active, redis: Any) -> None:
    """The pause is longer than the test waits, so that only what is urgent is written."""
    writer = Writer(owner)
    try:
        writer._pause, writer._written = 3600.0, time.monotonic()
        writer.put([StepOutput(active.key, text="Tea", token_ids=(0,))])
        wait_for(lambda: active.outputs == 1)
        writer._pause = 3600.0
        writer.put([StepOutput(active.key, text=" is", token_ids=(1,))])
        time.sleep(0.2)
        assert active.outputs == 1
        writer.put([StepOutput(active.key, text=" warm", token_ids=(2,), finish_reason="stop")])
        wait_for(lambda: owner.finished)
    finally:
        writer.stop()
    assert [text for _, kind, text in entries(redis, active) if kind == "delta"] == ["Tea", " is warm"]
