"""Calls are sent again where that helps and can do no harm, and never where it might."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace import (
    APIError,
    AsyncMillrace,
    ConnectionFailed,
    Millrace,
    Options,
    Retry,
    UnexpectedAnswer,
    codes,
    errors,
)
from scripted_server import Answer, Server

MADE = Answer(202, {"id": "g1", "status": "queued"})
LOST = Answer(cut=True)


def test_a_full_minute_is_waited_out(server: Server, client: Millrace, failure: Callable[..., Answer]) -> None:
    server.script(failure(429, "rate_limit_exceeded", retry=True, wait=0.3), Answer(body={"data": []}))
    started = time.monotonic()
    assert client.list_models()["data"] == []
    assert 0.3 <= time.monotonic() - started < 2
    assert len(server.asked) == 2


async def test_so_it_is_in_an_event_loop(
    server: Server, aclient: AsyncMillrace, failure: Callable[..., Answer]
) -> None:
    server.script(failure(503, "overloaded", retry=True, wait=0.1), LOST, MADE)
    assert (await aclient.create_generation(prompt="Tea."))["id"] == "g1"
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1


def test_a_wait_beyond_patience_is_raised_at_once(
    server: Server, client: Millrace, failure: Callable[..., Answer]
) -> None:
    server.script(failure(429, "queue_full", retry=True, wait=100))
    with pytest.raises(codes.QueueFull) as raised:
        client.list_models()
    assert (raised.value.retry_after, raised.value.request_id, len(server.asked)) == (100, "req_test", 1)


def test_what_the_server_calls_final_is_raised_at_once(
    server: Server, client: Millrace, failure: Callable[..., Answer]
) -> None:
    server.script(failure(429, "insufficient_quota"))
    with pytest.raises(errors.TooManyRequestsError) as raised:
        client.create_generation(prompt="Tea.")
    assert isinstance(raised.value, codes.InsufficientQuota)
    assert len(server.asked) == 1


def test_a_lost_answer_is_asked_for_again_with_the_same_key(server: Server, client: Millrace) -> None:
    server.script(LOST, LOST, MADE)
    assert client.create_generation(prompt="Tea.")["id"] == "g1"
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert [asked.json() for asked in server.asked] == [{"prompt": "Tea."}] * 3


def test_each_call_has_a_key_of_its_own_or_the_one_given(server: Server, client: Millrace) -> None:
    server.script(MADE)
    for _ in range(2):
        client.create_generation(prompt="Tea.")
    client.create_generation(prompt="Tea.", options=Options(idempotency_key="mine"))
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"
    with pytest.raises(ValueError, match="takes no idempotency key"):
        client.list_models(options=Options(idempotency_key="mine"))


def test_a_post_without_a_key_is_not_repeated_when_its_answer_is_lost(server: Server, client: Millrace) -> None:
    server.script(LOST, MADE)
    with pytest.raises(ConnectionFailed) as raised:
        client.create_team(name="Tea")
    assert not raised.value.unsent
    assert len(server.asked) == 1
    assert "idempotency-key" not in server.asked[0].headers


def test_a_post_without_a_key_is_repeated_when_it_was_refused(
    server: Server, client: Millrace, failure: Callable[..., Answer]
) -> None:
    server.script(failure(429, "rate_limit_exceeded", retry=True, wait=0.01), Answer(201, {"id": "t1"}))
    assert client.create_team(name="Tea")["id"] == "t1"
    server.script(failure(503, "service_unavailable", retry=True))
    with pytest.raises(codes.ServiceUnavailable):
        client.create_team(name="Tea")
    assert len(server.asked) == 3


def test_usage_events_are_repeated_because_they_are_known_by_their_ids(server: Server, client: Millrace) -> None:
    server.script(LOST, Answer(body={"accepted": 1}))
    event = {"specversion": "1.0", "source": "/t", "id": "1", "type": "images", "data": {"quantity": 1}}
    assert client.report_usage([event])["accepted"] == 1
    assert [asked.json() for asked in server.asked] == [[event]] * 2


def test_a_message_is_repeated_because_it_is_known_by_its_own_id(server: Server, client: Millrace) -> None:
    server.script(LOST, Answer(202, {"id": "m1"}))
    assert client.send_message("c1", text="Tea.")["id"] == "m1"
    first, second = (asked.json() for asked in server.asked)
    assert first == second and uuid.UUID(first["client_id"])
    client.send_message("c1", text="Tea.", client_id="0190a000-0000-7000-8000-000000000000")
    assert server.asked[-1].json()["client_id"] == "0190a000-0000-7000-8000-000000000000"


def test_deleting_twice_is_deleting(server: Server, client: Millrace, failure: Callable[..., Answer]) -> None:
    server.script(LOST, failure(404, "not_found"))
    client.delete_bulk_run("r1")
    server.script(failure(404, "not_found"))
    with pytest.raises(codes.NotFound):
        client.delete_bulk_run("r1")


def test_nobody_at_the_address_is_said_so_after_some_attempts(server: Server) -> None:
    server.close()
    with (
        Millrace(server.url, "mr_test", retry=Retry(times=2, first=0.01)) as client,
        pytest.raises(ConnectionFailed) as gone,
    ):
        client.create_team(name="Tea")
    assert gone.value.unsent


def test_a_proxys_page_is_told_from_an_answer(server: Server, client: Millrace) -> None:
    server.script(Answer(body=b"<html>", headers={"content-type": "text/html"}))
    with pytest.raises(UnexpectedAnswer, match="text/html"):
        client.list_models()
    server.script(Answer(502, b"<html>"), Answer(body={"data": []}))
    assert client.list_models()["data"] == []
    server.script(Answer(500, b"<html>"))
    with pytest.raises(errors.ServerError) as raised:
        client.list_models(options=Options(retries=0))
    assert raised.value.status == 500


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Fri, 02 Jan 2026 00:00:09 GMT"}, 9),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert errors.wait_of(headers, datetime(2026, 1, 2, tzinfo=UTC)) == seconds


def test_pauses_double_and_differ() -> None:
    retry = Retry(times=8, first=1, longest=10)
    pauses: list[Any] = [[retry.pause(tried) for _ in range(50)] for tried in range(1, 9)]
    for tried, found in enumerate(pauses):
        assert min(10, 2**tried) / 2 <= min(found) <= max(found) <= min(10, 2**tried)
        assert len(set(found)) > 25
    assert retry.pause(9) is None
    assert 4 <= (retry.pause(1, asked=4) or 0) <= 4.4


def test_every_code_has_a_class_below_its_status() -> None:
    assert len(codes.CODES) > 80
    for code, cls in codes.CODES.items():
        assert issubclass(cls, APIError)
        assert errors.class_for(code, 400) is cls
    assert errors.class_for("of_tomorrow", 409) is errors.ConflictError
    assert errors.class_for("of_tomorrow", 599) is errors.ServerError
