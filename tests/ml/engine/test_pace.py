"""A long prompt holds up those who write for no more than three of their usual steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ml.engine import engine as engine_module
from ml.engine.engine import LocalEngine
from ml.engine.pace import LEAST_TOKENS, MOST_STEPS, Pace
from ml.engine.runner import Runner
from ml.engine.scheduler import Turn
from tests.ml.engine.driving import Answer, advance, drive, raw

PROMISE = 3.0


@dataclass
class Machine:
    """What a pass costs, in seconds: the weights are read once, each token is computed and looks back."""

    weights: float = 0.010
    token: float = 0.0005
    look_back: float = 0.0
    noise: Callable[[int], float] = lambda number: 1.0

    def step(self, writing: int) -> float:
        return self.weights + self.token * writing

    def seconds(self, writing: int, prompt: int, past: int = 0, number: int = 0) -> float:
        return (self.step(writing) + prompt * (self.token + self.look_back * past)) * self.noise(number)


def prefill(pace: Pace, machine: Machine, writing: int, length: int) -> list[float]:
    """Compute a long prompt beside `writing` requests; returns how many usual steps each pass took."""
    done, steps, number = 0, [], 0
    while done < length:
        part = min(pace.prompt_tokens(writing), length - done)
        seconds = machine.seconds(writing, part, done, number)
        pace.observe(writing, part, seconds)
        steps.append(seconds / machine.step(writing))
        done, number = done + part, number + 1
    return steps


MACHINES = {
    "reads slowly": Machine(weights=0.05),
    "computes slowly": Machine(weights=0.01, token=0.001),
    "tiny model": Machine(weights=0.0005, token=0.00001),
    "looks back far": Machine(look_back=2e-7),
    "uneven": Machine(weights=0.05, noise=lambda number: 0.88 + 0.24 * (number * 7 % 5) / 4),
}


@pytest.mark.parametrize("name", sorted(MACHINES))
@pytest.mark.parametrize("writing", [1, 3, 8, 32])
def test_a_long_prompt_keeps_the_promise_from_its_first_part_on(name: str, writing: int) -> None:
    machine, pace = MACHINES[name], Pace(512)
    for _ in range(3):
        pace.observe(writing, 0, machine.step(writing))
    steps = prefill(pace, machine, writing, 2000)
    assert max(steps) <= PROMISE


@pytest.mark.parametrize("writing", [1, 8, 32])
def test_the_room_is_used_and_not_only_kept_small(writing: int) -> None:
    machine, pace = Machine(weights=0.05), Pace(512)
    pace.observe(writing, 0, machine.step(writing))
    steps = prefill(pace, machine, writing, 4000)
    assert sum(steps[5:-1]) / len(steps[5:-1]) == pytest.approx(MOST_STEPS, rel=0.15)


@pytest.mark.parametrize(("known", "writing"), [(4, 5), (2, 32), (32, 2), (8, 1)])
def test_the_promise_holds_when_a_number_of_writers_was_never_seen_alone(known: int, writing: int) -> None:
    """Others joined while prompts were being computed all the time, so there was no usual pass to measure."""
    machine, pace = Machine(weights=0.01, token=0.001), Pace(512)
    pace.observe(known, 0, machine.step(known))
    pace.observe(0, 512, machine.seconds(0, 512))
    steps = prefill(pace, machine, writing, 2000)
    assert max(steps) <= PROMISE


def test_the_cost_is_learnt_anew_when_it_changes() -> None:
    fast, slow, pace = Machine(), Machine(weights=0.03, token=0.0015), Pace(512)
    pace.observe(4, 0, fast.step(4))
    prefill(pace, fast, 4, 2000)
    for _ in range(20):
        pace.observe(4, 0, slow.step(4))
    assert max(prefill(pace, slow, 4, 4000)[20:]) <= PROMISE


@pytest.mark.parametrize("writing", [1, 8])
def test_a_pass_that_the_system_interrupts_changes_little(writing: int) -> None:
    machine, pace = Machine(weights=0.05), Pace(512)
    for _ in range(3):
        pace.observe(writing, 0, machine.step(writing))
    prefill(pace, machine, writing, 2000)
    before = pace.prompt_tokens(writing)
    pace.observe(writing, 0, 150 * machine.step(writing))
    assert max(prefill(pace, machine, writing, 500)) <= PROMISE
    pace.observe(writing, before, 150 * machine.step(writing))
    assert pace.prompt_tokens(writing) >= before / 4
    prefill(pace, machine, writing, 2000)
    assert pace.prompt_tokens(writing) >= 0.8 * before


def test_a_slow_first_pass_is_soon_forgotten() -> None:
    machine, pace = Machine(weights=0.05), Pace(512)
    pace.observe(0, 512, 10 * machine.seconds(0, 512))
    pace.observe(4, 0, 50 * machine.step(4))
    pace.observe(4, 0, machine.step(4))
    assert max(prefill(pace, machine, 4, 2000)) <= PROMISE


def test_with_nothing_known_parts_are_small() -> None:
    assert Pace(512).prompt_tokens(3) == LEAST_TOKENS
    pace = Pace(512)
    pace.observe(3, 0, 0.01)
    assert pace.prompt_tokens(3) == LEAST_TOKENS


def test_parts_are_never_larger_than_a_pass_may_be_nor_so_small_that_a_prompt_never_ends() -> None:
    cheap, dear = Pace(512), Pace(512)
    for pace, token in ((cheap, 1e-9), (dear, 1.0)):
        pace.observe(4, 0, 0.01)
        pace.observe(0, 512, 512 * token)
    assert cheap.prompt_tokens(4) == 512
    assert dear.prompt_tokens(4) == LEAST_TOKENS


def test_several_short_prompts_are_computed_sooner_than_one_and_than_behind_a_long_one() -> None:
    machine, pace = Machine(), Pace(512)
    for writing in (8, 32):
        pace.observe(writing, 0, machine.step(writing))
    pace.observe(0, 512, machine.seconds(0, 512))
    several = pace.prompt_tokens(8, coming=24, first=64)
    assert several > pace.prompt_tokens(8, coming=24, first=2000) > pace.prompt_tokens(8)
    assert machine.seconds(8, several) <= PROMISE * machine.step(32)


# ------------------------------------------------------------ in the engine


class Clock:
    """A clock that only passes move, by what they would cost on a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.now = machine, 0.0
        self.passes: list[tuple[int, int, float]] = []

    def perf_counter(self) -> float:
        return self.now

    def watch(self, engine: LocalEngine, patch: pytest.MonkeyPatch) -> None:
        true = Runner.compute

        def compute(runner: Runner, turns: list[Turn]) -> object:
            writing = sum(turn.count == 1 for turn in turns)
            prompts = sum(turn.count for turn in turns) - writing
            past = max(turn.state.computed for turn in turns)
            seconds = self.machine.seconds(writing, prompts, past)
            self.now += seconds
            self.passes.append((writing, prompts, seconds))
            return true(runner, turns)

        patch.setattr(Runner, "compute", compute)
        patch.setattr(engine_module.time, "perf_counter", self.perf_counter)
        patch.setattr(engine, "_pace", Pace(engine._scheduler.limits.prompt_tokens))


@pytest.mark.parametrize("writers", [1, 3])
def test_in_the_engine_long_prompts_hold_nobody_up_for_more_than_three_steps(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch, writers: int
) -> None:
    engine = engine_for("llama-long", max_running=6 + writers)
    clock = Clock(Machine(look_back=1e-6))
    requests = [raw(f"w{index}", f"writer {index}", max_tokens=400, min_tokens=400) for index in range(writers)]
    expected = drive(engine, requests)
    clock.watch(engine, monkeypatch)
    answers = drive(engine, requests, until=lambda seen: all(len(answer.token_ids) > 3 for answer in seen.values()))
    begun = len(clock.passes)
    long = [replace(raw(f"long{index}", "x" * 600, max_tokens=1), cache_scope=f"{index}") for index in range(3)]
    drive(engine, long, joining=answers)
    beside = [(prompts, seconds / clock.machine.step(writers)) for writing, prompts, seconds in clock.passes[begun:]
              if writing >= writers and prompts]  # fmt: skip
    assert sum(prompts for prompts, _ in beside) >= 1800, "the prompts were not computed beside the writers"
    assert max(steps for _, steps in beside) <= PROMISE
    assert len(beside) > 10
    for name, answer in expected.items():
        assert answers[name].token_ids == answer.token_ids


def test_every_pass_beside_a_long_prompt_gives_every_writer_its_token(
    engine_for: Callable[..., LocalEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, clock = engine_for("llama-long", max_running=6), Clock(Machine())
    clock.watch(engine, monkeypatch)
    requests = [raw(f"w{index}", f"writer {index}", max_tokens=60, min_tokens=60) for index in range(3)]
    answers = drive(engine, requests, until=lambda seen: all(answer.token_ids for answer in seen.values()))
    answers["long"] = Answer()
    engine.submit(replace(raw("long", "y" * 600, max_tokens=1), cache_scope="other"))
    counts = [len(answers[f"w{index}"].token_ids) for index in range(3)]
    for step in range(1, 21):
        for output in engine.step(0.0):
            answers[output.request_id].add(output)
        assert [len(answers[f"w{index}"].token_ids) for index in range(3)] == [count + step for count in counts]
        if answers["long"].outputs:
            break
    assert step > 3
    advance(engine, answers)
