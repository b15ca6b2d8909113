"""Faults stay with the request that has them, and nothing of them stays behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from ml.engine.detokenizer import TextStream
from ml.engine.engine import LocalEngine
from ml.engine.faults import failure_of, run_or_split
from ml.engine.request import RequestState
from ml.engine.runner import completes
from ml.engine.scheduler import Scheduler, Turn
from ml.types import EngineError
from tests.ml.engine.driving import advance, drive, raw

POISON = "🙂"
PROMPT = "The quick brown fox jumps over the lazy dog. "
HEALTHY = {"a": "The fox", "b": "A product description", "c": "kettle " * 12}

Effect = Callable[[Sequence[Turn], torch.Tensor], torch.Tensor]


def poison(engine: LocalEngine, patch: pytest.MonkeyPatch, effect: Effect, before: bool = False) -> None:
    """Make passes misbehave that have the request "bad" in them."""
    compute = engine._runner.compute

    def poisoned(turns: Sequence[Turn]) -> torch.Tensor:
        hit = any(turn.state.request_id == "bad" for turn in turns)
        if hit and before:
            effect(turns, torch.empty(0))
        logits = compute(turns)
        return effect(turns, logits) if hit else logits

    patch.setattr(engine._runner, "compute", poisoned)


def raising(error: Exception) -> Effect:
    def effect(turns: Sequence[Turn], logits: torch.Tensor) -> torch.Tensor:
        raise error

    return effect


def not_a_number(turns: Sequence[Turn], logits: torch.Tensor) -> torch.Tensor:
    names = [turn.state.request_id for turn in turns if completes(turn)]
    if "bad" in names:
        logits[names.index("bad")] = float("nan")
    return logits


@contextmanager
def embedded_as_nan(engine: LocalEngine, text: str) -> Iterator[None]:
    """Make the last token of `text` a real poison: its embedding is not a number, and so is all that sees it."""
    token = engine._encoder.encode(raw("x", text))[-1]
    table = engine._runner._decoder.backend._weights.embedding  # type: ignore[attr-defined]
    with torch.inference_mode():
        saved = table[token].clone()
        table[token] = float("nan")
    try:
        yield
    finally:
        with torch.inference_mode():
            table[token] = saved


def at_rest(engine: LocalEngine) -> bool:
    stats, scheduler = engine.stats(), engine._scheduler
    everything_free = sorted(scheduler._free_slots) == list(range(engine.max_running))
    return everything_free and (stats.running, stats.waiting, stats.cache_tokens_used) == (0, 0, 0)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("effect", "code"),
    [
        (not_a_number, "invalid_logits"),
        (raising(RuntimeError("boom")), "engine_error"),
        (raising(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")), "out_of_memory"),
        (raising(torch.OutOfMemoryError("CUDA out of memory")), "out_of_memory"),
        (raising(MemoryError()), "out_of_memory"),
    ],
)
def test_a_poison_request_ends_alone(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, effect: Effect, code: str, before: bool
) -> None:
    engine = engine_for()
    expected = drive(engine, [raw(name, prompt, max_tokens=20) for name, prompt in HEALTHY.items()])
    poison(engine, monkeypatch, effect, before and effect is not not_a_number)
    answers = drive(
        engine,
        [raw("a", HEALTHY["a"], max_tokens=20), raw("bad", POISON, max_tokens=20),
         *(raw(name, HEALTHY[name], max_tokens=20) for name in "bc")],
    )  # fmt: skip
    assert (answers["bad"].finish_reason, answers["bad"].last.error_code) == ("error", code)
    assert answers["bad"].last.error_message
    assert "boom" not in answers["bad"].last.error_message
    for name in HEALTHY:
        assert answers[name].token_ids == expected[name].token_ids
    assert at_rest(engine)
    monkeypatch.undo()
    assert drive(engine, [raw("bad", POISON, max_tokens=3)])["bad"].finish_reason == "length"


class PanicException(BaseException):
    """By its name what a library in Rust raises; that is tested with a real one in tests/ml/test_panics.py."""


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryError(), "out_of_memory"), (PanicException("at the tokenizer's"), "engine_error")]
)
def test_a_prompt_that_cannot_be_encoded_is_refused_with_a_code(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: str
) -> None:
    engine = engine_for()

    def fail(text: str) -> list[int]:
        raise error

    monkeypatch.setattr(engine._encoder, "_encode", fail)
    with pytest.raises(EngineError) as refused:
        engine.submit(raw("bad", POISON))
    assert refused.value.code == code
    assert "tokenizer's" not in str(refused.value)
    assert at_rest(engine)


@pytest.mark.parametrize("when", range(1, 6))
def test_a_request_that_fails_late_keeps_what_it_wrote(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    engine, counter = engine_for(), itertools.count(1)
    expected = drive(engine, [raw("x", "The fox", max_tokens=9)])["x"]

    def late(turns: Sequence[Turn], logits: torch.Tensor) -> torch.Tensor:
        return not_a_number(turns, logits) if next(counter) == when else logits

    poison(engine, monkeypatch, late)
    answers = drive(engine, [raw("bad", "The fox", max_tokens=9), raw("good", "The fox", max_tokens=9)])
    assert answers["good"].token_ids == expected.token_ids
    assert answers["bad"].token_ids == expected.token_ids[: when - 1]
    assert answers["bad"].last.completion_tokens == when - 1
    assert at_rest(engine)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_what_is_not_a_number_in_the_cache_reaches_nobody_else(
    engine_for: Callable[..., LocalEngine], family: str
) -> None:
    """The poisoned blocks go to other requests, which do not notice."""
    engine = engine_for(family, cache_tokens=256)
    prompts = {f"r{index}": f"{index} {PROMPT}" for index in range(3)}
    requests = [raw(name, prompt, max_tokens=20) for name, prompt in prompts.items()]
    expected = drive(engine, requests)
    with embedded_as_nan(engine, POISON):
        bad = raw("bad", (PROMPT + POISON) * 3)
        answers = drive(engine, [requests[0], bad, *requests[1:]])
        assert answers["bad"].last.error_code == "invalid_logits"
        for _ in range(3):
            assert drive(engine, [bad])["bad"].last.error_code == "invalid_logits"
        keys = engine._runner._decoder.backend.keys  # type: ignore[attr-defined]
        assert bool(keys.isnan().any()), "the test poisoned nothing"
    again = drive(engine, requests)
    for name in prompts:
        assert answers[name].token_ids == again[name].token_ids == expected[name].token_ids
    assert at_rest(engine)


def test_the_cache_of_a_failed_request_is_not_shared(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, so that blocks are known to others before the failure shows."""
    engine = engine_for()
    monkeypatch.setattr(engine._pace, "prompt_tokens", lambda *_: 16)
    monkeypatch.setattr(engine._scheduler, "limits", replace(engine._scheduler.limits, prompt_tokens=16))
    request = raw("bad", "not shared " + POISON + PROMPT * 3, max_tokens=8)
    with embedded_as_nan(engine, POISON):
        assert drive(engine, [request])["bad"].last.error_code == "invalid_logits"
    reused = engine.stats().reused_tokens
    first = drive(engine, [request])["bad"]
    assert engine.stats().reused_tokens == reused, "a failed request's blocks were shared"
    second = drive(engine, [request])["bad"]
    assert engine.stats().reused_tokens > reused
    assert first.finish_reason == second.finish_reason == "length"
    assert first.token_ids == second.token_ids


def test_a_step_that_fails_as_a_whole_ends_what_runs_and_goes_on(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    requests = [raw(f"r{index}", "A product", max_tokens=8) for index in range(5)]
    answers = drive(engine, requests, until=lambda seen: bool(seen["r0"].outputs))

    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Scheduler, "next_pass", broken)
        outputs = engine.step(0.05)
    assert sorted(output.request_id for output in outputs) == ["r0", "r1", "r2", "r3"]
    assert {output.error_code for output in outputs} == {"engine_error"}
    waiting = {"r4": answers["r4"]}
    advance(engine, waiting)
    assert waiting["r4"].token_ids == drive(engine, [requests[0]])["r0"].token_ids
    assert at_rest(engine)


@pytest.mark.parametrize("method", ["push", "finish"])
@pytest.mark.parametrize("ending", ["length", "cancelled"])
def test_a_tokenizer_that_fails_ends_one_request(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, method: str, ending: str
) -> None:
    engine = engine_for()
    requests = [raw(name, prompt, max_tokens=8) for name, prompt in HEALTHY.items()]
    expected = drive(engine, requests)
    true = getattr(TextStream, method)
    streams: list[TextStream] = []

    def broken(self: TextStream, *args: Any) -> str:
        if self in streams:
            raise ValueError("a tokenizer's bug")
        return str(true(self, *args))

    monkeypatch.setattr(TextStream, method, broken)
    answers = drive(engine, [*requests, raw("bad", POISON, max_tokens=8)], until=lambda seen: bool(seen["bad"].outputs))
    streams += [state.text for state in engine._scheduler.running if state.request_id == "bad"]
    if ending == "cancelled":
        engine.cancel("bad")
    advance(engine, answers)
    if (method, ending) != ("push", "cancelled"):  # where nothing is pushed any more, nothing fails
        assert answers["bad"].last.error_code == "engine_error"
    for name in HEALTHY:
        assert answers[name].token_ids == expected[name].token_ids
    assert at_rest(engine)


def test_a_sampler_that_fails_ends_one_request(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    requests = [raw(name, prompt, max_tokens=8) for name, prompt in HEALTHY.items()]
    expected = drive(engine, requests)
    true = engine._sampler.sample

    def sample(logits: torch.Tensor, states: Any) -> Any:
        if any(state.request_id == "bad" for state in states):
            raise ValueError("a bug")
        return true(logits, states)

    monkeypatch.setattr(engine._sampler, "sample", sample)
    answers = drive(engine, [requests[0], raw("bad", POISON, max_tokens=8), *requests[1:]])
    assert answers["bad"].last.error_code == "engine_error"
    for name in HEALTHY:
        assert answers[name].token_ids == expected[name].token_ids
    assert at_rest(engine)


def test_a_pass_without_memory_is_computed_in_halves(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's fault and nobody's end: half the requests need half the memory."""
    engine, tried = engine_for(), []
    requests = [raw(name, prompt, max_tokens=20) for name, prompt in HEALTHY.items()]
    expected = drive(engine, requests)
    compute = engine._runner.compute

    def narrow(turns: Sequence[Turn]) -> torch.Tensor:
        tried.append(len(turns))
        if len(turns) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(turns)

    monkeypatch.setattr(engine._runner, "compute", narrow)
    answers = drive(engine, requests)
    assert max(tried) == 3
    for name in HEALTHY:
        assert answers[name].finish_reason == expected[name].finish_reason
        assert answers[name].token_ids == expected[name].token_ids
    assert at_rest(engine)


@pytest.mark.parametrize("bad", [set(), {0}, {6}, {2, 3}, set(range(7))])
def test_only_the_rows_at_fault_fail(bad: set[int]) -> None:
    calls: list[tuple[int, int]] = []

    def call(start: int, stop: int) -> torch.Tensor:
        calls.append((start, stop))
        if bad & set(range(start, stop)):
            raise RuntimeError("boom")
        return torch.arange(start, stop)

    results = run_or_split(call, 0, 7)
    assert [(start, stop) for start, stop, _ in results] == sorted((start, stop) for start, stop, _ in results)
    assert [row for start, stop, _ in results for row in range(start, stop)] == list(range(7))
    for start, stop, result in results:
        if isinstance(result, Exception):
            assert (stop - start, start in bad) == (1, True)
        else:
            assert result.tolist() == list(range(start, stop))
            assert not bad & set(result.tolist())
    assert len(calls) <= 2 * 7 - 1


def test_results_of_halves_may_lie_in_the_same_place() -> None:
    """A recorded graph puts the logits of every replay where the last ones were."""
    place = torch.zeros(2)

    def call(start: int, stop: int) -> torch.Tensor:
        if stop - start > 2:
            raise RuntimeError("boom")
        place[: stop - start] = torch.arange(start, stop)
        return place[: stop - start]

    results = run_or_split(call, 0, 4)
    assert [result.tolist() for *_, result in results if isinstance(result, torch.Tensor)] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("where", ["pass", "sampling"])
def test_a_lost_device_ends_the_process_instead_of_every_request(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    engine = engine_for()
    gone = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def fails(*_: Any) -> Any:
        raise gone

    target = (engine._runner, "compute") if where == "pass" else (engine._sampler, "sample")
    with monkeypatch.context() as patch:
        patch.setattr(*target, fails)
        patch.setattr(torch.cuda, "synchronize", lambda: None)
        answer = drive(engine, [raw("r", "The fox")])["r"]
        assert answer.last.error_code == "engine_error", "an error that passes is one request's"
        patch.setattr(torch.cuda, "synchronize", fails)
        engine.submit(raw("r", "The fox"))
        with pytest.raises(torch.AcceleratorError):
            engine.step(0.05)
    engine._abandon(failure_of(gone))  # the engine is shared with other tests, which a real one is not
    assert at_rest(engine)


def test_what_has_ended_before_a_step_fails_is_still_said(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    answers = drive(engine, [raw("done", "The fox"), raw("r", "A product")], until=lambda seen: bool(seen["r"].outputs))
    true = RequestState.take_output

    def broken(state: RequestState, *args: Any) -> Any:
        if state.request_id == "r" and not args:
            raise ValueError("a bug")
        return true(state, *args)

    with monkeypatch.context() as patch:
        patch.setattr(RequestState, "take_output", broken)
        engine.cancel("done")
        outputs = {output.request_id: output for output in engine.step(0.05)}
    assert outputs["done"].finish_reason == "cancelled"
    assert outputs["r"].error_code == "engine_error"
    assert not answers["done"].finish_reason
    assert at_rest(engine)


def test_a_whole_batch_that_fails_leaves_an_engine_that_works(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    requests = [raw(name, prompt, max_tokens=12) for name, prompt in HEALTHY.items()]
    expected = drive(engine, requests)
    for error in (RuntimeError("boom"), torch.OutOfMemoryError(), MemoryError()):
        monkeypatch.setattr(engine._runner, "compute", raising_always(error))
        answers = drive(engine, requests)
        assert {answer.finish_reason for answer in answers.values()} == {"error"}
        assert at_rest(engine)
        monkeypatch.undo()
        again = drive(engine, requests)
        assert {name: again[name].token_ids for name in HEALTHY} == {name: expected[name].token_ids for name in HEALTHY}


def raising_always(error: Exception) -> Callable[[Sequence[Turn]], torch.Tensor]:
    def compute(turns: Sequence[Turn]) -> torch.Tensor:
        raise error

    return compute
