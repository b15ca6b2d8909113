"""One organization fills the queue, and another's request still starts within two jobs' time, on the real stack."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack")]

# Several times what one worker runs at a time, each of a certain length.
MANY = 160
JOB = {"prompt": "Write a line about tea.", "max_tokens": 48, "min_tokens": 48}


def _ask(client: httpx.Client, **extra: Any) -> str:
    answer = client.post("/api/v1/generations", json=JOB | extra)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _ended(client: httpx.Client, id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        body: dict[str, Any] = client.get(f"/api/v1/generations/{id}").json()
        return body if body["finished_at"] else None

    found: dict[str, Any] = wait_for(look, 240, f"the end of {id}")
    return found


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value)


def test_a_full_queue_of_one_lets_anothers_request_start_within_two_jobs_time(stack: Stack) -> None:
    with stack.client(stack.a) as many, stack.client(stack.b) as one:
        with ThreadPoolExecutor(8) as pool:
            theirs = list(pool.map(lambda seed: _ask(many, seed=seed), range(MANY)))
        mine = _ended(one, _ask(one, seed=1))
        others = [_ended(many, id) for id in theirs]
    came, started = _time(mine["created_at"]), _time(mine["started_at"])
    assert mine["status"] == "succeeded"
    assert any(_time(job["started_at"]) > started for job in others), "there was no queue to overtake"
    # Jobs of the other organization that ran from beginning to end while this one waited; one after another they
    # are the time it waited, counted in jobs.
    whole = [
        (_time(job["started_at"]), _time(job["finished_at"]))
        for job in others
        if came < _time(job["started_at"]) and _time(job["finished_at"]) <= started
    ]
    in_a_row = [(first, second) for first in whole for second in whole if first[1] <= second[0]]
    assert not in_a_row, "it waited for two jobs and more"


def test_a_deadline_ends_what_waits_and_what_runs(stack: Stack) -> None:
    long = {"max_tokens": 900, "min_tokens": 900}
    with stack.client(stack.b) as client:
        body = _ended(client, _ask(client, deadline_seconds=0.5, **long))
        assert body["finish_reason"] == "deadline"
        assert body["error"]["code"] == "deadline_exceeded"
        assert body["usage"]["completion_tokens"] < 900
