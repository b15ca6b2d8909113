"""The main job on the real stack: a prompt goes in over HTTP, a worker writes, the text streams back."""

from __future__ import annotations

import concurrent.futures
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.stack import Demo, Stack, wait_for

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack")]

BRIEF = {
    "content_type": "product_description",
    "product": "Alder Kettle",
    "audience": "home cooks",
    "tone": "warm",
    "key_points": ["boils in two minutes", "cordless"],
}
# Certainly long, since the text may not end before 500 tokens: what must be caught in mid-flight is.
LONG = {
    "brief": BRIEF | {"content_type": "blog_opening"},
    "temperature": 0,
    "max_tokens": 600,
    "min_tokens": 500,
    "repetition_penalty": 1.3,
}


def _create(client: httpx.Client, **body: Any) -> str:
    answer = client.post("/api/v1/generations", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _finished(client: httpx.Client, id: str, seconds: float = 90) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        body: dict[str, Any] = client.get(f"/api/v1/generations/{id}").json()
        return body if body["status"] in {"succeeded", "failed", "cancelled"} else None

    found: dict[str, Any] = wait_for(ended, seconds, f"the end of generation {id}")
    return found


def _events(client: httpx.Client, id: str, after: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(event, id, data) of a generation's SSE stream."""
    headers = {"Last-Event-ID": after} if after else {}
    with client.stream("GET", f"/api/v1/generations/{id}/stream", headers=headers) as response:
        assert response.status_code == 200, response.read()
        event = last = ""
        for line in response.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                event = value
            elif field == "id":
                last = value
            elif field == "data":
                yield event, last, json.loads(value)


def _used(client: httpx.Client) -> int:
    return int(client.get("/api/v1/usage").json()["used"])


def _idle(client: httpx.Client) -> bool:
    """Whether all that the demo had written when it was made has been counted."""
    before = client.get("/api/v1/usage").json()
    time.sleep(3)
    return bool(before["held"] == 0 and client.get("/api/v1/usage").json() == before)


def test_a_brief_streams_back_word_by_word_and_is_charged_once(stack: Stack) -> None:
    with stack.client(stack.a) as client:
        wait_for(lambda: _idle(client), 120, "the demo to have been written")
        before = _used(client)
        id = _create(client, model="default", brief=BRIEF, seed=7)
        events = list(_events(client, id))
        done = events[-1][2]
        pieces = [data["text"] for event, _, data in events if event == "delta"]
        assert events[-1][0] == "done"
        assert done["status"] == "succeeded"
        assert len(pieces) > 2
        assert "".join(pieces) == done["text"] == _finished(client, id)["text"]
        assert _used(client) - before == done["usage"]["total_tokens"]


def test_the_stream_resumes_after_the_last_event_seen(stack: Stack) -> None:
    with stack.client(stack.a) as client:
        id = _create(client, **LONG)
        first = []
        for event in _events(client, id):
            if event[0] == "delta":
                first.append(event)
            if len(first) == 5:
                break
        rest = list(_events(client, id, after=first[-1][1]))
        text = "".join(data["text"] for _, _, data in first)
        text += "".join(data["text"] for event, _, data in rest if event == "delta")
        assert text == rest[-1][2]["text"]


def test_a_websocket_that_drops_at_random_loses_and_repeats_nothing(stack: Stack) -> None:
    random.seed(3)
    with stack.client(stack.a) as client:
        id = _create(client, **LONG)
    url = stack.base_url.replace("http", "ws", 1) + f"/ws/generations/{id}/"
    text, last, done = "", "", None
    while done is None:
        budget = random.randint(1, 12)
        with connect(f"{url}?after={last}", additional_headers=stack.a.bearer, proxy=None) as socket:
            for message in socket:
                frame = json.loads(message)
                if frame["type"] == "delta":
                    text, last = text + frame["text"], frame["id"]
                    budget -= 1
                elif frame["type"] == "done":
                    done = frame["generation"]
                if budget == 0:
                    break
    assert text == done["text"]


def test_another_organization_sees_what_does_not_exist(stack: Stack) -> None:
    with stack.client(stack.a) as own, stack.client(stack.b) as other:
        id = _create(own, model="default", brief=BRIEF, max_tokens=8)
        missing = "0190a000-0000-7000-8000-000000000000"
        for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/stream")):
            seen = other.request(method, f"/api/v1/generations/{id}{path}")
            absent = other.request(method, f"/api/v1/generations/{missing}{path}")
            assert (seen.status_code, seen.json()) == (404, absent.json())
        assert id not in other.get("/api/v1/generations").text
        url = stack.base_url.replace("http", "ws", 1) + f"/ws/generations/{id}/"
        with connect(url, additional_headers=stack.b.bearer, proxy=None) as socket:
            assert json.loads(socket.recv())["error"]["code"] == "not_found"
            with pytest.raises(ConnectionClosed):
                socket.recv()


def test_the_openai_client_works_unmodified(stack: Stack) -> None:
    with openai.OpenAI(base_url=f"{stack.base_url}/v1", api_key=stack.a.api_key) as client:
        assert "default" in [model.id for model in client.models.list()]
        messages: Any = [{"role": "user", "content": "Write an ad headline for the Alder Kettle."}]
        whole = client.chat.completions.create(model="default", messages=messages, max_tokens=30)
        assert whole.choices[0].message.content
        chunks = list(
            client.chat.completions.create(
                model="default",
                messages=messages,
                max_tokens=30,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        assert len({chunk.id for chunk in chunks}) == 1
        assert [chunk.choices for chunk in chunks].count([]) == 1
        assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens > 0
        assert chunks[-2].choices[0].finish_reason in {"stop", "length"}
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="nothing", messages=messages)
    with (
        openai.OpenAI(base_url=f"{stack.base_url}/v1", api_key="mr_wrong") as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_cancel_stops_the_work_and_charges_what_was_produced(stack: Stack) -> None:
    with stack.client(stack.b) as client:
        before = _used(client)
        id = _create(client, **LONG)
        for seen, (event, _, _) in enumerate(_events(client, id)):
            if event == "delta" and seen > 8:
                break
        client.post(f"/api/v1/generations/{id}/cancel").raise_for_status()
        body = _finished(client, id)
        assert body["status"] == "cancelled", body
        assert 0 < body["usage"]["completion_tokens"] < 600
        assert _used(client) - before == body["usage"]["total_tokens"]


def test_a_killed_worker_costs_a_pause_and_never_a_token(stack: Stack) -> None:
    with stack.client(stack.a) as client:
        expected = _finished(client, _create(client, **LONG))
        before = _used(client)
        id = _create(client, **LONG)
        text, killed = "", False
        for event, _, data in _events(client, id):
            assert event != "reset"
            text += data["text"] if event == "delta" else ""
            if not killed and len(text) > 40:
                stack.kill("workers.celery:app", "generation")
                killed = True
        body = _finished(client, id)
        assert body["status"] == "succeeded", body
        assert text == body["text"] == expected["text"]
        assert body["usage"] == expected["usage"]
        assert _used(client) - before == body["usage"]["total_tokens"]


def test_a_killed_web_process_costs_a_reconnect(stack: Stack) -> None:
    with stack.client(stack.a) as client:
        id = _create(client, **LONG)
        text, last = "", ""
        for event, position, data in _events(client, id):
            if event == "delta":
                text, last = text + data["text"], position
            if len(text) > 40:
                break
        stack.kill("uvicorn")
        wait_for(lambda: _is_up(stack), 60, "the web process's return")
        for event, _, data in _events(client, id, after=last):
            text += data["text"] if event == "delta" else ""
        assert text == _finished(client, id)["text"]


def _is_up(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.base_url}/healthz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_many_streams_of_two_organizations_run_side_by_side(stack: Stack) -> None:
    def run(who: Demo, seed: int) -> bool:
        with stack.client(who) as client:
            id = _create(client, brief=BRIEF, max_tokens=60, seed=seed)
            events = list(_events(client, id))
            pieces = "".join(data["text"] for event, _, data in events if event == "delta")
            return bool(pieces) and pieces == events[-1][2]["text"]

    jobs = [(who, seed) for seed in range(8) for who in (stack.a, stack.b)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda job: run(*job), jobs))
