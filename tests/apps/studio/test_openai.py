"""The OpenAI-compatible API, as its unmodified client and as the wire see it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest

from apps.billing import services as billing
from apps.core import tenancy
from apps.core.errors import GenerationFailed
from apps.core.jobs import Status
from apps.studio import services as studio
from apps.studio.api.openai_answers import Continuity
from apps.studio.models import Generation
from apps.studio.services import templates
from tests.helpers.live import live_server
from tests.helpers.people import Tenant
from tests.helpers.studio import states
from tests.helpers.templates import FACTS
from tests.helpers.worker import HandWorker, answering, working

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def server(transactional_db: None, model: Any) -> Iterator[str]:
    with live_server() as url:
        yield url


@pytest.fixture
def client(server: str, org_a: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key=org_a.key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def http(server: str, org_a: Tenant) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, headers=org_a.bearer, timeout=30, trust_env=False) as client:
        yield client


def events_of(response: httpx.Response) -> list[str]:
    """The data of every event, in order; comments are left out."""
    return [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]


# ---------------------------------------------------------------- answers


def test_models_are_listed_and_found_by_name(client: openai.OpenAI) -> None:
    listed = list(client.models.list())
    assert {"default", "house-text-1"} <= {model.id for model in listed}
    assert all(model.object == "model" and model.created > 0 and model.owned_by for model in listed)
    assert client.models.retrieve("house-text-1").id == "house-text-1"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody/nothing")
    assert caught.value.code == "model_not_found"


def test_a_whole_chat_answer_has_the_exact_shape(http: httpx.Client) -> None:
    with working(answering("Hel", "lo ", "wörld 👋")):
        body = {"model": "default", "messages": HELLO}
        response = http.post("/v1/chat/completions", json=body)
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("id").startswith("chatcmpl-")
    assert abs(answer.pop("created") - time.time()) < 60
    assert answer == {
        "object": "chat.completion",
        "model": "default",
        "system_fingerprint": "house-text-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello wörld 👋", "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
    }
    assert response.headers["x-request-id"]


def test_a_streamed_chat_answer_has_the_exact_chunks(http: httpx.Client) -> None:
    body = {"model": "default", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    with (
        working(answering("Hello")),
        http.stream("POST", "/v1/chat/completions", json=body) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["x-request-id"]
        lines = [line for line in response.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines), "an id: line would break OpenAI's client"
    *chunks, done = [line.removeprefix("data: ") for line in lines]
    assert done == "[DONE]"
    parsed = [json.loads(chunk) for chunk in chunks]
    assert len({(chunk["id"], chunk["created"], chunk["object"], chunk["model"]) for chunk in parsed}) == 1
    assert [chunk["choices"][0]["delta"] for chunk in parsed[:-1]] == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in parsed[:-1]] == [None, None, "stop"]
    assert [chunk["usage"] for chunk in parsed[:-1]] == [None] * 3
    assert parsed[-1]["choices"] == []
    assert parsed[-1]["usage"] == {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}


def test_usage_is_left_out_of_a_stream_that_did_not_ask_for_it(client: openai.OpenAI) -> None:
    with working(answering("Hi")):
        chunks = list(client.chat.completions.create(model="default", messages=HELLO, stream=True))
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi"


def test_a_raw_completion_is_answered_whole_and_streamed(client: openai.OpenAI, org_a: Tenant) -> None:
    with working(answering(" a", " time")):
        whole = client.completions.create(model="default", prompt="Once upon", max_tokens=2)
    assert (whole.object, whole.choices[0].text, whole.choices[0].finish_reason) == (
        "text_completion",
        " a time",
        "stop",
    )
    assert whole.id.startswith("cmpl-")
    with working(answering(" a", " time")):
        chunks = list(client.completions.create(model="default", prompt=["Once upon"], stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == " a time"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_parts_of_a_message_are_joined_and_a_developer_is_the_system(client: openai.OpenAI) -> None:
    seen: list[Generation] = []

    def job() -> None:
        worker = HandWorker.claim()
        seen.append(worker.generation)
        worker.run(["ok"])

    messages: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One. "}, {"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": "Yes.", "refusal": None, "tool_calls": None},
        {"role": "user", "content": "Go on.", "name": "ann"},
    ]
    with working(job):
        client.chat.completions.create(
            model="default",
            messages=messages,
            max_completion_tokens=7,
            stop=["\n", "END"],
            user="u-1",
            metadata={"a": "b"},
            frequency_penalty=0,
            presence_penalty=0.0,
            store=False,
            n=1,
            extra_body={"top_k": 4, "repetition_penalty": 1.1},
        )
    assert [(m["role"], m["content"]) for m in seen[0].messages][:2] == [("system", "Be brief."), ("user", "One. Two.")]
    assert (seen[0].max_tokens, seen[0].stop, seen[0].top_k) == (7, ["\n", "END"], 4)


# ---------------------------------------------------------------- silence and failures


def test_heartbeats_do_not_disturb_the_client(client: openai.OpenAI, settings: Any) -> None:
    settings.STREAM_HEARTBEAT_SECONDS = 1

    def slowly() -> None:
        worker = HandWorker.claim()
        time.sleep(1.5)
        worker.write("slow")
        time.sleep(2.5)
        worker.write("ly")
        worker.finish()

    with working(slowly):
        chunks = list(client.chat.completions.create(model="default", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "slowly"


def test_heartbeats_are_comments(http: httpx.Client, settings: Any) -> None:
    settings.STREAM_HEARTBEAT_SECONDS = 1

    def slowly() -> None:
        worker = HandWorker.claim()
        time.sleep(2.5)
        worker.run(["late"])

    body = {"model": "default", "messages": HELLO, "stream": True}
    with working(slowly), http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert ": ping" in list(response.iter_lines())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("code", "status"), [("context_length_exceeded", 400), ("model_unavailable", 503), ("engine_error", 500)]
)
def test_a_failure_before_the_first_word_is_a_status(http: httpx.Client, stream: bool, code: str, status: int) -> None:
    def fail() -> None:
        HandWorker.claim().finish(Status.FAILED, "error", code, "It did not fit.")

    with working(fail):
        response = http.post("/v1/chat/completions", json={"model": "default", "messages": HELLO, "stream": stream})
    assert response.status_code == status
    assert response.json()["error"]["message"] == "It did not fit."
    assert response.headers["x-should-retry"] == ("true" if status == 503 else "false")


def test_a_failure_in_mid_stream_raises_in_the_client(client: openai.OpenAI) -> None:
    def fail() -> None:
        worker = HandWorker.claim()
        worker.write("Half")
        worker.finish(Status.FAILED, "error", "engine_error", "The engine broke.")

    with working(fail), pytest.raises(openai.APIError, match="The engine broke"):
        list(client.chat.completions.create(model="default", messages=HELLO, stream=True))


def test_an_answer_that_starts_over_alike_goes_on_where_it_was(client: openai.OpenAI) -> None:
    def start_over() -> None:
        worker = HandWorker.claim()
        worker.write("One ", "two ")
        worker.start_over()
        worker.run(["One two", " three"])

    with working(start_over):
        chunks = list(client.chat.completions.create(model="default", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "One two three"


def test_an_answer_that_starts_over_differently_is_an_error() -> None:
    seen = Continuity()
    assert seen.push("One ") == "One "
    seen.reset()
    with pytest.raises(GenerationFailed):
        seen.push("Two ")


@pytest.mark.parametrize(("reason", "told"), [("length", "length"), ("cancelled", "stop"), ("deadline", "length")])
def test_finish_reasons_are_those_that_openai_knows(client: openai.OpenAI, reason: str, told: str) -> None:
    status = Status.CANCELLED if reason == "cancelled" else Status.SUCCEEDED

    def end() -> None:
        worker = HandWorker.claim()
        worker.write("a")
        worker.finish(status, reason)

    with working(end):
        answer = client.chat.completions.create(model="default", messages=HELLO)
    assert answer.choices[0].finish_reason == told


# ---------------------------------------------------------------- leaving


def test_leaving_a_stream_cancels_and_charges_what_was_produced(http: httpx.Client, org_a: Tenant) -> None:
    def work() -> None:
        worker = HandWorker.claim()
        worker.write("one ", "two ", "three ")
        worker.wait_for_cancel(org_a)

    body = {"model": "default", "messages": HELLO, "stream": True}
    with working(work), http.stream("POST", "/v1/chat/completions", json=body) as response:
        next(line for line in response.iter_lines() if '"content": "one ' in line)
    assert states(org_a) == {"cancelled": 1}
    summary = billing.usage_summary(org_a.id)
    assert (summary.used, summary.held) == (8, 0)


def test_leaving_while_waiting_for_a_whole_answer_cancels(http: httpx.Client, org_a: Tenant) -> None:
    def work() -> None:
        HandWorker.claim().wait_for_cancel(org_a)

    with working(work), pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json={"model": "default", "messages": HELLO}, timeout=1)
    assert states(org_a) == {"cancelled": 1}
    assert billing.usage_summary(org_a.id).used == 0


def test_leaving_while_being_accepted_cancels(
    http: httpx.Client, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*arguments: Any) -> Generation:
        time.sleep(1)
        return accept(*arguments)

    accept = studio.request_generation
    monkeypatch.setattr(studio, "request_generation", slowly)
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json={"model": "default", "messages": HELLO}, timeout=0.5)
    until = time.monotonic() + 10
    while states(org_a) != {"cancelled": 1}:
        assert time.monotonic() < until, states(org_a)
        time.sleep(0.05)


def test_with_an_idempotency_key_the_caller_may_come_back(http: httpx.Client, org_a: Tenant) -> None:
    body = {"model": "default", "messages": HELLO, "seed": 3}
    headers = {"Idempotency-Key": "order-66"}
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json=body, headers=headers, timeout=1)
    with working(answering("once")):
        answer = http.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.json()["choices"][0]["message"]["content"] == "once"
    assert answer.headers["idempotency-replayed"] == "true"
    again = http.post("/v1/chat/completions", json=body, headers=headers)
    assert again.json() == answer.json()
    assert states(org_a) == {"succeeded": 1}
    other = http.post("/v1/chat/completions", json=body | {"seed": 4}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")


def test_the_client_raises_its_own_exceptions(client: openai.OpenAI, server: str) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nothing", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="default", messages=HELLO, n=3)
    stranger = openai.OpenAI(base_url=f"{server}/v1", api_key="mr_wrong")
    with stranger, pytest.raises(openai.AuthenticationError) as unknown:
        stranger.chat.completions.create(model="default", messages=HELLO)
    assert unknown.value.code == "invalid_api_key"


# ---------------------------------------------------------------- templates


def labelled(tenant: Tenant) -> None:
    templates.create(tenant.actor, "Copy", replace(FACTS, sampling={"temperature": 0.3, "top_k": 5}, max_tokens=30))
    templates.approve(tenant.actor, "copy", 1)
    templates.move_label(tenant.actor, "copy", "production", 1)


def test_a_template_is_called_by_its_label(client: openai.OpenAI, org_a: Tenant) -> None:
    labelled(org_a)
    call = {"template": {"slug": "copy", "label": "production", "variables": {"product": "Tea"}}}
    with working(answering("Warm tea.")):
        made = client.chat.completions.create(model="default", messages=[], temperature=0, extra_body=call)
    assert made.choices[0].message.content == "Warm tea."
    with tenancy.scope(org_a.id):
        row = Generation.objects.select_related("template_version").get()
    assert row.template_version is not None and row.template_version.number == 1
    assert "Tea" in row.messages[-1]["content"] and row.messages[0]["role"] == "system"
    assert (row.temperature, row.top_k, row.max_tokens, row.origin) == (0, 5, 30, "template")


@pytest.mark.parametrize(
    ("template", "messages", "code"),
    [
        ({"slug": "copy", "variables": {"product": "Tea"}}, HELLO, "invalid_request"),
        ({"slug": "nothing"}, [], "not_found"),
        ({"slug": "copy", "label": "spring"}, [], "label_not_set"),
        ({"slug": "copy"}, [], "variable_invalid"),
        ({"slug": "copy", "colour": 1}, [], "unknown_parameter"),
        (None, [], "invalid_request"),
    ],
)
def test_a_call_that_names_no_template_right_is_refused(
    client: openai.OpenAI, org_a: Tenant, template: Any, messages: Any, code: str
) -> None:
    labelled(org_a)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="default", messages=messages, extra_body={"template": template})
    assert caught.value.code == code
    assert states(org_a) == {}


def test_another_organizations_template_is_not_there(client: openai.OpenAI, org_b: Tenant) -> None:
    labelled(org_b)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="default", messages=[], extra_body={"template": {"slug": "copy"}})


def test_a_generation_is_asked_for_by_label_too(http: httpx.Client, org_a: Tenant) -> None:
    labelled(org_a)
    call = {"slug": "copy", "variables": {"product": "Tea"}}
    made = http.post("/api/v1/generations", json={"template": call}).json()
    assert (made["temperature"], made["max_tokens"], made["variables"]["product"]) == (0.3, 30, "Tea")
    both = http.post("/api/v1/generations", json={"template": call, "prompt": "x"})
    assert (both.status_code, both.json()["error"]["code"]) == (400, "invalid_request")
