"""A generation as programs and pages see it: the same body over REST, SSE and WebSocket."""

from __future__ import annotations

from typing import Any

from apps.core import jobs
from apps.core.jobs import Status
from apps.studio.models import Generation, Kind


def generation_body(generation: Generation) -> dict[str, Any]:
    """The JSON body; call it in the organization's scope, as the queue position is read from the database."""
    error = {"code": generation.error_code, "message": generation.error_message} if generation.error_code else None
    return {
        "id": str(generation.pk),
        "object": "generation",
        "status": str(generation.status),
        "kind": str(generation.kind),
        "model": generation.model_name,
        "model_version": generation.model.name,
        "messages": generation.messages if generation.kind == Kind.CHAT else None,
        "prompt": generation.prompt if generation.kind == Kind.COMPLETION else None,
        "brief": generation.brief,
        "text": generation.text,
        "finish_reason": generation.finish_reason or None,
        "usage": _usage(generation),
        "error": error,
        "queue_position": jobs.queue_position(generation),
        "max_tokens": generation.max_tokens,
        "min_tokens": generation.min_tokens,
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "top_k": generation.top_k,
        "repetition_penalty": generation.repetition_penalty,
        "seed": generation.seed,
        "stop": generation.stop,
        "origin": generation.origin,
        "template_version": _id(generation.template_version_id),
        "voice_version": _id(generation.voice_version_id),
        "variables": generation.variables,
        "passages": [str(id) for id in generation.passages],
        "held_back": generation.held_back,
        "findings": generation.findings,
        "created_at": _time(generation.created_at),
        "deadline_at": _time(generation.deadline_at),
        "started_at": _time(generation.claimed_at),
        "finished_at": _time(generation.finished_at),
    }


def _usage(generation: Generation) -> dict[str, int] | None:
    """Tokens used, once the work has ended; a failure that produced nothing cost nothing."""
    if generation.status not in jobs.TERMINAL:
        return None
    charged = generation.completion_tokens > 0 or generation.status == Status.SUCCEEDED
    prompt_tokens = generation.prompt_tokens if charged else 0
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": generation.completion_tokens,
        "total_tokens": prompt_tokens + generation.completion_tokens,
    }


def _id(value: Any) -> str | None:
    return str(value) if value else None


def _time(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
