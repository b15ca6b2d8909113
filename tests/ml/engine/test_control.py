"""Cancel, deadlines, and faults that stay with the request that has them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

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


def _poisoned(engine: LocalEngine, token: int, monkeypatch: pytest.MonkeyPatch, effect: Callable[[Any], Any]) -> None:
    """Make the model misbehave for the rows whose input ends with `token`."""
    forward = engine._loaded.model.forward

    def poisoned(*args: Any, **kwargs: Any) -> Any:
        hit = (kwargs["input_ids"] == token).any(-1)
        output = forward(*args, **kwargs)
        return effect((output, hit)) if bool(hit.any()) else output

    monkeypatch.setattr(engine._loaded.model, "forward", poisoned)


def _raising(message: str) -> Callable[[Any], Any]:
    def effect(_: Any) -> Any:
        raise RuntimeError(message)

    return effect


def _nan(found: Any) -> Any:
    output, hit = found
    output.logits[hit] = float("nan")
    return output


@pytest.mark.parametrize(
    ("effect", "code"),
    [
        (_nan, "invalid_logits"),
        (_raising("boom"), "engine_error"),
        (_raising("DefaultCPUAllocator: not enough memory: you tried to allocate"), "out_of_memory"),
    ],
)
def test_a_poison_request_ends_alone(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, effect: Callable[[Any], Any], code: str
) -> None:
    engine = engine_for()
    tokenizer = engine._loaded.tokenizer
    poison = tokenizer("🙂")["input_ids"][-1]
    healthy = {"a": "The fox", "b": "A product description", "c": "kettle"}
    expected = drive(engine, [raw(name, prompt, max_tokens=20) for name, prompt in healthy.items()])
    assert not any(poison in answer.token_ids for answer in expected.values())
    _poisoned(engine, poison, monkeypatch, effect)
    answers = drive(
        engine,
        [raw("a", "The fox", max_tokens=20), raw("bad", "🙂", max_tokens=20),
         *(raw(name, healthy[name], max_tokens=20) for name in "bc")],
    )  # fmt: skip
    assert (answers["bad"].finish_reason, answers["bad"].last.error_code) == ("error", code)
    assert answers["bad"].last.error_message
    for name in healthy:
        assert answers[name].token_ids == expected[name].token_ids
    monkeypatch.undo()
    assert drive(engine, [raw("bad", "🙂", max_tokens=3)])["bad"].finish_reason == "length"


def test_not_a_number_in_the_cache_does_not_reach_the_rows_next_user(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    expected = drive(engine, [raw("x", "The fox", max_tokens=20)])["x"].token_ids

    def spoil(found: Any) -> Any:
        cache = engine._runner.cache
        for layer in cache.layers:
            layer.values[cache.start : cache.stop] = float("nan")
        return _nan(found)

    _poisoned(engine, engine._loaded.tokenizer("🙂")["input_ids"][-1], monkeypatch, spoil)
    bad = drive(engine, [raw("bad", "🙂" * 12)])["bad"]
    monkeypatch.undo()
    assert bad.last.error_code == "invalid_logits"
    assert drive(engine, [raw("x", "The fox", max_tokens=20)])["x"].token_ids == expected


def test_no_memory_for_the_cache_is_a_typed_failure(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    answers = drive(engine, [raw("old", "x", max_tokens=12)], until=lambda seen: bool(seen["old"].token_ids))
    monkeypatch.setattr(engine._runner.cache, "reserve", full)
    new = [raw("n1", "x"), raw("n2", "A product")]
    drive(engine, new, until=lambda seen: all(answer.outputs for answer in seen.values()), joining=answers)
    monkeypatch.undo()
    advance(engine, answers)
    assert answers["n1"].last.error_code == answers["n2"].last.error_code == "out_of_memory"
    assert answers["old"].finish_reason == "length"


def test_a_step_that_fails_as_a_whole_ends_what_runs_and_goes_on(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    requests = [raw(f"r{index}", "A product", max_tokens=8) for index in range(5)]
    answers = drive(engine, requests, until=lambda seen: bool(seen["r0"].outputs))

    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "_advance", broken)
        outputs = engine.step(0.05)
    assert sorted(output.request_id for output in outputs) == ["r0", "r1", "r2", "r3"]
    assert {output.error_code for output in outputs} == {"engine_error"}
    waiting = {"r4": answers["r4"]}
    advance(engine, waiting)
    assert waiting["r4"].token_ids == drive(engine, [requests[0]])["r0"].token_ids


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
