"""A batch's request as it is kept in its row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from apps.studio.models import Origin
from apps.studio.requests import GenerationSpec
from ml.types import Message, SamplingParams


def as_json(spec: GenerationSpec) -> dict[str, Any]:
    return {
        "model": spec.model,
        "messages": [asdict(message) for message in spec.messages],
        "prompt": spec.prompt,
        "max_tokens": spec.max_tokens,
        "sampling": asdict(spec.sampling),
        "deadline_seconds": spec.deadline_seconds,
    }


def stored_spec(stored: dict[str, Any]) -> GenerationSpec:
    """What `as_json` has kept."""
    sampling = stored["sampling"] | {"stop": tuple(stored["sampling"]["stop"])}
    return GenerationSpec(
        model=stored["model"],
        messages=tuple(Message(each["role"], each["content"]) for each in stored["messages"]),
        prompt=stored["prompt"],
        max_tokens=stored["max_tokens"],
        sampling=SamplingParams(**sampling),
        deadline_seconds=stored["deadline_seconds"],
        origin=Origin.BULK,
    )
