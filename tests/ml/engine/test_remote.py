"""The remote engine against a real HTTP server that behaves well, badly, or not at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from ml.engine import ModelSpec, load_engine
from ml.types import Engine, EngineError, ModelUnavailable, Progress
from tests.ml.engine.driving import advance, chat, drive, raw


class Handler(BaseHTTPRequestHandler):
    """Answers by what the last message says: see the methods named `do_what_…`."""

    protocol_version = "HTTP/1.1"
    calls: ClassVar[list[tuple[str, dict[str, Any], str]]] = []
    broken_off: ClassVar[threading.Event] = threading.Event()

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.calls.append((self.path, body, self.headers.get("authorization", "")))
        said = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        self.close_connection = True
        getattr(self, "do_what_" + said.split()[0])(body)

    def start_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()

    def event(self, data: object) -> None:
        self.wfile.write(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def delta(self, text: str | None = None, finish: str | None = None) -> None:
        self.event({"choices": [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}]})

    def fail(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_what_greet(self, body: dict[str, Any]) -> None:
        self.start_stream()
        self.wfile.write(b": heartbeat\n\n")
        self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for text in ("Hel", "lo ", "🙂"):
            self.delta(text)
        self.delta(finish="length" if body["max_tokens"] == 3 else "stop")
        self.event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
        self.event("[DONE]")

    def do_what_complete(self, body: dict[str, Any]) -> None:
        self.start_stream()
        self.event({"choices": [{"index": 0, "text": "plain text", "finish_reason": None}]})
        self.event({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})

    def do_what_endless(self, body: dict[str, Any]) -> None:
        self.start_stream()
        try:
            while True:
                self.delta("again ")
                time.sleep(0.01)
        except OSError:
            self.broken_off.set()

    def do_what_silence(self, body: dict[str, Any]) -> None:
        self.start_stream()
        self.delta("then ")
        time.sleep(1.5)

    def do_what_stop_early(self, body: dict[str, Any]) -> None:
        self.start_stream()
        self.delta("half an ans")

    def do_what_break_chunk(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"400\r\ndata: ")

    def do_what_garbage(self, body: dict[str, Any]) -> None:
        self.start_stream()
        self.event("{not json")

    def do_what_array(self, body: dict[str, Any]) -> None:
        self.start_stream()
        self.event([1])

    def do_what_error_event(self, body: dict[str, Any]) -> None:
        self.start_stream()
        self.event({"error": {"message": "the GPU fell off"}})

    def do_what_context(self, body: dict[str, Any]) -> None:
        self.fail(400, {"error": {"message": "This model's maximum context length is 8", "code": None}})

    def do_what_context_code(self, body: dict[str, Any]) -> None:
        self.fail(400, {"error": {"message": "too long", "code": "context_length_exceeded"}})

    def do_what_status(self, body: dict[str, Any]) -> None:
        said = body["messages"][-1]["content"]
        self.fail(int(said.split()[1]), {"error": {"message": "a reason"}})


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def remote(address: str) -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def build(**changes: Any) -> Engine:
        spec = ModelSpec(
            backend="remote", remote_url=address, remote_model="house", api_key="sk-secret", max_running=4, timeout=5
        )
        engines.append(load_engine(replace(spec, **changes)))
        return engines[-1]

    Handler.calls.clear()
    Handler.broken_off.clear()
    yield build
    for engine in engines:
        engine.close()


def test_chat_streams_text_and_ends_with_the_servers_counts(remote: Callable[..., Engine]) -> None:
    answer = drive(remote(), [chat("c", ("system", "Be kind."), ("user", "greet me"))])["c"]
    assert (answer.text, answer.finish_reason) == ("Hello 🙂", "stop")
    assert [output.text for output in answer.outputs] == ["Hel", "lo ", "🙂", ""]
    assert (answer.last.prompt_tokens, answer.last.completion_tokens) == (11, 7)
    path, body, authorization = Handler.calls[0]
    assert (path, authorization) == ("/v1/chat/completions", "Bearer sk-secret")
    assert body["model"] == "house"
    assert body["messages"] == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "greet me"}]
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert not {"min_tokens", "top_k", "repetition_penalty", "seed", "stop"} & set(body)


def test_sampling_parameters_are_passed_on(remote: Callable[..., Engine]) -> None:
    given = {"max_tokens": 3, "min_tokens": 2, "temperature": 0.5, "top_p": 0.9, "top_k": 7, "seed": 9,
             "repetition_penalty": 1.2}  # fmt: skip
    answer = drive(remote(), [chat("c", ("user", "greet me"), stop=("END",), **given)])["c"]
    assert answer.finish_reason == "length"
    body = Handler.calls[0][1]
    assert {name: body[name] for name in given} == given
    assert body["stop"] == ["END"]


def test_raw_prompts_use_text_completions(remote: Callable[..., Engine]) -> None:
    answer = drive(remote(), [raw("p", "complete this")])["p"]
    assert (answer.text, answer.finish_reason) == ("plain text", "stop")
    assert Handler.calls[0][0] == "/v1/completions"


def test_progress_starts_the_answer_over(remote: Callable[..., Engine]) -> None:
    request = replace(chat("c", ("user", "greet me")), progress=Progress((), "Hel"))
    answer = drive(remote(), [request])["c"]
    assert [output.restarted for output in answer.outputs] == [True, False, False, False]
    assert answer.text == "Hello 🙂"


def test_cancel_closes_the_connection(remote: Callable[..., Engine]) -> None:
    engine = remote()
    answers = drive(engine, [chat("c", ("user", "endless"))], until=lambda seen: len(seen["c"].outputs) > 3)
    assert engine.stats().running == 1
    engine.cancel("c")
    engine.cancel("unknown")
    advance(engine, answers)
    assert answers["c"].finish_reason == "cancelled"
    assert Handler.broken_off.wait(5), "the server still sends"
    assert engine.stats().running == engine.stats().waiting == 0


def test_waiting_requests_can_be_cancelled_and_have_deadlines(remote: Callable[..., Engine]) -> None:
    engine = remote(max_running=1)
    answers = drive(engine, [chat("c", ("user", "endless"))], until=lambda seen: bool(seen["c"].outputs))
    drive(
        engine,
        [chat("w", ("user", "greet me")), replace(chat("d", ("user", "greet me")), deadline=time.monotonic() + 0.1)],
        until=lambda seen: bool(seen["d"].outputs),
        joining=answers,
    )
    assert answers["d"].finish_reason == "deadline"
    assert (engine.stats().running, engine.stats().waiting) == (1, 1)
    engine.cancel("w")
    engine.cancel("c")
    advance(engine, answers)
    assert [answers[name].finish_reason for name in "cw"] == ["cancelled", "cancelled"]
    assert len(Handler.calls) == 1


def test_a_request_cancelled_at_once_still_ends_once(remote: Callable[..., Engine]) -> None:
    engine = remote()
    engine.submit(chat("c", ("user", "endless")))
    engine.cancel("c")
    ends = [output for _ in range(4) for output in engine.step(0.2) if output.finish_reason]
    assert [output.finish_reason for output in ends] == ["cancelled"]


def test_a_deadline_ends_a_running_stream(remote: Callable[..., Engine]) -> None:
    request = replace(chat("c", ("user", "endless")), deadline=time.monotonic() + 0.2)
    answer = drive(remote(), [request])["c"]
    assert answer.finish_reason == "deadline"
    assert answer.text.startswith("again ")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("stop_early", "upstream_incomplete"),
        ("break_chunk", "upstream_error"),
        ("garbage", "upstream_invalid"),
        ("array", "upstream_invalid"),
        ("error_event", "upstream_error"),
        ("context", "context_length_exceeded"),
        ("context_code", "context_length_exceeded"),
        ("status 302", "upstream_error"),
        ("status 401", "model_unavailable"),
        ("status 404", "model_unavailable"),
        ("status 422", "upstream_rejected"),
        ("status 429", "upstream_rate_limited"),
        ("status 500", "upstream_error"),
        ("silence", "upstream_timeout"),
    ],
)
def test_failures_are_typed_and_leave_others_alone(remote: Callable[..., Engine], said: str, code: str) -> None:
    engine = remote(timeout=0.5)
    answers = drive(engine, [chat("bad", ("user", said)), chat("good", ("user", "greet me"))])
    bad = answers["bad"].last
    assert (bad.finish_reason, bad.error_code) == ("error", code)
    assert bad.error_message
    assert "sk-secret" not in bad.error_message
    assert "127.0.0.1" not in bad.error_message
    assert answers["good"].text == "Hello 🙂"


def test_a_server_that_is_not_there_is_an_unavailable_model(remote: Callable[..., Engine]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        engine = remote(remote_url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1")
        answer = drive(engine, [chat("c", ("user", "greet me"))])["c"]
    assert (answer.finish_reason, answer.last.error_code) == ("error", "model_unavailable")


def test_an_address_without_http_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="remote_url"):
        load_engine(ModelSpec(backend="remote", remote_url="example.org"))


def test_close_ends_open_streams_and_refuses_work(remote: Callable[..., Engine]) -> None:
    engine = remote()
    drive(engine, [chat("c", ("user", "endless"))], until=lambda seen: bool(seen["c"].outputs))
    engine.close()
    engine.close()
    assert Handler.broken_off.wait(5)
    with pytest.raises(EngineError) as caught:
        engine.submit(chat("d", ("user", "greet me")))
    assert caught.value.code == "engine_closed"
