"""Examples of the schema: what really comes back, in its real shape."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

TEXT = "Warm light for long evenings: Oak & Ember candles."
MESSAGES = [{"role": "user", "content": "Write an ad headline for Oak & Ember candles."}]
ID = "01976f1e-5c1a-7d3e-9b5f-2f4f6f0c8a11"
USAGE = {"prompt_tokens": 17, "completion_tokens": 14, "total_tokens": 31}

GENERATION: dict[str, Any] = {
    "id": ID,
    "object": "generation",
    "status": "succeeded",
    "kind": "chat",
    "model": "default",
    "model_version": "house-text-1",
    "messages": MESSAGES,
    "prompt": None,
    "brief": None,
    "text": TEXT,
    "finish_reason": "stop",
    "usage": USAGE,
    "error": None,
    "queue_position": None,
    "max_tokens": 120,
    "min_tokens": 0,
    "temperature": 0.8,
    "top_p": 0.95,
    "top_k": 0,
    "repetition_penalty": 1.0,
    "seed": 4218965512071,
    "stop": [],
    "origin": "api",
    "template_version": None,
    "voice_version": None,
    "variables": None,
    "passages": [],
    "held_back": False,
    "findings": None,
    "created_at": "2026-01-05T09:00:00.100000Z",
    "deadline_at": None,
    "started_at": "2026-01-05T09:00:00.140000Z",
    "finished_at": "2026-01-05T09:00:01.020000Z",
}


def _answer(id: str, name: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{id}-{ID}",
        "object": name,
        "created": 1767603600,
        "model": "default",
        "system_fingerprint": "house-text-1",
        "choices": [{"index": 0, "logprobs": None, "finish_reason": "stop", **choice}],
        "usage": USAGE,
    }


CHAT = _answer("chatcmpl", "chat.completion", {"message": {"role": "assistant", "content": TEXT, "refusal": None}})
COMPLETION = _answer("cmpl", "text_completion", {"text": ", there was a candle"})


def shown(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True)
