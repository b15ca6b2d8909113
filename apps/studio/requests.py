"""What may be asked of a model: checked values, without database."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_noop

from apps.core.errors import InvalidRequest
from ml.text.brief import Brief
from ml.types import Message, SamplingParams

ROLES = ("system", "user", "assistant")
MAX_MESSAGES = 500
MAX_STOPS = 4
MAX_STOP_CHARS = 100
DEFAULT_MAX_TOKENS = 256
SHORTEST_DEADLINE_SECONDS = 0.1
MAX_SEED = 2**63 - 1
BETWEEN = gettext_noop("%(name)s must be between %(least)s and %(most)s.")


@dataclass(frozen=True, slots=True)
class Sources:
    """What a prompt was made from; kept with the text so that it can be explained and made again.

    `variables` are what was filled in, as JSON; `passages` are ids of the knowledge base's.
    """

    template_version_id: UUID | None = None
    voice_version_id: UUID | None = None
    variables: Mapping[str, Any] | None = None
    passages: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationSpec:
    """A generation as asked for: `messages`, or a raw `prompt`; `max_tokens` None means the default.

    `deadline_seconds` counts from acceptance, also while it waits; without one only its running time is bounded.
    `origin` is one of `Origin`.
    """

    model: str = "default"
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    max_tokens: int | None = None
    sampling: SamplingParams = field(default_factory=SamplingParams)
    brief: Brief | None = None
    deadline_seconds: float | None = None
    origin: str = "studio"
    sources: Sources | None = None


def checked(spec: GenerationSpec) -> GenerationSpec:
    """The spec with a seed and trimmed nothing, or InvalidRequest naming the parameter that is wrong."""
    _check_input(spec)
    _check_sampling(spec.sampling)
    if spec.max_tokens is not None and not 1 <= spec.max_tokens <= 1_000_000:
        raise InvalidRequest("max_tokens must be between 1 and 1,000,000.", param="max_tokens")
    _check_deadline(spec.deadline_seconds)
    seed = spec.sampling.seed
    # Every generation has a seed, so that another worker can continue it and anybody can repeat it.
    seed = secrets.randbits(53) if seed is None else seed
    return replace(spec, sampling=replace(spec.sampling, seed=seed))


def _check_deadline(seconds: float | None) -> None:
    longest = settings.GENERATION_DEADLINE_SECONDS
    if seconds is not None and not SHORTEST_DEADLINE_SECONDS <= seconds <= longest:
        raise InvalidRequest(
            BETWEEN,
            values={"name": "deadline_seconds", "least": f"{SHORTEST_DEADLINE_SECONDS:g}", "most": longest},
            param="deadline_seconds",
        )


def _check_input(spec: GenerationSpec) -> None:
    if (spec.prompt is None) == (not spec.messages):
        raise InvalidRequest("Give either messages or a prompt.", param="messages")
    if len(spec.messages) > MAX_MESSAGES:
        raise InvalidRequest("At most %(most)s messages.", values={"most": MAX_MESSAGES}, param="messages")
    for index, message in enumerate(spec.messages):
        if message.role not in ROLES:
            raise InvalidRequest(
                "A role is one of %(roles)s.", values={"roles": ", ".join(ROLES)}, param=f"messages.{index}.role"
            )
        _check_text(message.content, f"messages.{index}.content")
    if spec.messages and not any(message.content.strip() for message in spec.messages):
        raise InvalidRequest("The messages are empty.", param="messages")
    if spec.prompt is not None:
        _check_text(spec.prompt, "prompt")
        if not spec.prompt.strip():
            raise InvalidRequest("The prompt is empty.", param="prompt")


def _check_text(text: str, param: str) -> None:
    if "\0" in text:
        raise InvalidRequest("Text cannot contain NUL characters.", param=param)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequest("Text must be valid Unicode, without lone surrogates.", param=param) from None


def _check_sampling(sampling: SamplingParams) -> None:
    ranges: tuple[tuple[str, float, float, float], ...] = (
        ("temperature", sampling.temperature, 0, 2),
        ("top_p", sampling.top_p, 0, 1),
        ("top_k", sampling.top_k, 0, 1_000_000),
        ("repetition_penalty", sampling.repetition_penalty, 0.1, 10),
        ("seed", sampling.seed or 0, -MAX_SEED, MAX_SEED),
        ("min_tokens", sampling.min_tokens, 0, 1_000_000),
    )
    for name, value, low, high in ranges:
        # What is not a number is between nothing, and no whole number is too large to compare.
        if not low <= value <= high:
            bounds = {"least": f"{low:g}", "most": f"{high:g}"}
            raise InvalidRequest(BETWEEN, values={"name": name, **bounds}, param=name)
    if sampling.top_p == 0:
        raise InvalidRequest("top_p must be above 0.", param="top_p")
    if len(sampling.stop) > MAX_STOPS or any(not 1 <= len(stop) <= MAX_STOP_CHARS for stop in sampling.stop):
        raise InvalidRequest(
            "At most %(stops)s stop strings of 1 to %(most)s characters.",
            values={"stops": MAX_STOPS, "most": MAX_STOP_CHARS},
            param="stop",
        )
    for stop in sampling.stop:
        _check_text(stop, "stop")
