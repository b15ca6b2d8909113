"""The OpenAI-compatible API: chat completions and completions, whole and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.authentication import api_actor
from apps.core import sse
from apps.core.errors import AccessRevoked, MillraceError, NotFound
from apps.core.schema import IDEMPOTENCY_KEY, WRITE, event_stream, problems
from apps.studio import services as studio
from apps.studio.api.admission import Accepted, AdmittingView
from apps.studio.api.examples import CHAT, COMPLETION, shown
from apps.studio.api.openai_answers import (
    ChatCompletion,
    Completion,
    Continuity,
    Shape,
    failure_of,
    finish_reason,
)
from apps.studio.api.openai_requests import CreateChatCompletion, CreateCompletion, OpenAIRequest
from apps.studio.streaming import follow

TAGS = ["OpenAI-compatible"]
FAILURES = problems(*WRITE, 404, 409, 422, 500, 504)
CHAT_STREAM = (
    'data: {"id": "chatcmpl-0197…", "object": "chat.completion.chunk", "created": 1764000000, "model": "default", '
    '"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}\n\n'
    'data: {…, "choices": [{"index": 0, "delta": {"content": "Warm"}, "finish_reason": null}]}\n\n'
    'data: {…, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)
TEXT_STREAM = (
    'data: {"id": "cmpl-0197…", "object": "text_completion", "created": 1764000000, "model": "default", '
    '"choices": [{"index": 0, "text": ", there", "finish_reason": null}]}\n\n'
    'data: {…, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)
LEAVING = (
    "A caller that closes the connection stops the generation and is charged for what it has produced, unless it sent "
    "an `Idempotency-Key` and so may come back for the answer."
)
# A caller of this API cannot resume: what is short of its end is let finish when the server is asked to stop.
LEAVING_SECONDS = 12.0
Frames = AsyncGenerator[dict[str, Any]]


async def frames_for_caller(actor: Actor, generation_id: UUID, stays: bool) -> Frames:
    """A generation's frames; unless it `stays`, it is cancelled when the caller leaves before its end.

    A caller whose access ends has not left: what was asked for is the organization's, and goes on.
    """
    ended = False
    try:
        async with aclosing(follow(actor, generation_id, grace=LEAVING_SECONDS)) as frames:
            async for frame in frames:
                ended = frame["type"] == "done"
                yield frame
    except AccessRevoked:
        stays = True
        raise
    finally:
        if not ended and not stays:
            # The caller is gone already: nobody is left to be told of a failure.
            with suppress(MillraceError):
                await sync_to_async(studio.cancel_generation)(actor, generation_id)


async def _until_text(frames: Frames) -> dict[str, Any]:
    """The first frame that needs an answer's head: text, the end, or a heartbeat because neither has come yet.

    So what goes wrong before the first word still becomes an HTTP status. Raises the failure of a failed generation.
    """
    async for frame in frames:
        if frame["type"] == "done" and (failure := failure_of(frame["generation"])):
            raise failure
        if frame["type"] in {"delta", "done", "heartbeat"}:
            return frame
    raise NotFound("There is no generation with this id.")


async def _whole(frames: Frames) -> dict[str, Any]:
    """The finished generation's body; raises its failure."""
    body: dict[str, Any] = {}
    async with aclosing(frames):
        async for frame in frames:
            if frame["type"] == "done":
                body = frame["generation"]
    if failure := failure_of(body):
        raise failure
    return body


async def chunks(shape: Shape, first: dict[str, Any], frames: Frames, include_usage: bool) -> AsyncGenerator[bytes]:
    """A streamed answer's events, from the frame that opened it to [DONE] or an error."""
    extra = {"usage": None} if include_usage else {}
    seen = Continuity()
    if shape.chat:
        yield sse.event(shape.chunk("", first=True) | extra)
    async with aclosing(frames):
        try:
            async for frame in _with_first(first, frames):
                text = _new_text(seen, frame)
                if frame["type"] == "heartbeat":
                    # No event of this stream carries an id: OpenAI's client would choke on the comment after one.
                    yield sse.HEARTBEAT
                if text:
                    yield sse.event(shape.chunk(text) | extra)
                if frame["type"] == "done":
                    body = frame["generation"]
                    yield sse.event(shape.chunk(None, finish_reason(body)) | extra)
                    if include_usage:
                        yield sse.event(shape.usage_chunk(body["usage"]))
                    yield sse.event("[DONE]")
        except Exception as error:
            yield sse.event(sse.failure(error).body())


async def _with_first(first: dict[str, Any], frames: Frames) -> Frames:
    yield first
    async for frame in frames:
        yield frame


def _new_text(seen: Continuity, frame: dict[str, Any]) -> str:
    """What a frame adds to the answer; raises what ended it badly."""
    match frame["type"]:
        case "delta":
            return seen.push(frame["text"])
        case "reset":
            seen.reset()
        case "done":
            if failure := failure_of(frame["generation"]):
                raise failure
            return seen.end(frame["generation"]["text"])
    return ""


class OpenAIView(AdmittingView):
    """What both endpoints do: accept, then answer whole or in chunks."""

    request_type: type[OpenAIRequest]

    async def answer(self, request: Request) -> HttpResponseBase:
        body = self.request_type(data=request.data)
        stays = "idempotency-key" in request.headers
        accepted = await self._accept(request, body, stays)
        self.turn.leave()
        frames = frames_for_caller(api_actor(request), accepted.id, stays)
        if body.streamed:
            return await self._streamed(accepted, frames, body.include_usage)
        found = await _whole(frames)
        return Response(Shape.of(found).answer(found))

    def _checked_and_accepted(self, request: Request, body: OpenAIRequest) -> Accepted:
        # Together, since every change of threads is a wait for the interpreter where many requests are served.
        body.is_valid(raise_exception=True)
        return self.accept(request, lambda: body.spec_for(api_actor(request)))

    async def _accept(self, request: Request, body: OpenAIRequest, stays: bool) -> Accepted:
        """Accepts; a caller who leaves meanwhile cannot stop the thread that does it, so its work is cancelled then."""
        work = asyncio.ensure_future(sync_to_async(self._checked_and_accepted)(request, body))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            with suppress(MillraceError):
                accepted = await work
                if not stays:
                    await sync_to_async(studio.cancel_generation)(api_actor(request), accepted.id)
            raise

    async def _streamed(self, accepted: Accepted, frames: Frames, include_usage: bool) -> HttpResponseBase:
        try:
            first = await _until_text(frames)
        except BaseException:
            # Also when the caller leaves while the answer is still to begin.
            await frames.aclose()
            raise
        return sse.EventStream(chunks(Shape.of(accepted.body), first, frames, include_usage))


class ChatCompletionsView(OpenAIView):
    """Messages in, an answer out."""

    request_type = CreateChatCompletion

    @extend_schema(
        operation_id="create_chat_completion",
        summary="Answer a chat",
        description=LEAVING,
        tags=TAGS,
        parameters=[IDEMPOTENCY_KEY],
        request=CreateChatCompletion,
        responses={
            (200, "application/json"): OpenApiResponse(ChatCompletion, examples=[shown("An answer", CHAT)]),
            (200, "text/event-stream"): event_stream("With `stream`: chunks, then `[DONE]`.", CHAT_STREAM),
            **FAILURES,
        },
        examples=[
            OpenApiExample(
                "A chat",
                request_only=True,
                value={"model": "default", "messages": [{"role": "user", "content": "Write an ad headline for tea."}]},
            )
        ],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        return await self.answer(request)


class CompletionsView(OpenAIView):
    """A raw prompt, continued without a chat template."""

    request_type = CreateCompletion

    @extend_schema(
        operation_id="create_completion",
        summary="Continue a text",
        description=LEAVING,
        tags=TAGS,
        parameters=[IDEMPOTENCY_KEY],
        request=CreateCompletion,
        responses={
            (200, "application/json"): OpenApiResponse(Completion, examples=[shown("An answer", COMPLETION)]),
            (200, "text/event-stream"): event_stream("With `stream`: chunks, then `[DONE]`.", TEXT_STREAM),
            **FAILURES,
        },
        examples=[
            OpenApiExample(
                "A beginning", request_only=True, value={"model": "default", "prompt": "Once upon a time", "stop": "."}
            )
        ],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        return await self.answer(request)
