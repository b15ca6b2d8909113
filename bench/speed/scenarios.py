"""What is measured: the ladder of concurrency, mixed traffic, a long prompt, and a shared prefix."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.speed.bound import MatrixBound
from bench.speed.engines import EngineWay
from bench.speed.figures import gaps_of, medians, percentile, phases, rounded, service, share
from bench.speed.lineup import CONTINUOUS, ENGINE, GRAPHS, INT8, ONE, STATIC, Lineup
from bench.speed.work import Job, Trace, Way


@dataclass(frozen=True)
class Sizes:
    """How much of everything; the defaults are what the README quotes, all lengths in tokens."""

    rounds: int = 3
    prompt: int = 64
    output: int = 32
    mixed_rounds: int = 1
    mixed_requests: int = 64
    mixed_clients: int = 32
    mixed_prompt: tuple[int, int] = (16, 512)
    mixed_output: tuple[int, int] = (16, 256)
    one_subset: int = 4
    long_streams: int = 8
    long_prompt: int = 2000
    long_output: int = 96
    shared_requests: int = 32
    shared_prefix: int = 512
    shared_rest: int = 32
    shared_output: int = 16
    exact_requests: int = 16
    exact_clients: int = 8
    exact_prompt: tuple[int, int] = (16, 512)
    exact_output: tuple[int, int] = (16, 64)
    bound_seconds: float = 1.5

    @property
    def longest(self) -> int:
        """Prompt and answer of the longest request that needs a place beside all others."""
        return max(
            self.prompt + self.output,
            self.mixed_prompt[1] + self.mixed_output[1],
            self.shared_prefix + self.shared_rest + self.shared_output,
        )

    def fitted(self, context: int) -> Sizes:
        """Return the sizes with a long prompt that fits the model; raises ValueError if the others do not."""
        if context < self.longest:
            raise ValueError(f"the model takes {context} tokens, and the requests have up to {self.longest}")
        return replace(self, long_prompt=min(self.long_prompt, context - self.prompt))


QUICK = Sizes(
    rounds=1,
    prompt=8,
    output=4,
    mixed_requests=6,
    mixed_clients=3,
    mixed_prompt=(2, 16),
    mixed_output=(2, 8),
    one_subset=2,
    long_streams=2,
    long_prompt=200,
    long_output=32,
    shared_requests=3,
    shared_prefix=32,
    shared_rest=4,
    shared_output=3,
    exact_requests=5,
    exact_clients=4,
    exact_prompt=(4, 16),
    exact_output=(24, 48),
    bound_seconds=0.05,
)
BATCHED = (STATIC, CONTINUOUS, GRAPHS, ENGINE, INT8)
LONGER = 4
LONG_AFTER = 16  # tokens that every stream has before the long prompt comes


def ladder(lineup: Lineup, sizes: Sizes, levels: Sequence[int]) -> dict[str, Any]:
    """Measure prefill and decode at each level of concurrency, beside what the matrix products alone allow."""
    bound = MatrixBound(lineup.model)
    reads = bound.reads_per_second()
    found: dict[str, Any] = {
        "weight_bytes": bound.weight_bytes,
        "reads_per_second": rounded(reads),
        "levels": {},
    }
    for level in levels:
        warm_up(lineup, level, sizes.prompt)
        ways, products = _ladder_rounds(lineup, bound, sizes, level)
        for figures in ways.values():
            figures["share_of_products"] = share(figures["decode"], products)
            if level == 1:
                figures["share_of_reads"] = share(figures["decode"], reads)
        found["levels"][str(level)] = {"products": products, "ways": ways}
        say(f"{level} at a time, products alone {products:,.0f}", {name: way["decode"] for name, way in ways.items()})
    return found


def _ladder_rounds(
    lineup: Lineup, bound: MatrixBound, sizes: Sizes, level: int
) -> tuple[dict[str, dict[str, Any]], float]:
    """Return the figures of each way, and the bound: taken in every round, since a shared machine has slow minutes."""
    # One after the other is the same at every level, and a batch of one is one at a time.
    left_out = STATIC if level == 1 else ONE
    samples: dict[str, list[dict[str, float | None]]] = {}
    bounds = []
    for round_number in range(sizes.rounds):
        bounds.append(bound.tokens_per_second(level, sizes.bound_seconds))
        jobs = lineup.prompts(level * 100 + round_number).jobs(level, sizes.prompt, sizes.output)
        for name, way in lineup.in_order(round_number):
            if name != left_out:
                samples.setdefault(name, []).append(_phases(way, jobs, level))
    figures = {name: medians(samples[name]) for name in lineup.ways if name in samples}
    return figures, rounded(statistics.median(bounds))


def _phases(way: Way, jobs: Sequence[Job], level: int) -> dict[str, float | None]:
    """Return the rates of a level. Where some answers end before the last begins, longer ones show the full batch."""
    found = phases(complete(way.run(jobs, level)))
    if found["decode"] is None:
        longer = [replace(job, output_tokens=LONGER * job.output_tokens) for job in jobs]
        found["decode"] = phases(complete(way.run(longer, level)))["decode"]
    return found


def mixed(lineup: Lineup, sizes: Sizes) -> dict[str, Any]:
    """Measure a closed loop of clients whose prompts and answers differ in length; the same requests for every way.

    One at a time gets only every n-th request by length, which is enough for a rate; its waiting times would be those
    of a shorter queue, so they are left out.
    """
    samples: dict[str, list[dict[str, Any]]] = {}
    warm_up(lineup, sizes.mixed_clients, sizes.prompt)
    for round_number in range(sizes.mixed_rounds):
        jobs = lineup.prompts(50_000 + round_number).mixed(sizes.mixed_requests, sizes.mixed_prompt, sizes.mixed_output)
        for name, way in lineup.in_order(round_number):
            given = subset(jobs, sizes.one_subset) if name == ONE else jobs
            figures: dict[str, Any] = {**service(complete(way.run(given, sizes.mixed_clients)))}
            if name == ONE:
                figures |= {"first_p50": None, "first_p95": None}
            samples.setdefault(name, []).append(figures)
            say(f"mixed, round {round_number + 1}", {name: figures["total"]})
    ways = {name: medians(samples[name]) for name in lineup.ways}
    for base in (ONE, STATIC, CONTINUOUS, GRAPHS):
        for name in (ENGINE, INT8):
            if base in ways and name in ways:
                ways[name][f"times_{base}"] = share(ways[name]["total"], ways[base]["total"])
    return {"requests": sizes.mixed_requests, "clients": sizes.mixed_clients, "ways": ways}


def subset(jobs: Sequence[Job], count: int) -> list[Job]:
    """Return `count` jobs from evenly spaced places in the order of their length."""
    ordered = sorted(jobs, key=lambda job: len(job.prompt_ids) + job.output_tokens)
    width = len(ordered) / count
    return [ordered[int((place + 0.5) * width)] for place in range(count)]


def long_prompt(lineup: Lineup, sizes: Sizes) -> dict[str, Any]:
    """Let a long prompt arrive while streams run; the largest gap between a stream's tokens, in its usual steps."""
    engine = _engine(lineup)
    warm_up(lineup, sizes.long_streams, sizes.prompt, (ENGINE,))
    rounds = [_long_round(engine, lineup, sizes, number) for number in range(sizes.rounds)]
    ratios = [figures["largest_gap_in_steps"] for figures in rounds]
    result = {**medians(rounds), "worst_gap_in_steps": rounded(max(ratios))}
    say("long prompt", result)
    return {"streams": sizes.long_streams, "prompt": sizes.long_prompt, **result}


def _long_round(engine: EngineWay, lineup: Lineup, sizes: Sizes, number: int) -> dict[str, float]:
    prompts = lineup.prompts(60_000 + number)
    waiting = [prompts.job(sizes.long_prompt, 2)]

    def visit(traces: Sequence[Trace]) -> Sequence[Job]:
        ready = all(len(trace.times) >= LONG_AFTER for trace in traces)
        return [waiting.pop()] if waiting and ready else []

    streams = prompts.jobs(sizes.long_streams, sizes.prompt, sizes.long_output)
    *running, long = complete(engine.run(streams, sizes.long_streams, visit))
    settled = max(trace.first for trace in running)
    usual = statistics.median(gap for trace in running for gap in gaps_of(trace, settled, long.submitted))
    during = [gap for trace in running for gap in gaps_of(trace, long.submitted, long.first + 2 * usual)]
    return {
        "largest_gap_in_steps": rounded(max(during) / usual),
        "usual_step": rounded(usual),
        "largest_gap": rounded(max(during)),
        "first_token_of_long": rounded(long.first - long.submitted),
    }


def shared_prefix(lineup: Lineup, sizes: Sizes) -> dict[str, Any]:
    """Hand over requests with a common prefix at once, then as many of the same length with nothing in common."""
    engine = _engine(lineup)
    warm_up(lineup, sizes.shared_requests, sizes.prompt, (ENGINE,))
    length = sizes.shared_prefix + sizes.shared_rest
    samples: dict[str, list[dict[str, Any]]] = {"shared": [], "distinct": []}
    for number in range(sizes.rounds):
        prompts = lineup.prompts(70_000 + number)
        prefix = prompts.job(sizes.shared_prefix, 1).text
        kinds = {
            "shared": [prompts.job(length, sizes.shared_output, prefix) for _ in range(sizes.shared_requests)],
            "distinct": prompts.jobs(sizes.shared_requests, length, sizes.shared_output),
        }
        for name in sorted(kinds, reverse=number % 2 == 1):
            samples[name].append(_counted(engine, kinds[name]))
    result = {name: medians(rounds) for name, rounds in samples.items()}
    say("shared prefix", result)
    return {"requests": sizes.shared_requests, "prefix": sizes.shared_prefix, "prompt": length, **result}


def _counted(engine: EngineWay, jobs: Sequence[Job]) -> dict[str, Any]:
    before = engine.stats()
    traces = complete(engine.run(jobs, len(jobs)))
    after = engine.stats()
    waits = [trace.first - trace.submitted for trace in traces]
    return {
        "prompt_tokens": sum(len(trace.job.prompt_ids) for trace in traces),
        "prefill_tokens": after.prefill_tokens - before.prefill_tokens,
        "reused_tokens": after.reused_tokens - before.reused_tokens,
        "first_p50": percentile(waits, 50),
        "first_p95": percentile(waits, 95),
        "all_begun": max(waits),
    }


def warm_up(lineup: Lineup, clients: int, prompt: int, names: Sequence[str] = BATCHED) -> None:
    """Run every way once at this width: allocation, thread pools, compilation and graphs are not what is measured."""
    jobs = lineup.prompts(90_000 + next(lineup.warm_ups)).jobs(clients, prompt, 4)
    for _, way in lineup.in_order(0, names):
        way.run(jobs, clients)


def complete(traces: list[Trace]) -> list[Trace]:
    """Raise unless every job got exactly the tokens it asked for: a way that writes less would look fast."""
    for trace in traces:
        if len(trace.times) != trace.job.output_tokens:
            raise RuntimeError(f"{len(trace.times)} tokens instead of {trace.job.output_tokens}")
    return traces


def say(what: str, figures: Any) -> None:
    print(f"{what}: {figures}", flush=True)


def as_settings(sizes: Sizes) -> dict[str, Any]:
    return asdict(sizes)


def _engine(lineup: Lineup) -> EngineWay:
    if lineup.engine is None:
        raise RuntimeError("this scenario needs the engine to take part")
    return lineup.engine
