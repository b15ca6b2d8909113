"""However the work is cut, shared or interrupted, answers are token for token those of generate()."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ml.engine.engine import LocalEngine
from ml.types import EngineRequest
from tests.ml.conftest import CONFIGS, TEXTS, VARIANTS
from tests.ml.engine.conftest import Generated
from tests.ml.engine.driving import drive, raw

FAMILIES = sorted(CONFIGS)
WORDS = " ".join(TEXTS) * 8
ANSWER = 24


def prompt_of(tokenizer: Any, count: int, start: int = 0) -> str:
    """Return a text of exactly `count` tokens."""
    text = WORDS[start:]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(tokenizer(text[:middle])["input_ids"]) <= count else (low, middle - 1)
    text = text[:low]
    while len(tokenizer(text)["input_ids"]) < count:
        text += "x"
    assert len(tokenizer(text)["input_ids"]) == count
    return text


@pytest.fixture(scope="session")
def prompts(tokenizer_of: Callable[..., Any]) -> dict[str, str]:
    """Short and long ones, shorter and longer than the window of 16, none beginning like another."""
    lengths = {"a": 3, "b": 150, "c": 37, "d": 90, "e": 17}
    return {name: prompt_of(tokenizer_of(), count, 7 * index) for index, (name, count) in enumerate(lengths.items())}


def in_parts(engine: LocalEngine, patch: pytest.MonkeyPatch, tokens: int) -> None:
    """Compute at most so many tokens of prompts in a pass."""
    patch.setattr(engine._pace, "prompt_tokens", lambda *_: tokens)
    patch.setattr(engine._scheduler, "limits", replace(engine._scheduler.limits, prompt_tokens=tokens))


def own_scope(request: EngineRequest, scope: str) -> EngineRequest:
    return replace(request, cache_scope=scope)


def staggered(engine: LocalEngine, requests: list[EngineRequest]) -> dict[str, list[int]]:
    """Submit one request after the other, each when the one before has written two tokens."""
    answers: Any = {}
    for request in requests:
        name = request.request_id
        drive(engine, [request], until=lambda seen, name=name: len(seen[name].token_ids) >= 2, joining=answers)
    drive(engine, [], joining=answers)
    return {name: answer.token_ids for name, answer in answers.items()}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tokens", [7, 40])
def test_prompts_in_parts(
    engine_for: Callable[..., LocalEngine], generated: Generated, monkeypatch: pytest.MonkeyPatch,
    prompts: dict[str, str], family: str, tokens: int,
) -> None:  # fmt: skip
    """Parts below and above the length from which attention is computed as products of matrices."""
    engine = engine_for(family)
    in_parts(engine, monkeypatch, tokens)
    before = engine.stats()
    requests = [own_scope(raw(name, text, max_tokens=ANSWER), f"parts {tokens}") for name, text in prompts.items()]
    answers = staggered(engine, requests)
    after = engine.stats()
    assert after.reused_tokens == before.reused_tokens
    assert after.prefill_tokens - before.prefill_tokens >= 290
    assert after.steps - before.steps >= 290 // tokens
    for name, text in prompts.items():
        assert answers[name] == generated(text, ANSWER, family), name


@pytest.mark.parametrize("family", FAMILIES)
def test_a_shared_beginning(
    engine_for: Callable[..., LocalEngine], generated: Generated, prompts: dict[str, str], family: str
) -> None:
    engine, stats = engine_for(family), []
    for name, scope in (("first", "ours"), ("again", "ours"), ("other", "theirs")):
        answers = drive(engine, [own_scope(raw(name, prompts["b"], max_tokens=ANSWER), scope)])
        stats.append(engine.stats())
        assert answers[name].token_ids == generated(prompts["b"], ANSWER, family)
        assert answers[name].last.prompt_tokens == 150, "what is shared is still part of the prompt"
    reused = [stats[index].reused_tokens - stats[0].reused_tokens for index in (1, 2)]
    computed = [stats[index].prefill_tokens - stats[0].prefill_tokens for index in (1, 2)]
    assert reused == [144, 144], "nine full blocks, and nothing beyond the scope"
    assert computed == [6, 156]


@pytest.mark.parametrize("family", FAMILIES)
def test_beginnings_shared_while_both_run(
    engine_for: Callable[..., LocalEngine], generated: Generated, prompts: dict[str, str], family: str
) -> None:
    engine, system = engine_for(family), prompts["d"]
    before = engine.stats().reused_tokens
    texts = {f"r{index}": system + ending for index, ending in enumerate((" fox", " product", " kettle", ""))}
    requests = [own_scope(raw(name, text, max_tokens=ANSWER), "together") for name, text in texts.items()]
    answers = staggered(engine, requests)
    assert engine.stats().reused_tokens - before >= 3 * 64
    for name, text in texts.items():
        assert answers[name] == generated(text, ANSWER, family), text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_small_cache_with_requests_that_give_way(
    engine_for: Callable[..., LocalEngine], generated: Generated, prompts: dict[str, str], family: str
) -> None:
    """The cache holds half of what the four need in the end: some are interrupted and computed again."""
    engine = engine_for(family, cache_tokens=192)
    before, most = engine.stats(), 0

    def watch(_: Any) -> bool:
        nonlocal most
        most = max(most, engine.stats().cache_tokens_used)
        return False

    names = ("a", "c", "d", "e")
    requests = [own_scope(raw(name, prompts[name], max_tokens=50), f"tight {family}") for name in names]
    answers = drive(engine, requests, until=watch)
    after = engine.stats()
    assert after.preemptions > before.preemptions
    assert 128 <= most <= after.cache_tokens_total == 192
    for name in names:
        answer = answers[name]
        assert answer.token_ids == generated(prompts[name], 50, family), name
        assert answer.last.completion_tokens == len(answer.token_ids)
        assert all(len(output.token_ids) <= 1 and not output.restarted for output in answer.outputs)


def test_chance_is_the_same_after_giving_way(engine_for: Callable[..., LocalEngine], prompts: dict[str, str]) -> None:
    engine, alone = engine_for(cache_tokens=192), engine_for()
    how: dict[str, Any] = {"temperature": 1.1, "top_p": 0.95, "repetition_penalty": 1.2, "max_tokens": 60}
    names = ("a", "c", "d", "e")
    requests = [own_scope(raw(name, prompts[name], seed=len(prompts[name]), **how), "chance") for name in names]
    expected = {name: drive(alone, [request])[name] for name, request in zip(names, requests, strict=True)}
    before = engine.stats().preemptions
    answers = drive(engine, requests)
    assert engine.stats().preemptions > before
    for name in names:
        assert answers[name].token_ids == expected[name].token_ids
        assert answers[name].text == expected[name].text


@pytest.mark.parametrize("family", FAMILIES)
def test_up_to_the_last_position(
    engine_for: Callable[..., LocalEngine], generated: Generated, tokenizer_of: Callable[..., Any], family: str
) -> None:
    prompt = prompt_of(tokenizer_of(), 225, 5)
    answer = drive(engine_for(family), [raw("r", prompt, max_tokens=500)])["r"]
    assert answer.token_ids == generated(prompt, 256 - 225, family)
    ended = answer.finish_reason == "stop"
    assert ended or answer.last.prompt_tokens + answer.last.completion_tokens == 256


@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 255, 256, 257])
def test_prompts_that_end_at_the_border_of_a_block(
    engine_for: Callable[..., LocalEngine], generated: Generated, tokenizer_of: Callable[..., Any], length: int
) -> None:
    prompt = prompt_of(tokenizer_of(), length, length % 40)
    engine = engine_for("llama-long")
    answers = drive(engine, [own_scope(raw("r", prompt, max_tokens=18), f"length {length}")])
    before = engine.stats().reused_tokens
    answers |= drive(engine, [own_scope(raw("again", prompt, max_tokens=18), f"length {length}")])
    assert engine.stats().reused_tokens - before == (length - 1) // 16 * 16
    assert answers["r"].token_ids == answers["again"].token_ids == generated(prompt, 18, "llama-long")


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - {"llama-long"}))
def test_stretched_positions(
    engine_for: Callable[..., LocalEngine], generated: Generated, tokenizer_of: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch, variant: str,
) -> None:  # fmt: skip
    engine = engine_for(variant)
    texts = {str(length): prompt_of(tokenizer_of(), length, length % 40) for length in (20, 130, 400)}
    whole = drive(engine, [raw(name, text, max_tokens=ANSWER) for name, text in texts.items()])
    in_parts(engine, monkeypatch, 48)
    parts = drive(engine, [own_scope(raw(name, text, max_tokens=ANSWER), "parts") for name, text in texts.items()])
    for name, text in texts.items():
        assert whole[name].token_ids == parts[name].token_ids == generated(text, ANSWER, variant), name


def test_everything_at_once(
    engine_for: Callable[..., LocalEngine], generated: Generated, monkeypatch: pytest.MonkeyPatch,
    prompts: dict[str, str], tokenizer_of: Callable[..., Any],
) -> None:  # fmt: skip
    """Parts, shared beginnings, a small cache, cancellations and arrivals at any time."""
    engine = engine_for("llama", max_running=5, cache_tokens=288)
    in_parts(engine, monkeypatch, 24)
    before = engine.stats()
    texts = [prompts["d"] + ending for ending in ("", " fox", " product")] + list(prompts.values())
    answers: Any = {}
    for index in range(24):
        text = texts[index * 5 % len(texts)]
        request = raw(f"r{index}", text, max_tokens=10 + index % 3 * 20)
        drive(engine, [request], until=lambda seen: sum(not a.outputs for a in seen.values()) < 5, joining=answers)
        if index % 6 == 5:
            engine.cancel(f"r{index - 3}")
    drive(engine, [], joining=answers)
    after = engine.stats()
    assert after.preemptions > before.preemptions
    assert after.reused_tokens > before.reused_tokens
    assert (after.running, after.cache_tokens_used) == (0, 0)
    for index in range(24):
        answer, expected = answers[f"r{index}"], generated(texts[index * 5 % len(texts)], 50)
        limit = 10 + index % 3 * 20
        assert answer.token_ids == expected[: len(answer.token_ids)], index
        assert answer.finish_reason == "cancelled" or len(answer.token_ids) == min(limit, len(expected))
