"""What may be asked of a model: checked values, without database."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field, replace

from django.conf import settings

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


@dataclass(frozen=True, slots=True)
class GenerationSpec:
    """A generation as asked for: `messages`, or a raw `prompt`; `max_tokens` None means the default.

    `deadline_seconds` counts from acceptance, also while it waits; without one only its running time is bounded.
    """

    model: str = "default"
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    max_tokens: int | None = None
    sampling: SamplingParams = field(default_factory=SamplingParams)
    brief: Brief | None = None
    deadline_seconds: float | None = None


def checked(spec: GenerationSpec) -> GenerationSpec:
    """The spec with a seed and trimmed nothing, or InvalidRequest naming the parameter that is wrong."""
    _check_input(spec)
    _check_sampling(spec.sampling)
    if spec.max_tokens is not None and not 1 <= spec.max_tokens <= 1_000_000:
        raise InvalidRequest("max_tokens must be between 1 and 1,000,000.", param="max_tokens")
    if spec.sampling.min_tokens < 0:
        raise InvalidRequest("min_tokens must not be below 0.", param="min_tokens")
    _check_deadline(spec.deadline_seconds)
    seed = spec.sampling.seed
    # Every generation has a seed, so that another worker can continue it and anybody can repeat it.
    seed = secrets.randbits(53) if seed is None else seed
    return replace(spec, sampling=replace(spec.sampling, seed=seed))


def _check_deadline(seconds: float | None) -> None:
    longest = settings.GENERATION_DEADLINE_SECONDS
    if seconds is not None and not SHORTEST_DEADLINE_SECONDS <= seconds <= longest:
        raise InvalidRequest(
            f"deadline_seconds must be between {SHORTEST_DEADLINE_SECONDS:g} and {longest}.", param="deadline_seconds"
        )


def _check_input(spec: GenerationSpec) -> None:
    if (spec.prompt is None) == (not spec.messages):
        raise InvalidRequest("Give either messages or a prompt.", param="messages")
    if len(spec.messages) > MAX_MESSAGES:
        raise InvalidRequest(f"At most {MAX_MESSAGES} messages.", param="messages")
    for index, message in enumerate(spec.messages):
        if message.role not in ROLES:
            raise InvalidRequest(f"A role is one of {', '.join(ROLES)}.", param=f"messages.{index}.role")
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
    )
    for name, value, low, high in ranges:
        if not math.isfinite(value) or not low <= value <= high:
            raise InvalidRequest(f"{name} must be between {low:g} and {high:g}.", param=name)
    if sampling.top_p == 0:
        raise InvalidRequest("top_p must be above 0.", param="top_p")
    if len(sampling.stop) > MAX_STOPS or any(not 1 <= len(stop) <= MAX_STOP_CHARS for stop in sampling.stop):
        raise InvalidRequest(f"At most {MAX_STOPS} stop strings of 1 to {MAX_STOP_CHARS} characters.", param="stop")
    for stop in sampling.stop:
        _check_text(stop, "stop")
