"""Cancel, deadlines, and other threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ml.engine.engine import LocalEngine
from ml.types import EngineError
from tests.ml.engine.driving import Answer, advance, drive, raw


def test_cancel_ends_a_running_request_and_keeps_its_text(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    whole = drive(engine, [raw("w", "A product", max_tokens=30), raw("m", "The fox", max_tokens=30)])
    answers = drive(
        engine,
        [raw("gone", "A product", max_tokens=30), raw("mate", "The fox", max_tokens=30)],
        until=lambda seen: len(seen["gone"].token_ids) == 5,
    )
    engine.cancel("gone")
    advance(engine, answers)
    assert answers["gone"].finish_reason == "cancelled"
    assert answers["gone"].token_ids == whole["w"].token_ids[:5]
    assert answers["mate"].token_ids == whole["m"].token_ids


def test_cancel_reaches_requests_that_still_wait(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    answers = drive(
        engine, [raw(f"r{index}", "x", max_tokens=8) for index in range(6)], until=lambda seen: bool(seen["r0"].outputs)
    )
    engine.cancel("r5")
    engine.cancel("never heard of")
    advance(engine, answers)
    assert answers["r5"].finish_reason == "cancelled"
    assert answers["r5"].token_ids == []
    assert answers["r4"].finish_reason == "length"


LONG = "The quick brown fox jumps over the lazy dog. " * 6


@pytest.mark.parametrize("how", ["cancelled", "deadline"])
@pytest.mark.parametrize("passes", range(5))
def test_a_prompt_that_is_half_computed_can_end(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, how: str, passes: int
) -> None:
    engine = engine_for()
    whole = drive(engine, [raw("w", LONG, max_tokens=12)])["w"]
    monkeypatch.setattr(engine._pace, "prompt_tokens", lambda *_: 16)
    monkeypatch.setattr(engine._scheduler, "limits", replace(engine._scheduler.limits, prompt_tokens=16))
    scope = f"{how} {passes}"
    long = replace(raw("long", LONG, max_tokens=12), cache_scope=scope)
    if how == "deadline":
        long = replace(long, deadline=0.0) if not passes else long
    answers = {"long": Answer(), "mate": Answer()}
    engine.submit(long)
    engine.submit(raw("mate", "The fox", max_tokens=12))
    for _ in range(passes):
        for output in engine.step(0.0):
            answers[output.request_id].add(output)
    assert not answers["long"].outputs
    if how == "cancelled":
        engine.cancel("long")
    elif passes:
        states = [*engine._scheduler.running, *engine._scheduler.waiting]
        monkeypatch.setattr(next(state for state in states if state.request is long), "request",
                            replace(long, deadline=0.0))  # fmt: skip
    computed = engine.stats().prefill_tokens
    advance(engine, answers)
    assert (answers["long"].finish_reason, answers["long"].token_ids) == (how, [])
    assert engine.stats().prefill_tokens - computed <= 16, "compute really stops"
    assert answers["mate"].token_ids == drive(engine, [raw("m", "The fox", max_tokens=12)])["m"].token_ids
    assert (engine.stats().running, engine.stats().cache_tokens_used) == (0, 0)
    reused = engine.stats().reused_tokens
    again = drive(engine, [replace(raw("again", LONG, max_tokens=12), cache_scope=scope)])["again"]
    assert again.token_ids == whole.token_ids
    assert engine.stats().reused_tokens - reused == 16 * passes, "what was computed until then is good"


@pytest.mark.parametrize("how", ["cancelled", "deadline"])
def test_a_request_that_gave_way_can_end(engine_for: Callable[..., LocalEngine], how: str) -> None:
    engine = engine_for(cache_tokens=256)
    requests = [replace(raw(f"r{index}", f"{index} " + LONG[:90], max_tokens=150, min_tokens=150), cache_scope=how)
                for index in range(3)]  # fmt: skip
    before = engine.stats().preemptions
    answers = drive(engine, requests, until=lambda _: engine.stats().preemptions > before)
    gone = engine._scheduler.waiting[0]
    if how == "cancelled":
        engine.cancel(gone.request_id)
    else:
        gone.request = replace(gone.request, deadline=0.0)
    written = list(gone.output_ids)
    advance(engine, answers)
    assert (answers[gone.request_id].finish_reason, answers[gone.request_id].token_ids) == (how, written)
    others = [answer for name, answer in answers.items() if name != gone.request_id]
    assert all(len(answer.token_ids) == 150 for answer in others)
    assert (engine.stats().running, engine.stats().cache_tokens_used) == (0, 0)


def test_a_deadline_ends_waiting_and_running_requests(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    past = replace(raw("past", "x"), deadline=time.monotonic() - 1)
    later = replace(raw("later", "x"), deadline=time.monotonic() + 3600)
    soon = replace(raw("soon", "A product", max_tokens=200, min_tokens=200), deadline=time.monotonic() + 3600)
    answers = drive(engine, [past, soon, later], until=lambda seen: len(seen["soon"].token_ids) == 5)
    state = next(state for state in engine._scheduler.running if state.request_id == "soon")
    state.request = replace(soon, deadline=time.monotonic())
    advance(engine, answers)
    assert answers["past"].finish_reason == answers["soon"].finish_reason == "deadline"
    assert (len(answers["past"].token_ids), len(answers["soon"].token_ids)) == (0, 5)
    assert answers["later"].finish_reason in ("length", "stop")


def test_the_same_id_twice_is_refused_while_it_runs(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    engine.submit(raw("one", "x"))
    with pytest.raises(EngineError, match="already"):
        engine.submit(raw("one", "x"))
    answers = {"one": Answer()}
    advance(engine, answers)
    assert answers["one"].finish_reason == "length"
    assert drive(engine, [raw("one", "x")])["one"].finish_reason == "length"


def test_step_waits_for_work_and_wakes_up(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    started = time.monotonic()
    assert engine.step(0.05) == []
    assert time.monotonic() - started >= 0.04
    threading.Timer(0.05, lambda: engine.submit(raw("late", "x", max_tokens=1))).start()
    started = time.monotonic()
    assert [output.finish_reason for output in engine.step(10.0)] == ["length"]
    assert time.monotonic() - started < 5


def test_many_threads_submit_and_cancel_while_it_steps(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    expected = {name: drive(engine, [raw("x", name, max_tokens=9)])["x"].token_ids for name in ("A", "The fox 🙂")}
    answers = {f"{thread}-{index}": Answer() for thread in range(6) for index in range(10)}

    def work(thread: int) -> None:
        for index in range(10):
            engine.submit(raw(f"{thread}-{index}", list(expected)[index % 2], max_tokens=9))
            if index % 5 == 4:
                engine.cancel(f"{thread}-{index}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    advance(engine, answers)
    for name, answer in answers.items():
        index = int(name.split("-")[1])
        whole = expected[list(expected)[index % 2]]
        assert answer.finish_reason in (("cancelled", "length") if index % 5 == 4 else ("length",))
        assert answer.token_ids == whole[: len(answer.token_ids)]
        assert answer.finish_reason == "cancelled" or answer.token_ids == whole
    assert engine.stats().cache_tokens_used == 0


def test_a_closed_engine_refuses_work(tiny_model: Callable[..., Any]) -> None:
    from ml.engine import ModelSpec, load_engine

    engine = load_engine(ModelSpec(source=str(tiny_model("llama"))))
    engine.close()
    with pytest.raises(EngineError) as caught:
        engine.submit(raw("x", "x"))
    assert caught.value.code == "engine_closed"
    assert engine.step(5.0) == []
