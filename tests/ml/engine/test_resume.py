"""An interrupted answer goes on where it stopped, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ml.engine.engine import LocalEngine
from ml.types import EngineRequest, Progress
from tests.ml.engine.driving import Answer, drive, ends, raw

SAMPLING: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0.0},
    "seeded": {"temperature": 1.1, "top_p": 0.95, "seed": 99},
    "penalised": {"temperature": 0.9, "top_k": 30, "repetition_penalty": 1.3, "seed": 5},
}


def interruptions(answer: Answer) -> list[Progress]:
    """What had been streamed after each output of an answer."""
    found = [Progress()]
    for output in answer.outputs:
        found.append(Progress(found[-1].token_ids + output.token_ids, found[-1].text + output.text))
    return found


def resumed(engine: LocalEngine, request: Callable[..., EngineRequest], points: list[Progress]) -> dict[str, Answer]:
    return drive(engine, [request(f"r{index}", progress) for index, progress in enumerate(points)])


@pytest.mark.parametrize("kind", ["byte", "pieces"])
@pytest.mark.parametrize("how", sorted(SAMPLING))
def test_every_point_of_an_answer_can_be_resumed(engine_for: Callable[..., LocalEngine], how: str, kind: str) -> None:
    engine = engine_for("llama", kind)

    def request(name: str, progress: Progress) -> EngineRequest:
        return raw(name, "Grüße aus Köln 🙂", progress, max_tokens=24, **SAMPLING[how])

    whole = drive(engine, [request("whole", Progress())])["whole"]
    points = interruptions(whole)
    answers = resumed(engine, request, points)
    for index, progress in enumerate(points):
        answer = answers[f"r{index}"]
        assert progress.text + answer.text == whole.text
        assert [*progress.token_ids, *answer.token_ids] == whole.token_ids
        assert answer.finish_reason == whole.finish_reason == "length"
        assert answer.last.completion_tokens == whole.last.completion_tokens == 24
        assert not answer.outputs[0].restarted


def test_a_stop_string_across_the_interruption_still_stops(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    text = drive(engine, [raw("w", "A product", max_tokens=30)])["w"].text
    stop = text[len(text) // 2 :][:6]

    def request(name: str, progress: Progress) -> EngineRequest:
        return raw(name, "A product", progress, max_tokens=30, stop=(stop,))

    whole = drive(engine, [request("whole", Progress())])["whole"]
    assert whole.finish_reason == "stop"
    points = interruptions(whole)
    for index, answer in resumed(engine, request, points).items():
        progress = points[int(index[1:])]
        assert progress.text + answer.text == whole.text
        assert answer.finish_reason == "stop"


def test_an_answer_that_was_complete_ends_at_once(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for()
    whole = drive(engine, [raw("w", "A product", max_tokens=12)])["w"]
    progress = Progress(tuple(whole.token_ids), whole.text)
    again = drive(engine, [raw("again", "A product", progress, max_tokens=12)])["again"]
    assert (again.finish_reason, again.text, again.token_ids) == ("length", "", [])
    assert again.last.completion_tokens == 12
    assert len(again.outputs) == 1
    stopped = drive(engine, [raw("stop", "A product", progress, max_tokens=50, stop=(whole.text[3:9],))])["stop"]
    assert (stopped.finish_reason, stopped.token_ids) == ("stop", [])


def test_the_lost_end_of_sequence_is_found_again(
    engine_for: Callable[..., LocalEngine], tokenizer_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    whole = drive(engine, [raw("w", "The quick brown fox", max_tokens=12)])["w"]
    at = next(index for index in range(3, 12) if whole.token_ids[index] not in whole.token_ids[:index])
    prefix = tuple(whole.token_ids[:at])
    progress = Progress(prefix, tokenizer_of().decode(prefix))
    ends(engine, monkeypatch, whole.token_ids[at])
    answer = drive(engine, [raw("e", "The quick brown fox", progress, max_tokens=12)])["e"]
    assert (answer.finish_reason, answer.token_ids, answer.last.completion_tokens) == ("stop", [], at)


def test_min_tokens_counts_what_earlier_attempts_wrote(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for()
    token = drive(engine, [raw("w", "A product", max_tokens=1)])["w"].token_ids[0]
    ends(engine, monkeypatch, token)

    def request(name: str, progress: Progress) -> EngineRequest:
        return raw(name, "A product", progress, max_tokens=30, min_tokens=12)

    whole = drive(engine, [request("whole", Progress())])["whole"]
    assert token not in whole.token_ids
    points = interruptions(whole)[:-1]
    for index, answer in resumed(engine, request, points).items():
        assert [*points[int(index[1:])].token_ids, *answer.token_ids] == whole.token_ids


def test_progress_counts_towards_a_capped_context(engine_for: Callable[..., LocalEngine]) -> None:
    engine = engine_for(max_context=32)
    whole = drive(engine, [raw("w", "x" * 20, max_tokens=500)])["w"]
    for progress in interruptions(whole)[-3:]:
        answer = drive(engine, [raw("r", "x" * 20, progress, max_tokens=500)])["r"]
        assert progress.text + answer.text == whole.text
        assert answer.finish_reason == "length"


@pytest.mark.parametrize(
    "progress",
    [Progress((9999, 3), "text"), Progress((20, 21, 22), "made by another model"), Progress((), "text only")],
)
def test_progress_of_another_model_starts_the_answer_over(
    engine_for: Callable[..., LocalEngine], progress: Progress
) -> None:
    engine = engine_for()
    whole = drive(engine, [raw("w", "A product")])["w"]
    answer = drive(engine, [raw("r", "A product", progress)])["r"]
    assert [output.restarted for output in answer.outputs] == [True] + [False] * (len(answer.outputs) - 1)
    assert (answer.text, answer.token_ids) == (whole.text, whole.token_ids)
