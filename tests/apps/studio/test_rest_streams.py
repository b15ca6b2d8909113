"""A generation followed over server-sent events, from a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from apps.core.jobs import Status
from tests.helpers.live import live_server
from tests.helpers.people import Tenant
from tests.helpers.studio import states
from tests.helpers.worker import HandWorker, answering, working
from tests.stack import wait_for

URL = "/api/v1/generations"


@pytest.fixture
def http(transactional_db: None, model: Any, org_a: Tenant) -> Iterator[httpx.Client]:
    with live_server() as url, httpx.Client(base_url=url, headers=org_a.bearer, timeout=30, trust_env=False) as client:
        yield client


def follow(http: httpx.Client, id: Any, after: str = "") -> Iterator[tuple[str, str, Any]]:
    """(event, id, data) of a generation's stream; an event without an id has the empty one."""
    headers = {"Last-Event-ID": after} if after else {}
    with http.stream("GET", f"{URL}/{id}/stream", headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
                fields = {}


def text_of(events: Iterable[tuple[str, str, Any]]) -> str:
    """The text of a stream without resets, however its words came together."""
    return "".join(data["text"] for event, _, data in events if event == "delta")


def test_a_stream_carries_every_piece_and_ends_with_the_body(http: httpx.Client) -> None:
    with working(answering("Tea ", "is ", "wärm 🍵")):
        id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
        events = list(follow(http, id))
    assert text_of(events) == "Tea is wärm 🍵"
    assert events[-1][0] == "done"
    assert events[-1][2] == http.get(f"{URL}/{id}").json()
    assert all(position for event, position, _ in events if event in {"delta", "done"})
    assert not any(position for event, position, _ in events if event == "status")


def test_a_stream_resumes_after_any_event(http: httpx.Client) -> None:
    words = ["a", "b", "c", "d"]
    with working(answering(*words)):
        id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
        assert text_of(follow(http, id)) == "abcd"
    for seen in range(len(words) + 1):
        assert text_of(follow(http, id, f"1-{seen}")) == "".join(words[seen:])


def test_a_restart_is_told_as_a_reset(http: httpx.Client) -> None:
    id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
    worker = HandWorker.claim()
    worker.write("wrong")
    told = []
    for event, _, data in follow(http, id):
        told += [(event, data.get("text"))] if event != "status" else []
        if data.get("text") == "wrong":
            worker.start_over()
            worker.run(["right"])
    assert told[:-1] == [("delta", "wrong"), ("reset", None), ("delta", "right")]


def test_leaving_a_stream_does_not_stop_the_work(http: httpx.Client, org_a: Tenant) -> None:
    id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
    worker = HandWorker.claim()
    worker.write("one")
    assert next(event for event in follow(http, id) if event[0] == "delta")
    worker.run(["two"])
    assert states(org_a) == {"succeeded": 1}
    assert text_of(follow(http, id)) == "onetwo"


def test_open_streams_hold_no_threads(http: httpx.Client) -> None:
    id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
    with ExitStack() as stack:
        for _ in range(30):
            answer = stack.enter_context(http.stream("GET", f"{URL}/{id}/stream"))
            assert "queued" in "".join(line for line, _ in zip(answer.iter_lines(), range(2), strict=False))
        # Each request's own thread ends a moment after its stream has begun.
        wait_for(lambda: threading.active_count() < 30, 20, "the end of the requests' threads")


def test_a_failure_ends_the_stream_with_the_failed_body(http: httpx.Client) -> None:
    with working(lambda: HandWorker.claim().finish(Status.FAILED, "error", "engine_error", "It broke.")):
        id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
        event, _, data = list(follow(http, id))[-1]
    assert (event, data["status"], data["error"]["code"]) == ("done", "failed", "engine_error")


def test_an_expired_stream_is_answered_from_the_row(http: httpx.Client, redis: Any) -> None:
    with working(answering("all ", "of it")):
        id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
        list(follow(http, id))
    redis.delete(*redis.scan_iter(match=f"*:stream:{id}"))
    assert [data["text"] for event, _, data in follow(http, id) if event == "delta"] == ["all of it"]


def test_a_wrong_position_is_refused(http: httpx.Client) -> None:
    id = http.post(URL, json={"prompt": "Tea."}).json()["id"]
    response = http.get(f"{URL}/{id}/stream?after=yesterday")
    assert (response.status_code, response.json()["error"]["param"]) == (400, "after")


def test_a_chunked_body_is_read_and_bounded(http: httpx.Client) -> None:
    json_type = {"content-type": "application/json"}
    accepted = http.post(URL, content=iter([b'{"prompt": ', b'"Tea."}']), headers=json_type)
    assert accepted.status_code == 202, accepted.text
    refused = http.post(URL, content=(b" " * 65536 for _ in range(20)), headers=json_type)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "payload_too_large")


def test_an_address_that_is_not_utf8_is_refused_without_a_page(http: httpx.Client) -> None:
    response = http.get("/api/v1/generations/%ff%fe")
    assert response.status_code in {400, 404}
    assert "<html" not in response.text
