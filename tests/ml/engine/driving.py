"""Running an engine from a test: submit, step until everything has ended, collect."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ml.engine.engine import LocalEngine
from ml.engine.sampler import Sampler
from ml.types import Engine, EngineRequest, Message, Progress, SamplingParams, StepOutput


@dataclass
class Answer:
    """What a client would have seen of one request."""

    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    outputs: list[StepOutput] = field(default_factory=list)

    @property
    def last(self) -> StepOutput:
        return self.outputs[-1]

    @property
    def finish_reason(self) -> str | None:
        return self.last.finish_reason

    def add(self, output: StepOutput) -> None:
        if output.restarted:
            self.text, self.token_ids = "", []
        self.text += output.text
        self.token_ids += output.token_ids
        self.outputs.append(output)


def raw(request_id: str, prompt: str, progress: Progress | None = None, **sampling: Any) -> EngineRequest:
    """A request with a raw prompt, greedy unless the test says otherwise."""
    params = SamplingParams(**{"temperature": 0.0, "max_tokens": 16, **sampling})
    return EngineRequest(request_id, params, prompt=prompt, progress=progress or Progress())


def chat(request_id: str, *turns: tuple[str, str], **sampling: Any) -> EngineRequest:
    params = SamplingParams(**{"temperature": 0.0, "max_tokens": 16, **sampling})
    return EngineRequest(request_id, params, messages=tuple(Message(role, text) for role, text in turns))  # type: ignore[arg-type]


def drive(
    engine: Engine,
    requests: Iterable[EngineRequest],
    until: Callable[[dict[str, Answer]], bool] | None = None,
    seconds: float = 120.0,
    joining: dict[str, Answer] | None = None,
) -> dict[str, Answer]:
    """Submit requests and step until all have ended, or until `until` says so; checks that each ends once.

    `joining` are the answers of requests that are running already.
    """
    answers = {} if joining is None else joining
    for request in requests:
        answers[request.request_id] = Answer()
        engine.submit(request)
    advance(engine, answers, until, seconds)
    return answers


def advance(
    engine: Engine,
    answers: dict[str, Answer],
    until: Callable[[dict[str, Answer]], bool] | None = None,
    seconds: float = 120.0,
) -> None:
    """Step on with requests that were submitted before."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if until and until(answers):
            return
        if all(answer.outputs and answer.finish_reason for answer in answers.values()):
            return
        for output in engine.step(0.05):
            answer = answers[output.request_id]
            assert not (answer.outputs and answer.finish_reason), "an output came after the end"
            answer.add(output)
    raise AssertionError(f"not finished after {seconds} s: {answers}")


def ends(engine: LocalEngine, patch: pytest.MonkeyPatch, *tokens: int) -> None:
    """Make `tokens` the ones that end an answer."""
    patch.setattr(engine, "_eos_ids", frozenset(tokens))
    patch.setattr(engine, "_sampler", Sampler(tokens))
