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


def test_a_deadline_ends_waiting_and_running_requests(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    past = replace(raw("past", "x"), deadline=time.monotonic() - 1)
    soon = replace(raw("soon", "A product", max_tokens=200), deadline=time.monotonic() + 0.05)
    answers = drive(engine, [past, soon, raw("free", "x")])
    assert answers["past"].finish_reason == answers["soon"].finish_reason == "deadline"
    assert answers["past"].token_ids == []
    assert 0 < len(answers["soon"].token_ids) < 200
    assert answers["free"].finish_reason == "length"


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
