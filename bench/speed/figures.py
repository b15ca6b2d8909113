"""From traces to figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.speed.work import Trace

Figures = dict[str, float | None]


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return the nearest-rank percentile, None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def total_rate(traces: Sequence[Trace]) -> float:
    """Return tokens written a second, from the first job handed over to the last token."""
    tokens = sum(len(trace.times) for trace in traces)
    return tokens / (max(trace.last for trace in traces) - min(trace.submitted for trace in traces))


def phases(traces: Sequence[Trace]) -> Figures:
    """Return the rates of jobs that were all handed over at once.

    Prefill counts prompt tokens until every job has its first token. Decode counts written tokens from then until the
    first job has ended, that is while the batch is full; it is None where some had ended before all had begun.
    """
    started = min(trace.submitted for trace in traces)
    all_begun, first_end = max(trace.first for trace in traces), min(trace.last for trace in traces)
    prompt_tokens = sum(len(trace.job.prompt_ids) for trace in traces)
    decoded = sum(all_begun < moment <= first_end for trace in traces for moment in trace.times)
    return {
        "prefill": prompt_tokens / (all_begun - started),
        "decode": decoded / (first_end - all_begun) if first_end > all_begun else None,
        "total": total_rate(traces),
    }


def service(traces: Sequence[Trace]) -> Figures:
    """Return what a client sees: tokens a second of all, time to first token, gap between tokens (seconds)."""
    waits = [trace.first - trace.submitted for trace in traces]
    gaps = [gap for trace in traces for gap in gaps_of(trace)]
    return {
        "total": total_rate(traces),
        "first_p50": percentile(waits, 50),
        "first_p95": percentile(waits, 95),
        "gap_p50": percentile(gaps, 50),
        "gap_p99": percentile(gaps, 99),
    }


def gaps_of(trace: Trace, after: float = 0, until: float = float("inf")) -> list[float]:
    """Return the gaps between a job's tokens that ended within the given time."""
    pairs = zip(trace.times, trace.times[1:], strict=False)
    return [later - earlier for earlier, later in pairs if after < later <= until]


def medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median over rounds of each figure; a figure that no round has is None."""
    found: dict[str, Any] = {}
    for name in rounds[0] if rounds else ():
        values = [figures[name] for figures in rounds if figures[name] is not None]
        found[name] = rounded(statistics.median(values)) if values else None
    return found


def rounded(value: float, digits: int = 4) -> float:
    """Return a figure with as many digits as a measurement is worth."""
    return float(f"{value:.{digits}g}")


def share(figure: float | None, bound: float | None) -> float | None:
    return rounded(figure / bound, 3) if figure and bound else None
