"""Filters mean what they mean in transformers, and chance depends on seed and position alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from ml.engine import sampler as sampling
from ml.engine.detokenizer import TextStream
from ml.engine.engine import LocalEngine
from ml.engine.request import RequestState
from ml.engine.sampler import CANDIDATES, Sampler, uniform
from ml.types import EngineRequest, SamplingParams
from tests.ml.engine.conftest import Generated
from tests.ml.engine.driving import drive, raw

VOCABULARY = 1000


def state(name: str = "r", prompt: tuple[int, ...] = (5, 6, 7), **params: Any) -> RequestState:
    request = EngineRequest(name, SamplingParams(**{"seed": 1, **params}), prompt="x")
    return RequestState(request, prompt, 10_000, TextStream(pieces=None))  # type: ignore[arg-type]


def reference(logits: torch.Tensor, state: RequestState) -> torch.Tensor:
    """The distribution from which generate() samples, [vocabulary]."""
    params = state.sampling
    steps = LogitsProcessorList()
    if params.repetition_penalty != 1.0:
        steps.append(RepetitionPenaltyLogitsProcessor(params.repetition_penalty))
    if params.temperature >= 1e-5:
        steps.append(TemperatureLogitsWarper(params.temperature))
    if params.top_k:
        steps.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        steps.append(TopPLogitsWarper(params.top_p))
    ids = torch.tensor([state.tokens()])
    return steps(ids, logits[None].clone())[0].softmax(-1)


def drawn(logits: torch.Tensor, state: RequestState, monkeypatch: pytest.MonkeyPatch, points: int) -> torch.Tensor:
    """The distribution from which the sampler draws: how often each token comes for evenly spread chance."""
    spread = iter([(index + 0.5) / points for index in range(points)])
    monkeypatch.setattr(sampling, "uniform", lambda seed, position: next(spread))
    tokens = Sampler().sample(logits.expand(points, -1), [state] * points)
    return torch.tensor(tokens).bincount(minlength=len(logits)) / points


FILTERS: list[dict[str, Any]] = [
    {"temperature": 1.0, "top_p": 1.0},
    {"temperature": 0.7, "top_p": 0.8},
    {"temperature": 1.0, "top_p": 1.0, "top_k": 12},
    {"temperature": 1.3, "top_p": 0.9, "top_k": 40},
    {"temperature": 0.9, "top_p": 0.95, "repetition_penalty": 1.4},
    {"temperature": 5.0, "top_p": 0.97},
    {"temperature": 3.0, "top_p": 1.0, "top_k": CANDIDATES + 100},
    {"temperature": 1.0, "top_p": 1e-6},
]


def check_distribution(logits: torch.Tensor, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    request = state(prompt=(int(logits.argmax()), 3, 9), **params)
    expected = reference(logits, request)
    found = drawn(logits, request, monkeypatch, points=4000)
    assert set(found.nonzero().flatten().tolist()) <= set(expected.nonzero().flatten().tolist())
    assert (found - expected).abs().max() <= 1.5 / 4000


@pytest.mark.parametrize("params", FILTERS)
def test_the_distribution_is_that_of_transformers(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(3)) * 2
    check_distribution(logits, params, monkeypatch)


# With top-p, which of several equally likely tokens stays is left open, so only top-k is compared here.
@pytest.mark.parametrize("params", [params for params in FILTERS if params["top_p"] == 1.0])
def test_ties_stay_together_as_in_transformers(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(3)) * 2
    check_distribution((logits * 4).round() / 4, params, monkeypatch)


def test_greedy_with_a_penalty_is_generates_choice() -> None:
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(4))
    best = int(logits.argmax())
    request = state(prompt=(best,), temperature=0.0, repetition_penalty=5.0)
    assert Sampler().sample(logits[None], [request]) == [int(reference(logits, request).argmax())]
    assert int(reference(logits, request).argmax()) != best


def test_the_engine_penalises_prompt_and_answer_like_generate(
    engine_for: Callable[..., LocalEngine], generated: Generated
) -> None:
    engine, prompt = engine_for(), "The kettle sings"
    answer = drive(engine, [raw("p", prompt, max_tokens=40, repetition_penalty=1.7)])["p"]
    plain = drive(engine, [raw("q", prompt, max_tokens=40)])["q"]
    assert answer.token_ids == generated(prompt, 40, repetition_penalty=1.7)
    assert plain.token_ids == generated(prompt, 40) != answer.token_ids


def test_rows_of_a_batch_do_not_influence_each_other() -> None:
    logits = torch.randn(6, VOCABULARY, generator=torch.Generator().manual_seed(5)) * 3
    requests = [
        state("greedy", temperature=0.0),
        state("plain", temperature=1.0, top_p=1.0, seed=11),
        state("nucleus", temperature=0.8, top_p=0.9, seed=12),
        state("wide", temperature=9.0, top_p=0.99, seed=13),
        state("top", temperature=1.0, top_p=1.0, top_k=5, seed=14),
        state("penalty", temperature=0.8, top_p=0.9, repetition_penalty=1.3, seed=15),
    ]
    together = Sampler().sample(logits, requests)
    alone = [Sampler().sample(logits[[row]], [request])[0] for row, request in enumerate(requests)]
    assert together == alone


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_fails_its_own_row(wrong: float) -> None:
    logits = torch.randn(3, VOCABULARY)
    logits[1, 17] = wrong
    tokens = Sampler().sample(logits, [state("a", temperature=0.0), state("b"), state("c")])
    assert tokens[1] is None
    assert tokens[0] == int(logits[0].argmax())
    assert tokens[2] is not None


@pytest.mark.parametrize("how", [{"temperature": 0.0}, {"temperature": 0.8}, {"temperature": 9.0, "top_p": 1.0}])
def test_an_end_is_not_drawn_before_its_time(how: dict[str, Any]) -> None:
    logits = torch.zeros(2, VOCABULARY)
    logits[:, 7], logits[:, 8] = 50.0, 20.0
    early, late = state("early", min_tokens=3, **how), state("late", min_tokens=3, **how)
    late.output_ids = [1, 2, 3]
    tokens = Sampler(ends=[7]).sample(logits.clone(), [early, late])
    assert tokens[0] != 7
    assert how["temperature"] > 1 or tokens == [8, 7]


def test_forbidden_tokens_are_never_drawn() -> None:
    logits = torch.full((1, VOCABULARY), float("-inf"))
    logits[0, [3, 900]] = 0.0
    chosen = {Sampler().sample(logits, [state(seed=seed, temperature=2.0, top_p=1.0)])[0] for seed in range(40)}
    assert chosen == {3, 900}


def test_chance_is_even_and_its_own_for_each_seed_and_position() -> None:
    numbers = [uniform(seed, position) for seed in range(100) for position in range(100)]
    assert len(set(numbers)) == 10_000
    assert all(0 <= number < 1 for number in numbers)
    buckets = Counter(int(number * 10) for number in numbers)
    assert all(900 < buckets[bucket] < 1100 for bucket in range(10))
    assert uniform(-1, 0) != uniform(2**80, 0)


def test_a_seed_gives_the_same_text_in_any_company(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    hot = {"temperature": 1.2, "top_p": 0.95, "max_tokens": 24}
    alone = drive(engine, [raw("a", "A product", seed=42, **hot)])["a"]
    mates = [raw(f"m{index}", "The fox " * index, temperature=1.0, seed=index) for index in range(1, 6)]
    crowd = drive(engine, [*mates[:3], raw("a", "A product", seed=42, **hot), *mates[3:]])["a"]
    other = drive(engine, [raw("a", "A product", seed=43, **hot)])["a"]
    assert crowd.token_ids == alone.token_ids != other.token_ids


def test_without_a_seed_answers_differ(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    requests = [raw(f"r{index}", "A product", temperature=1.5, top_p=1.0, max_tokens=12) for index in range(3)]
    answers = drive(engine, requests)
    assert len({tuple(answer.token_ids) for answer in answers.values()}) == 3
