"""The instruments, and the few helpers that keep a call to one a single line."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from apps.core.errors import MillraceError

# A second series for each counter, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]

P = ParamSpec("P")
R = TypeVar("R")

OTHER = "other"
# More values of one label than this are a mistake, and end up as OTHER.
MOST_VALUES = 64
_seen: dict[str, set[str]] = {}
_seen_lock = threading.Lock()


def bounded(label: str, value: str) -> str:
    """The value, or `other` once `label` has had MOST_VALUES different ones in this process."""
    known = _seen.setdefault(label, set())
    if value in known:
        return value
    with _seen_lock:
        if len(known) >= MOST_VALUES:
            return OTHER
        known.add(value)
    return value


# ---------------------------------------------------------------- web
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
HTTP_REQUESTS = Counter(
    "millrace_http_requests", "HTTP requests answered; 499 is a caller who left.", ["route", "method", "status"]
)
HTTP_SECONDS = Histogram(
    "millrace_http_request_duration_seconds", "Time until an answer began.", ["route"], buckets=QUICK
)
ERROR_ANSWERS = Counter("millrace_error_answers", "Answers that told of an error, by its stable code.", ["code"])
SUBMISSIONS = Counter(
    "millrace_submissions", "Work asked for: `accepted`, or the code of the refusal.", ["queue", "outcome"]
)
OPEN_STREAMS = Gauge("millrace_open_streams", "Readers that follow a stream now.", ["transport"])
STREAM_FRAMES = Counter("millrace_stream_frames", "Frames sent to readers, heartbeats included.", ["transport"])
STREAM_LAG = Histogram(
    "millrace_stream_lag_seconds",
    "From the write of a stream's entry to the moment a live reader is given it.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def counting_refusals(queue: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates what accepts work: refusals are counted by the error's code."""

    def decorate(service: Callable[P, R]) -> Callable[P, R]:
        @wraps(service)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return service(*args, **kwargs)
            except MillraceError as error:
                SUBMISSIONS.labels(queue, error.code).inc()
                raise

        return counted

    return decorate


def count_accepted(queue: str) -> None:
    """Counts a piece of work that was accepted; call it once the transaction has committed."""
    SUBMISSIONS.labels(queue, "accepted").inc()


class Stamped(Protocol):
    """A stream's entry; `at` is when Redis took it in Unix milliseconds, 0 for most, which carry no time."""

    @property
    def at(self) -> int: ...


def observe_lag(entries: Iterable[Stamped], since: float) -> None:
    """Notes how late a reader is given these entries; what was written before `since`, in Unix time, is a replay."""
    for entry in entries:
        if entry.at:
            written = entry.at / 1000
            if written > since:
                STREAM_LAG.observe(max(0.0, time.time() - written))


@contextmanager
def open_stream(transport: str) -> Iterator[Counter]:
    """Counts a reader for as long as the block lasts; what it gives counts the frames that were sent."""
    readers = OPEN_STREAMS.labels(transport)
    readers.inc()
    try:
        yield STREAM_FRAMES.labels(transport)
    finally:
        readers.dec()


# ---------------------------------------------------------------- work
LEASE_LOSSES = Counter(
    "millrace_lease_losses",
    "Leases that lapsed (seen_by reaper), and work a worker found in other hands (seen_by worker).",
    ["queue", "seen_by"],
)
RETRIES = Counter("millrace_job_retries", "Running jobs returned to their queue.", ["queue", "reason"])
GENERATIONS = Counter("millrace_generations", "Generations that ended, by status.", ["model", "outcome"])
FAILURES = Counter("millrace_generation_failures", "Generations that failed, by error code.", ["model", "code"])
ROLLUP_DRIFTS = Counter(
    "millrace_rollup_drifts", "Sums of usage that the nightly look found not to equal the ledger's lines.", ["sums"]
)
STRIPE_DRIFTS = Counter(
    "millrace_stripe_drifts", "Copies that the nightly look found not to be what Stripe has.", ["kind"]
)
STRIPE_MISSED = Counter("millrace_stripe_missed_events", "Events that no webhook has brought and the nightly look has.")
STRIPE_REFUSED = Counter("millrace_stripe_refused_webhooks", "Webhooks whose signature was not right.")
STRIPE_ILLEGAL_CHANGES = Counter(
    "millrace_stripe_illegal_changes", "Changes of a subscription's status that should not happen, and were written."
)
STRIPE_SECOND_SUBSCRIPTIONS = Counter(
    "millrace_stripe_second_subscriptions", "Second live subscriptions of an organization, which were ended."
)
QUEUE_WAIT = Histogram(
    "millrace_queue_wait_seconds",
    "From acceptance to the first claim, by the database's clock.",
    ["model"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
FIRST_TOKEN = Histogram(
    "millrace_time_to_first_token_seconds",
    "From acceptance until the first token was in the stream.",
    ["model"],
    buckets=(0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
CLAIM_TO_FIRST_TOKEN = Histogram(
    "millrace_claim_to_first_token_seconds",
    "From the claim until the first token was in the stream: prefill and the writer.",
    ["model"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
STREAM_WRITE_SECONDS = Histogram(
    "millrace_stream_write_seconds",
    "One Redis pipeline with the entries of all streams.",
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5),
)
STREAM_WRITE_ERRORS = Counter("millrace_stream_write_errors", "Redis pipelines that failed and were tried again.")
SETTLE_SECONDS = Histogram(
    "millrace_settle_seconds", "The transaction with a generation's text and charge, retries included.", buckets=QUICK
)


def count_end(model: str, status: str, error_code: str) -> None:
    """Counts a generation that has ended; call it once the transaction has committed."""
    GENERATIONS.labels(model, status).inc()
    if error_code:
        FAILURES.labels(model, bounded("code", error_code)).inc()


class WeightedHistogram(Collector):
    """A histogram by model in which one call counts many equal values; for one writing thread.

    Four times cheaper than the library's, which takes two locks a value: this one is fed with every token.
    """

    def __init__(self, name: str, documentation: str, bounds: tuple[float, ...]) -> None:
        self._name, self._documentation, self._bounds = name, documentation, bounds
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def add(self, model: str, value: float, count: int) -> None:
        """Counts `value` `count` times."""
        counts = self._counts.get(model)
        if counts is None:
            counts = self._counts[model] = [0] * (len(self._bounds) + 1)
            self._sums[model] = 0.0
        counts[bisect_left(self._bounds, value)] += count
        self._sums[model] += value * count

    def describe(self) -> Iterable[HistogramMetricFamily]:
        return [HistogramMetricFamily(self._name, self._documentation, labels=["model"])]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=["model"])
        for model, counts in list(self._counts.items()):
            total, buckets = 0, []
            for bound, count in zip([*map(str, self._bounds), "+Inf"], list(counts), strict=True):
                total += count
                buckets.append((bound, float(total)))
            family.add_metric([model], buckets, self._sums[model])
        yield family


TOKEN_GAPS = WeightedHistogram(
    "millrace_inter_token_seconds",
    "Time between tokens of one generation as they reach the stream, counted for every token after the first.",
    (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5),
)
REGISTRY.register(TOKEN_GAPS)


class TokenClock:
    """When the tokens of one attempt reached the stream; once it has begun only the stream writer's thread uses it.

    `waited` is the time between acceptance and claim in seconds, by the database's clock; `claimed` is the claim's
    `time.monotonic()` instant. Together they give the time to the first token whatever this machine's clock says.
    """

    __slots__ = ("_claimed", "_last", "_model", "_tokens", "_waited")

    def __init__(self, model: str, waited: float, attempt: int, claimed: float) -> None:
        self._model, self._waited, self._claimed = model, waited, claimed
        self._last, self._tokens = 0.0, 0
        if attempt == 1:
            QUEUE_WAIT.labels(model).observe(waited)

    def continue_from(self, tokens: int) -> None:
        """Earlier attempts have written so many tokens."""
        self._tokens = tokens

    def reached(self, tokens: int, now: float) -> None:
        """The stream holds `tokens` in all since the `time.monotonic()` instant `now`."""
        new = tokens - self._tokens
        if new > 0:
            if self._last:
                TOKEN_GAPS.add(self._model, (now - self._last) / new, new)
            elif not self._tokens:
                CLAIM_TO_FIRST_TOKEN.labels(self._model).observe(now - self._claimed)
                FIRST_TOKEN.labels(self._model).observe(self._waited + now - self._claimed)
            self._last = now
        self._tokens = tokens
