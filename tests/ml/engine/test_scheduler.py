"""Who is computed next, decided without a model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.engine.blocks import BlockPool
from ml.engine.detokenizer import TextStream
from ml.engine.request import RequestState
from ml.engine.scheduler import OVERTAKERS, Limits, Scheduler, Turn
from ml.types import EngineRequest, SamplingParams

SIZE = 4
ids = itertools.count(1000)


def state(
    name: str, prompt: int | Sequence[int] = 4, answer: int = 4, deadline: float | None = None, scope: str = ""
) -> RequestState:
    """A request with a prompt of its own, unless its tokens are given."""
    tokens = tuple(next(ids) for _ in range(prompt)) if isinstance(prompt, int) else tuple(prompt)
    request = EngineRequest(name, SamplingParams(max_tokens=answer), prompt="x", deadline=deadline, cache_scope=scope)
    return RequestState(request, tokens, answer, TextStream(pieces=None))  # type: ignore[arg-type]


def scheduler(*waiting: RequestState, blocks: int = 100, running: int = 3, prompt_tokens: int = 512) -> Scheduler:
    made = Scheduler(Limits(running, prompt_tokens), BlockPool(blocks + 1, SIZE))
    for each in waiting:
        made.add(each)
    return made


def names(states: Sequence[RequestState]) -> list[str]:
    return [each.request_id for each in states]


def parts(turns: Sequence[Turn]) -> list[tuple[str, int]]:
    return [(turn.state.request_id, turn.count) for turn in turns]


def play(made: Scheduler, prompt_tokens: int = 64) -> list[tuple[str, int]]:
    """One pass as the engine does it: whoever is complete gets a token, and leaves with its last."""
    turns = made.next_pass(prompt_tokens)
    check(made, turns)
    complete = [turn.state for turn in turns if turn.count == turn.state.missing]
    made.computed(turns)
    for each in complete:
        each.append(next(ids))
        if len(each.output_ids) == each.max_tokens:
            made.remove(each)
    return parts(turns)


def check(made: Scheduler, turns: Sequence[Turn]) -> None:
    """What must hold before every pass is computed."""
    assert len(made.running) <= made.limits.running
    slots = [each.slot for each in made.running]
    assert len(set(slots)) == len(slots)
    assert None not in slots
    assert len({turn.state.request_id for turn in turns}) == len(turns), "one request twice in a pass"
    own: set[int] = set()
    for each in made.running:
        assert len(each.blocks) * SIZE >= each.length, "no room for a token of the pass"
        assert 0 <= each.computed < each.length
        writable = set(each.blocks[each.computed // SIZE :])
        assert not writable & own, "two requests write into one block"
        own |= writable
    used = {block for each in made.running for block in each.blocks}
    assert made.pool.total - made.pool.free == len(used)
    assert all(each.slot is None and not each.blocks for each in made.waiting)


# ------------------------------------------------------------ the order of prompts


def test_the_first_to_come_run_while_slots_are_free() -> None:
    made = scheduler(*(state(name, answer=2) for name in "abcde"))
    assert play(made) == [("a", 4), ("b", 4), ("c", 4)]
    assert play(made) == [("a", 1), ("b", 1), ("c", 1)]
    assert play(made) == [("d", 4), ("e", 4)]


def test_prompts_are_computed_in_parts_in_the_order_of_arrival() -> None:
    made = scheduler(state("a", 10), state("b", 7), state("c", 3), prompt_tokens=8)
    assert play(made) == [("a", 8)]
    assert play(made, 4) == [("a", 2), ("b", 6)], "nothing is written yet, so prompts have all the room"
    assert play(made, 2) == [("a", 1), ("b", 1), ("c", 2)]
    assert play(made, 2) == [("a", 1), ("b", 1), ("c", 1)]


def test_beside_writing_requests_prompts_have_the_given_room() -> None:
    made = scheduler(state("a", 1, answer=50), state("long", 40), prompt_tokens=100)
    assert play(made) == [("a", 1), ("long", 40)]
    made = scheduler(state("a", 1, answer=50), prompt_tokens=100)
    play(made)
    made.add(state("long", 40))
    sizes = [dict(play(made, 12))["long"] for _ in range(4)]
    assert sizes == [12, 12, 12, 4]


def test_every_writing_request_has_its_token_in_every_pass() -> None:
    made = scheduler(state("a", 3, 30), state("b", 5, 30), running=3)
    play(made)
    made.add(state("long", 90))
    for _ in range(10):
        turns = play(made, 8)
        assert turns[:2] == [("a", 1), ("b", 1)]
        assert turns[2] == ("long", 8)


def test_short_prompts_share_a_pass() -> None:
    made = scheduler(*(state(name, 5) for name in "abc"), prompt_tokens=16)
    assert play(made) == [("a", 5), ("b", 5), ("c", 5)]


def test_a_request_that_goes_on_from_earlier_tokens_computes_them_like_a_prompt() -> None:
    resumed = state("resumed", 10, answer=50)
    for token in range(35):
        resumed.append(token)
    made = scheduler(resumed, prompt_tokens=30)
    assert [play(made) for _ in range(3)] == [[("resumed", 30)], [("resumed", 15)], [("resumed", 1)]]


# ------------------------------------------------------------ shared beginnings


def test_an_equal_beginning_is_computed_once() -> None:
    text = list(range(10))
    made = scheduler(state("a", text, answer=1))
    play(made)
    made.add(state("same", text, answer=1))
    assert play(made) == [("same", 2)], "two full blocks are known"
    made.add(state("longer", [*text, 50, 51, 52], answer=1))
    assert play(made) == [("longer", 5)]
    made.add(state("other", [*text[:5], 99, *text[6:]], answer=1))
    assert play(made) == [("other", 6)]
    assert made.reused == 8 + 8 + 4


def test_the_last_token_is_always_computed() -> None:
    text = list(range(8))
    made = scheduler(state("a", text, answer=1))
    play(made)
    made.add(state("same", text, answer=1))
    assert play(made) == [("same", 4)], "its logits are wanted, so its block is not shared"


def test_a_running_requests_blocks_are_shared_as_soon_as_they_are_full() -> None:
    text = list(range(40))
    made = scheduler(state("a", text, answer=30), prompt_tokens=20)
    play(made)
    made.add(state("b", text, answer=30))
    assert play(made) == [("a", 20)]
    assert play(made, 64) == [("a", 1), ("b", 4)]


def test_answers_are_beginnings_too() -> None:
    first = state("a", 3, answer=10)
    made = scheduler(first)
    while made.running or made.waiting:
        play(made)
    made.add(state("next", [*first.prompt_ids, *first.output_ids, 7, 8, 9]))
    assert play(made) == [("next", 4)], "all but the last token of the first answer is in full blocks"


def test_nothing_is_shared_beyond_a_scope() -> None:
    text = list(range(40))
    made = scheduler(state("a", text, answer=1, scope="ours"))
    play(made)
    made.add(state("b", text, answer=1, scope="theirs"))
    assert play(made) == [("b", 40)]
    assert made.reused == 0


def test_what_a_failed_request_computed_is_not_shared() -> None:
    text = list(range(40))
    bad = state("bad", text)
    made = scheduler(bad)
    play(made)
    made.remove(bad, void=True)
    made.add(state("b", text))
    assert play(made) == [("b", 40)]


# ------------------------------------------------------------ memory


def test_a_request_is_admitted_when_its_prompt_has_room() -> None:
    made = scheduler(state("a", 16, answer=9), state("b", 16, answer=9), blocks=8)
    assert play(made) == [("a", 16)], "the second would leave no room for the first to grow"
    made = scheduler(state("a", 16, answer=1), state("b", 16, answer=1), blocks=9)
    assert play(made) == [("a", 16), ("b", 16)]


def test_shared_blocks_that_nobody_uses_count_as_needed() -> None:
    text = list(range(33))
    made = scheduler(state("a", text, answer=1), blocks=10)
    play(made)
    runs = state("runs", 4, answer=40)
    made.add(runs)
    play(made)
    made.add(state("same", text, answer=1))
    assert play(made) == [("runs", 1)], "8 known, unused blocks and a new one, beside 2 of the other and its growth"
    made.remove(runs)
    assert play(made) == [("same", 1)]


def test_the_youngest_gives_way_and_loses_no_token() -> None:
    a, b = state("a", 8, answer=24), state("b", 8, answer=24)
    made = scheduler(a, b, blocks=10)
    passes = []
    while made.running or made.waiting:
        passes.append(play(made))
        assert a not in made.waiting, "the older one stays"
    assert made.preempted >= 1
    assert (len(a.output_ids), len(b.output_ids)) == (24, 24)
    assert len(set(a.output_ids + b.output_ids)) == 48
    assert made.pool.free == made.pool.total


def test_whoever_gave_way_waits_at_the_front_and_goes_on_from_what_is_still_known() -> None:
    a, b = state("a", 8, answer=24), state("b", 8, answer=24)
    made = scheduler(a, b, state("c", 24), blocks=10)
    while not made.preempted:
        play(made)
    assert names(made.waiting) == ["b", "c"]
    written, reused = len(b.output_ids), made.reused
    while b not in made.running:
        play(made)
    assert len(b.output_ids) >= written
    assert made.reused > reused, "its first blocks were not needed by anybody"


def test_a_request_alone_may_use_the_whole_cache() -> None:
    only = state("only", 30, answer=10)
    made = scheduler(only, blocks=10)
    while made.running or made.waiting:
        play(made)
    assert (len(only.output_ids), made.preempted) == (10, 0)


def test_small_requests_overtake_a_large_one_but_not_for_ever() -> None:
    """The running one leaves no room for the large one, but always some for small ones."""
    runs, large = state("runs", 16, answer=16), state("large", 32, answer=1)
    made = scheduler(runs, large, blocks=12, running=4)
    overtook = []
    while runs in made.running or not runs.output_ids:
        for _ in range(2):
            made.add(state(f"small{next(ids)}", 4, answer=1))
        overtook += [name for name, _ in play(made) if name.startswith("small")]
    assert len(overtook) == OVERTAKERS
    assert "large" in dict(play(made))
    assert len(runs.output_ids) == 16


@pytest.mark.parametrize(
    ("answer", "blocks", "running"), [(8, 8, 3), (12, 8, 6), (20, 12, 4), (12, 16, 6), (40, 12, 8)]
)
def test_preemption_does_not_let_others_overtake_for_ever(answer: int, blocks: int, running: int) -> None:
    """With an endless supply of small requests that outgrow the cache again and again."""
    made, large = scheduler(blocks=blocks, running=running), state("large", 28, answer=1)
    number, entered = itertools.count(), set()
    for step in itertools.count():
        if step == 10:
            made.add(large)
        while len(made.waiting) < 8:
            made.add(state(f"small{next(number)}", 4, answer=answer + next(number) % 5))
        fresh = {each.request_id for each in made.waiting}
        turns = dict(play(made))
        if "large" in turns:
            break
        if step >= 10:
            entered |= fresh & set(turns)
        assert large.overtaken <= OVERTAKERS
        assert len(entered) <= OVERTAKERS + 8 + running, "more than were ahead or may overtake"
    assert made.preempted > 0


def test_only_so_many_are_looked_at_for_one_that_fits() -> None:
    big = [state(f"big{index}", 24) for index in range(OVERTAKERS + 5)]
    made = scheduler(state("runs", 16, answer=100), *big, state("small", 4), blocks=9, running=4)
    play(made)
    assert play(made) == [("runs", 1)]


# ------------------------------------------------------------ leaving


def test_cancelled_and_late_requests_leave_from_everywhere() -> None:
    made = scheduler(
        state("run"), state("late", deadline=5.0), state("part", 90), state("wait"), state("wait-late", deadline=6.0),
        state("stay"),
    )  # fmt: skip
    play(made, 64)
    assert names(made.running) == ["run", "late", "part"]
    ended = made.take_ended({"run", "part", "wait", "unknown"}, now=6.5)
    assert {(each.request_id, reason) for each, reason in ended} == {
        ("run", "cancelled"), ("late", "deadline"), ("part", "cancelled"), ("wait", "cancelled"),
        ("wait-late", "deadline"),
    }  # fmt: skip
    assert (names(made.running), names(made.waiting)) == ([], ["stay"])
    assert made.pool.free == made.pool.total
    assert play(made) == [("stay", 4)]


def test_a_preempted_request_can_be_cancelled() -> None:
    a, b = state("a", 8, answer=24), state("b", 8, answer=24)
    made = scheduler(a, b, blocks=10)
    while not made.preempted:
        play(made)
    assert made.take_ended({"b"}, now=0.0) == [(b, "cancelled")]
    while made.running:
        play(made)
    assert made.pool.free == made.pool.total


def test_nothing_to_do_is_an_empty_pass() -> None:
    assert scheduler().next_pass(64) == []


requests = st.tuples(st.integers(1, 24), st.integers(1, 12), st.integers(0, 3), st.integers(0, 12))


@settings(max_examples=120, deadline=None)
@given(
    given_requests=st.lists(requests, min_size=1, max_size=12),
    blocks=st.integers(9, 24),
    running=st.integers(1, 5),
    room=st.integers(1, 20),
    data=st.data(),
)
def test_whatever_comes_all_of_it_is_served_and_nothing_stays_behind(
    given_requests: list[tuple[int, int, int, int]], blocks: int, running: int, room: int, data: st.DataObject
) -> None:
    """Prompts with common beginnings, arrivals and cancellations at any time; `check` looks at every pass."""
    made = scheduler(blocks=blocks, running=running, prompt_tokens=room)
    arriving = {}
    for index, (prompt, answer, kind, when) in enumerate(given_requests):
        tokens = [kind * 100 + place for place in range(prompt)]
        arriving[state(f"r{index}", tokens, answer, scope=str(kind % 2))] = when
    cancelled = set()
    for step in range(2000):
        for each in [each for each, when in arriving.items() if when == step]:
            made.add(each)
        if step in (3, 7):
            cancelled |= data.draw(st.sets(st.sampled_from([each.request_id for each in arriving]), max_size=2))
            made.take_ended(cancelled, now=0.0)
        turns = play(made, room)
        prompts = sum(count for _, count in turns if count > 1)
        assert prompts <= room
        if step > 12 and not made.running and not made.waiting:
            break
    else:
        raise AssertionError("it never ends")
    for each in arriving:
        assert each.request_id in cancelled or len(each.output_ids) == each.max_tokens
    assert made.pool.free == made.pool.total
    assert sorted(made._free_slots) == list(range(running))
