"""What is counted, and that no label can grow without bound."""

import asyncio
import uuid
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.test import Client
from prometheus_client import REGISTRY

from apps.core import metrics, streams
from apps.core.errors import InsufficientQuota, QueueFull
from apps.core.metrics import instruments
from apps.core.metrics.instruments import WeightedHistogram
from apps.core.metrics.web import measured
from tests.helpers.metrics import value

# Everything that a label may be called: what is not here needs a reason why its values are few.
LABELS = {"model", "queue", "outcome", "code", "reason", "seen_by", "route", "method", "status", "transport", "store"}
LABELS |= {"task", "process", "le", "sums", "kind"}


def test_labels_are_of_kinds_that_have_few_values(db: None, model: Any) -> None:
    for family in REGISTRY.collect():
        if family.name.startswith("millrace_"):
            used = {label for sample in family.samples for label in sample.labels}
            assert used <= LABELS, f"{family.name} has the labels {used - LABELS}"


def test_instruments_declare_only_such_labels() -> None:
    declared = {name for value in vars(instruments).values() for name in getattr(value, "_labelnames", ())}
    assert declared <= LABELS
    assert "model" in declared


def test_a_label_that_takes_ever_new_values_ends_as_other() -> None:
    kind = f"test-{uuid.uuid4()}"
    given = [metrics.bounded(kind, f"code_{number}") for number in range(200)]
    assert len(set(given)) == instruments.MOST_VALUES + 1
    assert given[-1] == "other"
    assert metrics.bounded(kind, "code_3") == "code_3"


def test_submissions_are_counted_by_outcome() -> None:
    answers: list[Any] = ["a row", QueueFull("full"), InsufficientQuota("spent"), ValueError("a bug")]

    @metrics.counting_refusals("test")
    def accept() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert accept() == "a row"
    metrics.count_accepted("test")
    for error in (QueueFull, InsufficientQuota, ValueError):
        with pytest.raises(error):
            accept()
    counted = {
        outcome: value("millrace_submissions_total", queue="test", outcome=outcome)
        for outcome in ("accepted", "queue_full", "insufficient_quota")
    }
    assert counted == {"accepted": 1, "queue_full": 1, "insufficient_quota": 1}


def test_a_reader_is_counted_while_it_reads_also_when_it_breaks_off() -> None:
    before = value("millrace_open_streams", transport="test")
    with pytest.raises(ConnectionResetError), metrics.open_stream("test") as frames:
        frames.inc(3)
        assert value("millrace_open_streams", transport="test") == before + 1
        raise ConnectionResetError
    assert value("millrace_open_streams", transport="test") == before
    assert value("millrace_stream_frames_total", transport="test") == 3


def samples(histogram: WeightedHistogram) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in histogram.collect()
        for sample in family.samples
    }


def test_a_weighted_histogram_counts_each_value_as_often_as_it_is_told() -> None:
    histogram = WeightedHistogram("test_seconds", "For this test.", (0.1, 1.0))
    assert samples(histogram) == {}
    histogram.add("m", 0.1, 3)
    histogram.add("m", 0.5, 2)
    histogram.add("m", 7.0, 1)
    assert samples(histogram) == {
        ("test_seconds_bucket", "0.1"): 3,
        ("test_seconds_bucket", "1.0"): 5,
        ("test_seconds_bucket", "+Inf"): 6,
        ("test_seconds_count", ""): 6,
        ("test_seconds_sum", ""): pytest.approx(8.3),
    }


def timing(model: str, clock: str) -> tuple[float, float]:
    """Count and sum of one of the histograms of a generation's times."""
    return value(f"millrace_{clock}_seconds_count", model=model), value(f"millrace_{clock}_seconds_sum", model=model)


def test_the_first_token_counts_from_acceptance_and_the_others_from_the_one_before() -> None:
    clock = metrics.TokenClock("m-first", waited=2.0, attempt=1, claimed=100.0)
    for tokens, now in ((1, 100.5), (2, 100.75), (2, 101.0), (6, 102.75)):
        clock.reached(tokens, now)
    assert timing("m-first", "queue_wait") == (1, 2.0)
    assert timing("m-first", "claim_to_first_token") == (1, 0.5)
    assert timing("m-first", "time_to_first_token") == (1, 2.5)
    assert timing("m-first", "inter_token") == (5, pytest.approx(2.25))
    assert value("millrace_inter_token_seconds_bucket", model="m-first", le="0.25") == 1


def test_an_attempt_that_continues_has_neither_a_first_token_nor_a_wait() -> None:
    clock = metrics.TokenClock("m-second", waited=20.0, attempt=2, claimed=100.0)
    clock.continue_from(7)
    clock.reached(8, 103.0)
    clock.reached(9, 103.5)
    assert timing("m-second", "queue_wait") == timing("m-second", "time_to_first_token") == (0, 0)
    assert timing("m-second", "inter_token") == (1, 0.5)


def test_an_attempt_that_starts_again_without_a_token_has_its_first() -> None:
    clock = metrics.TokenClock("m-again", waited=20.0, attempt=2, claimed=100.0)
    clock.continue_from(0)
    clock.reached(1, 101.0)
    assert timing("m-again", "queue_wait") == (0, 0)
    assert timing("m-again", "time_to_first_token") == (1, 21.0)


def test_a_text_that_starts_over_counts_no_negative_tokens() -> None:
    clock = metrics.TokenClock("m-over", waited=0.0, attempt=1, claimed=100.0)
    for tokens, now in ((5, 101.0), (2, 102.0), (3, 103.0)):
        clock.reached(tokens, now)
    assert timing("m-over", "inter_token") == (1, 2.0)


def test_the_lag_is_that_of_entries_written_since_the_reader_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments.time, "time", lambda: 1000.0)
    before = value("millrace_stream_lag_seconds_count"), value("millrace_stream_lag_seconds_sum")
    entries = [streams.Piece("1-1", streams.DELTA, "", 1, 0, at) for at in (0, 980_000, 999_500, 1_000_200)]
    metrics.observe_lag(entries, since=990.0)
    after = value("millrace_stream_lag_seconds_count"), value("millrace_stream_lag_seconds_sum")
    # A replay and an entry without a time do not count; a clock that is behind makes no negative lag.
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, pytest.approx(0.5)]


# ---------------------------------------------------------------- requests


def requests(route: str, method: str, status: int) -> float:
    return value("millrace_http_requests_total", route=route, method=method, status=str(status))


def test_requests_are_counted_by_route_and_never_by_path(db: None) -> None:
    client = Client(raise_request_exception=False)
    before = requests("healthz", "GET", 200), requests("none", "GET", 404), requests("api-generation", "GET", 401)
    client.get("/healthz")
    client.get(f"/nothing/{uuid.uuid4()}")
    client.get(f"/api/v1/generations/{uuid.uuid4()}")
    after = requests("healthz", "GET", 200), requests("none", "GET", 404), requests("api-generation", "GET", 401)
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]
    assert value("millrace_http_request_duration_seconds_count", route="healthz") >= 1


def test_methods_that_somebody_made_up_are_one(db: None) -> None:
    before = requests("healthz", "other", 405)
    for number in range(3):
        Client().generic(f"MADEUP{number}", "/healthz")
    assert requests("healthz", "other", 405) == before + 3


async def test_a_caller_who_leaves_is_counted_as_such() -> None:
    began = asyncio.Event()

    async def view(request: Any) -> HttpResponse:
        began.set()
        await asyncio.sleep(3600)
        return HttpResponse()

    before = requests("none", "GET", 499)
    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, None)
    answering: Any = measured(view)
    task = asyncio.create_task(answering(request))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert requests("none", "GET", 499) == before + 1
