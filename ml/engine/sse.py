"""Reading the stream of an OpenAI-compatible server: server-sent events to what they say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ml.types import ContextLengthExceeded, EngineError, FinishReason, ModelUnavailable

MESSAGE_LIMIT = 500  # characters of a server's own error message that are passed on
FINISH_REASONS: dict[str, FinishReason] = {"length": "length", "max_tokens": "length"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event: new text, and at the end a reason or the counts."""

    text: str = ""
    finish_reason: FinishReason | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


async def read_chunks(lines: AsyncIterator[str]) -> AsyncIterator[Chunk]:
    """Yield the chunks of a stream until `[DONE]` or its end; raises EngineError for what is not a chunk."""
    async for line in lines:
        if not line.startswith("data:"):
            continue  # comments, event names and the empty lines between events
        data = line[len("data:") :].strip()
        if data == "[DONE]":
            return
        yield parse_chunk(data)


def parse_chunk(data: str) -> Chunk:
    """Parse the JSON of a chat or text completion chunk."""
    try:
        body = json.loads(data)
    except ValueError as error:
        raise EngineError("the model server sent something that is not JSON", "upstream_invalid") from error
    if not isinstance(body, dict):
        raise EngineError("the model server sent something that is not a chunk", "upstream_invalid")
    if body.get("error"):
        raise upstream_error(200, body)
    return _chunk(body)


def _chunk(body: dict[str, Any]) -> Chunk:
    usage = body.get("usage") or {}
    choices = body.get("choices") or [{}]
    try:
        choice = choices[0]
        text = (choice.get("delta") or {}).get("content") or choice.get("text") or ""
        reason = choice.get("finish_reason")
        counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
    except (AttributeError, LookupError, TypeError) as error:
        raise EngineError("the model server sent something that is not a chunk", "upstream_invalid") from error
    if reason == "content_filter":
        raise EngineError("the model server's content filter ended the answer", "content_filtered")
    finish: FinishReason | None = FINISH_REASONS.get(reason, "stop") if reason else None
    return Chunk(str(text), finish, *counts)


def upstream_error(status: int, body: object) -> EngineError:
    """Return the error for a server's refusal: HTTP `status` (200 for an error inside a stream) and its JSON body."""
    message, code = _message(body)
    if "context_length" in code or "context length" in message.lower() or "context window" in message.lower():
        return ContextLengthExceeded(message or "the prompt does not fit the model's context")
    detail = f": {message}" if message else ""
    if status in (401, 403):
        return ModelUnavailable("the model server refuses this installation's credentials")
    if status == 404:
        return ModelUnavailable(f"the model server does not know this model or address{detail}")
    if status == 429:
        return EngineError(f"the model server is over its limit{detail}", "upstream_rate_limited")
    if 400 <= status < 500:
        return EngineError(f"the model server refused the request{detail}", "upstream_rejected")
    return EngineError(f"the model server failed{detail or f' with status {status}'}", "upstream_error")


def _message(body: object) -> tuple[str, str]:
    """Return the message and the code of an error body, in the shapes which servers of this kind use."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        return str(error.get("message") or "")[:MESSAGE_LIMIT], str(error.get("code") or "")
    return (error[:MESSAGE_LIMIT], "") if isinstance(error, str) else ("", "")
