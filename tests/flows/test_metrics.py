"""What Prometheus reads from every process of the real product, before and after a generation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from honcho.environ import parse_procfile

from tests.helpers.metrics import Samples, names, parsed, total
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.flow, pytest.mark.xdist_group("stack")]

PROCFILE = Path(__file__).resolve().parents[2] / "Procfile"
BRIEF = {
    "content_type": "blog_opening",
    "product": "Alder Kettle",
    "audience": "home cooks",
    "tone": "warm",
    "key_points": ["boils in two minutes", "cordless"],
}


def read(url: str, **headers: str) -> Samples:
    answer = httpx.get(url, headers=headers, timeout=20, trust_env=False)
    assert answer.status_code == 200, f"{url}: {answer.status_code}"
    return parsed(answer.text)


def web(stack: Stack) -> Samples:
    return read(f"{stack.base_url}/metrics")


def listeners(stack: Stack) -> dict[str, str]:
    """Where each process says that it listens, as Prometheus' file discovery reads it."""
    found = {}
    for file in (stack.var / "run" / "metrics").glob("*.json"):
        for group in json.loads(file.read_text()):
            found[group["labels"]["process"]] = f"http://{group['targets'][0]}/metrics"
    return found


def worker(stack: Stack) -> Samples:
    return read(listeners(stack)["generation"])


def generate(stack: Stack, **body: Any) -> dict[str, Any]:
    """A generation that is followed live to its end."""
    with stack.client(stack.a) as client:
        created = client.post("/api/v1/generations", json={"brief": BRIEF, "seed": 7, **body})
        assert created.status_code == 202, created.text
        with client.stream("GET", f"/api/v1/generations/{created.json()['id']}/stream") as response:
            lines = [line for line in response.iter_lines() if line.startswith("data: ")]
        done: dict[str, Any] = json.loads(lines[-1][6:])
    assert done["status"] == "succeeded", done
    return done


def test_every_process_says_where_it_listens(stack: Stack) -> None:
    started = set(parse_procfile(PROCFILE.read_text()).processes)
    found = wait_for(lambda: listeners(stack).keys() == started and listeners(stack), 60, "the last listener")
    for process, url in found.items():
        assert url.startswith("http://127.0.0.1:")
        assert total(read(url), "millrace_process_up", process=process) == 1


def test_a_generation_shows_in_the_metrics_of_web_and_worker(stack: Stack) -> None:
    before_web, before_worker = web(stack), worker(stack)
    tokens = generate(stack, max_tokens=60)["usage"]["completion_tokens"]
    wait_for(lambda: gain(before_worker, worker(stack), "millrace_generations_total") >= 1, 20, "the settlement")
    after_web, after_worker, model = web(stack), worker(stack), loaded(stack)

    def more(name: str, **labels: str) -> float:
        return gain(before_worker, after_worker, name, **labels) + gain(before_web, after_web, name, **labels)

    assert more("millrace_submissions_total", outcome="accepted") >= 1
    assert more("millrace_generations_total", outcome="succeeded", model=model) >= 1
    # The end of the text is a token that is not part of it.
    assert more("millrace_engine_generated_tokens_total", model=model) >= tokens - 1
    assert more("millrace_engine_steps_total", model=model) >= tokens - 1
    # A prompt is computed, or known already as the beginning of an earlier one.
    assert more("millrace_engine_prefill_tokens_total") + more("millrace_engine_reused_tokens_total") >= 1
    for clock in ("queue_wait", "claim_to_first_token", "time_to_first_token"):
        # Others may be written at the same time: the demo's own texts, right after the start.
        count = more(f"millrace_{clock}_seconds_count", model=model)
        assert count >= 1, clock
        assert 0 < more(f"millrace_{clock}_seconds_sum", model=model) < 120 * count, clock
    assert more("millrace_time_to_first_token_seconds_sum") > more("millrace_queue_wait_seconds_sum")
    assert more("millrace_inter_token_seconds_count", model=model) >= tokens - 2
    assert 0 < more("millrace_inter_token_seconds_sum", model=model) < 120
    for written in ("stream_write", "settle"):
        assert more(f"millrace_{written}_seconds_count") >= 1, written
    assert more("millrace_stream_frames_total", transport="sse") >= 3
    assert more("millrace_http_requests_total", route="api-generations", method="POST", status="202") >= 1


def loaded(stack: Stack) -> str:
    """The name of the model that the worker has loaded; once it answers, it has one."""
    [model] = {dict(labels)["model"] for name, labels in worker(stack) if name == "millrace_engine_loaded"}
    return model


def gain(before: Samples, after: Samples, name: str, **labels: str) -> float:
    """How much a counter has grown."""
    return total(after, name, **labels) - total(before, name, **labels)


def test_the_engine_and_the_queue_are_seen_as_they_stand(stack: Stack) -> None:
    generate(stack, max_tokens=8)
    found, engine, model = web(stack), worker(stack), loaded(stack)
    for name in ("depth", "oldest_age_seconds", "organizations", "running", "lapsed_leases"):
        assert f"millrace_queue_{name}" in names(found), name
    assert total(engine, "millrace_engine_loaded", model=model) == 1
    assert total(engine, "millrace_engine_slots", model=model) >= 1
    assert total(engine, "millrace_engine_cache_size_tokens", model=model) > 0
    assert {total(found, "millrace_store_up", store=store) for store in ("database", "redis")} == {1}
    seen = [total(found, "millrace_worker_seen_timestamp_seconds", queue=queue) for queue in ("generation", "default")]
    assert min(seen) > 1_700_000_000


def test_streams_that_are_followed_live_have_a_lag(stack: Stack) -> None:
    before = web(stack)

    def measured() -> bool:
        generate(stack, max_tokens=60)
        return gain(before, web(stack), "millrace_stream_lag_seconds_count") >= 1

    wait_for(measured, 120, "an entry with its time")
    assert 0 <= gain(before, web(stack), "millrace_stream_lag_seconds_sum") < 120


def test_refusals_are_counted_by_code(stack: Stack) -> None:
    before = web(stack)
    with stack.client(stack.a) as client:
        missing = client.post("/api/v1/generations", json={"brief": BRIEF, "model": "nothing-of-this-name"})
        assert missing.status_code == 404
        assert client.get("/api/v1/generations/not-an-id").status_code == 404
    after = web(stack)
    assert gain(before, after, "millrace_submissions_total", outcome="model_not_found") >= 1
    assert gain(before, after, "millrace_error_answers_total", code="model_not_found") >= 1
    assert gain(before, after, "millrace_http_requests_total", route="api-generation", status="404") >= 1


def test_the_other_processes_count_their_tasks(stack: Stack) -> None:
    def seen() -> bool:
        done, sent = read(listeners(stack)["default"]), read(listeners(stack)["schedule"])
        return (
            total(done, "millrace_tasks_total", task="core.beat", outcome="succeeded") >= 1
            and total(sent, "millrace_tasks_sent_total", task="core.beat") >= 1
        )

    wait_for(seen, 60, "a tick of the schedule and its task")


def test_strangers_and_proxies_see_no_metrics(stack: Stack) -> None:
    for headers in ({"x-forwarded-for": "203.0.113.9"}, {"x-forwarded-proto": "https"}, {"via": "1.1 proxy"}):
        answer = httpx.get(f"{stack.base_url}/metrics", headers=headers, trust_env=False)
        assert answer.status_code == 404
        assert "millrace_" not in answer.text


def test_nothing_names_a_customer(stack: Stack) -> None:
    generate(stack, max_tokens=8)
    for url in (f"{stack.base_url}/metrics", *listeners(stack).values()):
        text = httpx.get(url, timeout=20, trust_env=False).text
        for who in (stack.a, stack.b):
            assert not [secret for secret in (who.name, who.slug, who.owner_email, who.api_key) if secret in text]
        assert BRIEF["product"] not in text
