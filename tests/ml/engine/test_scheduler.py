"""Who runs next, decided without a model."""

from __future__ import annotations

from typing import Any

import pytest

from ml.engine.detokenizer import TextStream
from ml.engine.request import RequestState
from ml.engine.scheduler import BLOCK, Limits, Scheduler, round_up
from ml.types import EngineRequest, SamplingParams


def state(name: str, prompt: int = 4, answer: int = 4, deadline: float | None = None) -> RequestState:
    request = EngineRequest(name, SamplingParams(max_tokens=answer), prompt="x", deadline=deadline)
    return RequestState(request, tuple(range(prompt)), answer, TextStream(pieces=None))  # type: ignore[arg-type]


def scheduler(*waiting: RequestState, **limits: Any) -> Scheduler:
    made = Scheduler(Limits(**{"max_running": 3, "cache_tokens": 8 * BLOCK, "prefill_tokens": 512, **limits}))
    for each in waiting:
        made.add(each)
    return made


def names(states: list[RequestState]) -> list[str]:
    return [each.request_id for each in states]


@pytest.mark.parametrize(("tokens", "rounded"), [(0, 0), (1, BLOCK), (BLOCK, BLOCK), (BLOCK + 1, 2 * BLOCK)])
def test_reservations_are_whole_blocks(tokens: int, rounded: int) -> None:
    assert round_up(tokens) == rounded


def test_the_first_to_come_run_while_rows_are_free() -> None:
    made = scheduler(*(state(name) for name in "abcde"))
    assert names(made.admit()) == ["a", "b", "c"]
    assert made.admit() == []
    made.remove(made.running[1])
    assert names(made.admit()) == ["d"]
    assert names(made.running) == ["a", "c", "d"]


def test_a_batch_takes_rows_times_its_longest_reservation() -> None:
    made = scheduler(state("short"), state("long", answer=4 * BLOCK - 4), state("third"))
    assert names(made.admit()) == ["short", "long"]
    assert made.longest_reservation() == 4 * BLOCK


def test_what_does_not_fit_yet_is_not_overtaken() -> None:
    made = scheduler(state("a"), state("b"), state("huge", answer=8 * BLOCK - 4), state("small"))
    assert names(made.admit()) == ["a", "b"]
    made.remove(made.running[0])
    assert made.admit() == []
    made.remove(made.running[0])
    assert names(made.admit()) == ["huge"]


def test_a_step_prefills_a_bounded_number_of_tokens_but_always_one_prompt() -> None:
    made = scheduler(state("a", 60), state("b", 50), state("c", 4), prefill_tokens=40)
    assert names(made.admit()) == ["a"]
    assert names(made.admit()) == ["b"]


def test_neighbours_in_length_become_neighbours_in_the_batch() -> None:
    made = scheduler(state("long", 50), state("short", 3), state("middle", 20))
    assert names(made.admit()) == ["short", "middle", "long"]


def test_removing_names_the_row_into_which_the_last_one_moves() -> None:
    made = scheduler(*(state(name) for name in "abc"))
    a, _, c = made.admit()
    assert made.remove(a) == 0
    assert names(made.running) == ["c", "b"]
    assert made.remove(made.running[1]) == 1
    assert made.remove(c) == 0


def test_cancelled_and_late_requests_leave_from_everywhere() -> None:
    late = state("late", deadline=5.0)
    made = scheduler(state("run"), late, state("stay"), state("wait"), state("wait-late", deadline=6.0))
    made.admit()
    ended = made.take_ended({"run", "wait", "unknown"}, now=5.5)
    assert [(each.request_id, reason) for each, reason, _ in ended] == [
        ("wait", "cancelled"), ("run", "cancelled"), ("late", "deadline"),
    ]  # fmt: skip
    assert [row for _, _, row in ended] == [None, 0, 1]
    assert names(made.running) == ["stay"]
    assert names(list(made.waiting)) == ["wait-late"]


def test_progress_counts_as_prompt_to_be_prefilled() -> None:
    resumed = state("resumed", prompt=10)
    resumed.output_ids = [1] * 35
    made = scheduler(state("first", 10), resumed, prefill_tokens=50)
    assert names(made.admit()) == ["first"]
