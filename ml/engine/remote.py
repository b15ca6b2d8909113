"""An engine whose model runs elsewhere, behind an OpenAI-compatible HTTP server."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx

from ml.engine.detokenizer import NUL, UNFINISHED
from ml.engine.request import check_request
from ml.engine.spec import ModelSpec
from ml.engine.sse import Chunk, read_chunks, upstream_error
from ml.types import EngineError, EngineRequest, EngineStats, FinishReason, ModelUnavailable, StepOutput

BYTES_PER_TOKEN = 4
log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0


class RemoteEngine:
    """Streams every request from the server in one asyncio thread; same interface as LocalEngine.

    The server cannot continue from tokens, so a request with progress starts over (`restarted` on its first
    output). Until the server reports usage, `completion_tokens` counts stream chunks, which is an estimate.
    """

    def __init__(self, spec: ModelSpec) -> None:
        if not spec.remote_url.startswith(("http://", "https://")):
            raise ModelUnavailable("remote_url must be the http(s) address of an OpenAI-compatible server")
        self.max_running = spec.max_running
        self._spec = spec
        self._outputs: queue.SimpleQueue[StepOutput] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._tasks: dict[str, asyncio.Task[StepOutput] | None] = {}
        self._running = 0
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(spec.max_running)
        self._client = httpx.AsyncClient(
            base_url=spec.remote_url.rstrip("/") + "/",
            headers={"authorization": f"Bearer {spec.api_key}"} if spec.api_key else {},
            timeout=httpx.Timeout(spec.timeout, connect=min(spec.timeout, CONNECT_SECONDS), pool=None),
            limits=httpx.Limits(max_connections=spec.max_running, max_keepalive_connections=spec.max_running),
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name="remote-engine", daemon=True)
        self._thread.start()

    def submit(self, request: EngineRequest) -> None:
        """Queue a request; the server's own limits show up as an output with `finish_reason` "error"."""
        check_request(request)
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed", "engine_closed")
            if request.request_id in self._tasks:
                raise EngineError(f"request {request.request_id} is already being served", "invalid_request")
            self._tasks[request.request_id] = None
            self._loop.call_soon_threadsafe(self._start, request)

    def cancel(self, request_id: str) -> None:
        """Close the request's connection, which makes the server stop; unknown ids are ignored."""
        with self._lock:
            if not self._closed:
                self._loop.call_soon_threadsafe(self._cancel, request_id)

    def step(self, timeout: float = 0.1) -> Sequence[StepOutput]:
        """Return what has arrived since the last call, waiting up to `timeout` seconds for the first output."""
        outputs: list[StepOutput] = []
        try:
            outputs.append(self._outputs.get(timeout=timeout))
            while True:
                outputs.append(self._outputs.get_nowait())
        except queue.Empty:
            return outputs

    def stats(self) -> EngineStats:
        with self._lock:
            return EngineStats(running=self._running, waiting=len(self._tasks) - self._running)

    def close(self) -> None:
        """Close every connection and end the thread; unfinished requests are dropped, so drain first."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ------------------------------------------------------------------ in the asyncio thread

    def _start(self, request: EngineRequest) -> None:
        answer = _Answer(request)
        task = self._loop.create_task(self._serve(request, answer))
        self._tasks[request.request_id] = task
        task.add_done_callback(lambda done: self._finish(request, answer, done))

    def _finish(self, request: EngineRequest, answer: _Answer, task: asyncio.Task[StepOutput]) -> None:
        """Put the final output. A callback, because a task cancelled before it ran never enters its coroutine."""
        with self._lock:
            del self._tasks[request.request_id]
        self._outputs.put(answer.output("", "cancelled") if task.cancelled() else task.result())

    def _cancel(self, request_id: str) -> None:
        task = self._tasks.get(request_id)
        if task is not None:
            task.cancel()

    async def _shut_down(self) -> None:
        tasks = [task for task in self._tasks.values() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _serve(self, request: EngineRequest, answer: _Answer) -> StepOutput:
        """Run one request to its end and return its last output."""
        try:
            async with asyncio.timeout(_seconds_left(request)), self._slots:
                await self._stream(request, answer)
            return answer.output("", answer.finish_reason)
        except TimeoutError:
            return answer.output("", "deadline")
        except EngineError as error:
            return answer.failed(error)
        except Exception as error:
            log.exception("serving request %s failed", request.request_id)
            return answer.failed(EngineError(f"reading the model server failed: {type(error).__name__}"))

    async def _stream(self, request: EngineRequest, answer: _Answer) -> None:
        path, body = request_body(request, self._spec.remote_model)
        with self._lock:
            self._running += 1
        try:
            async with self._client.stream("POST", path, json=body) as response:
                if response.status_code != 200:
                    raise upstream_error(response.status_code, _json(await response.aread()))
                async for chunk in read_chunks(response.aiter_lines()):
                    output = answer.take(chunk)
                    if output:
                        self._outputs.put(output)
        except httpx.HTTPError as error:
            raise _connection_error(error, begun=answer.begun) from error
        finally:
            with self._lock:
                self._running -= 1
        if answer.finish_reason is None:
            raise EngineError("the model server ended its stream in the middle of the answer", "upstream_incomplete")


def _estimated_tokens(request: EngineRequest) -> int:
    """About how many tokens a prompt has: four bytes of text a token, as in English prose."""
    texts = [message.content for message in request.messages] or [request.prompt or ""]
    return max(1, sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN)


class _Answer:
    """Counts and state of one answer on its way through."""

    def __init__(self, request: EngineRequest) -> None:
        self._request = request
        self._restarts = bool(request.progress.token_ids or request.progress.text)
        # Until the server has counted, which it does at the end of an answer and not for one that is cancelled.
        self._prompt_tokens = _estimated_tokens(request)
        self._completion_tokens = 0
        self.begun = False
        self.finish_reason: FinishReason | None = None

    def take(self, chunk: Chunk) -> StepOutput | None:
        """Note a chunk; returns an output if it has text. The end is only put once the counts have arrived."""
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self._completion_tokens += bool(chunk.text)
        if chunk.prompt_tokens is not None:
            self._prompt_tokens = chunk.prompt_tokens
        if chunk.completion_tokens is not None:
            self._completion_tokens = chunk.completion_tokens
        if not chunk.text:
            return None
        self.begun = True
        return self.output(chunk.text)

    def output(self, text: str, finish: FinishReason | None = None) -> StepOutput:
        restarted, self._restarts = self._restarts, False
        return StepOutput(
            self._request.request_id,
            text=text.replace(NUL, UNFINISHED).encode("utf-8", "replace").decode(),
            finish_reason=finish,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            restarted=restarted,
        )

    def failed(self, error: EngineError) -> StepOutput:
        return StepOutput(
            self._request.request_id,
            finish_reason="error",
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            restarted=self._restarts,
            error_code=error.code,
            error_message=str(error),
        )


def request_body(request: EngineRequest, model: str) -> tuple[str, dict[str, Any]]:
    """Return the path and JSON body of the call; fields beyond OpenAI's own (vLLM's names) only where used."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.min_tokens:
        body["min_tokens"] = sampling.min_tokens
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    if sampling.repetition_penalty != 1.0:
        body["repetition_penalty"] = sampling.repetition_penalty
    if request.prompt is not None:
        return "completions", {**body, "prompt": request.prompt}
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return "chat/completions", {**body, "messages": messages}


def _seconds_left(request: EngineRequest) -> float | None:
    return None if request.deadline is None else max(0.0, request.deadline - time.monotonic())


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _connection_error(error: httpx.HTTPError, begun: bool) -> EngineError:
    """Name what went wrong without the address, which may be internal and may carry credentials."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
        return ModelUnavailable("the model server cannot be reached")
    if isinstance(error, httpx.TimeoutException):
        return EngineError("the model server did not answer in time", "upstream_timeout")
    if begun:
        return EngineError("the model server broke off in the middle of the answer", "upstream_incomplete")
    return EngineError("the connection to the model server broke", "upstream_error")
