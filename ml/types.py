"""What crosses the border between models and the rest of the product.

Frozen dataclasses only. Nothing here imports torch, so that a web process may read this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "cancelled", "deadline", "error"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen; the defaults are those of the API.

    `temperature` 0 is greedy. `top_k` 0 and `top_p` 1 switch the filter off. `repetition_penalty` is the
    divisor of Keskar et al. 2019 (CTRL, arXiv 1909.05858), 1 is off. `stop` strings end the text and are not
    part of it. With `seed` the same request on the same weights gives the same text. Before `min_tokens` the end of
    the text is not chosen, and stop strings do not end it.
    """

    max_tokens: int = 256
    min_tokens: int = 0
    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What an earlier attempt has already streamed: every token so far, and the text that went out.

    `text` may be shorter than the decoded tokens: half a character or a possible stop string is held back.
    """

    token_ids: tuple[int, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One piece of work for an engine: either `messages` (chat template applied) or a raw `prompt`.

    `deadline` is a `time.monotonic()` instant in seconds. `progress` continues an interrupted answer. Texts that begin
    alike share the computation of their beginning within one `cache_scope`, such as a tenant, and not beyond: another
    tenant could tell from the time it takes that somebody has sent it.
    """

    request_id: str
    sampling: SamplingParams
    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    deadline: float | None = None
    progress: Progress = field(default_factory=Progress)
    cache_scope: str = ""


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one engine step produced for one request.

    `text` is only the new, final characters, without NUL; it may be empty while a character or a stop string is
    incomplete.
    `token_ids` are the new tokens, in order, so that another worker can continue. `restarted` says that the text
    streamed by earlier attempts is void and starts over (an engine that cannot continue from tokens).
    Counts are totals over all attempts. `error_code` is set with `finish_reason == "error"`.
    """

    request_id: str
    text: str = ""
    token_ids: tuple[int, ...] = ()
    finish_reason: FinishReason | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    restarted: bool = False
    error_code: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A snapshot for metrics: requests and tokens now, and counts since the engine was loaded.

    `prefill_tokens` were computed for prompts, `reused_tokens` came from a shared prefix instead; `steps` are passes
    through the model; `preemptions` took a running request's cache, to be computed again later.
    """

    running: int = 0
    waiting: int = 0
    max_running: int = 0
    cache_tokens_used: int = 0
    cache_tokens_total: int = 0
    steps: int = 0
    generated_tokens: int = 0
    prefill_tokens: int = 0
    reused_tokens: int = 0
    preemptions: int = 0


class EngineError(Exception):
    """A request or a model that an engine cannot serve; `code` is stable and shown to API users."""

    code = "engine_error"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        if code:
            self.code = code


class ContextLengthExceeded(EngineError):
    """Prompt plus requested output do not fit the model's context window."""

    code = "context_length_exceeded"


class ModelUnavailable(EngineError):
    """The model cannot be loaded, or its remote server does not answer."""

    code = "model_unavailable"


class Engine(Protocol):
    """One model that many requests share.

    `submit` and `cancel` may be called from any thread. `step` is called by one thread in a loop: it admits,
    advances every running request by one token, and returns what is new; with nothing to do it waits up to
    `timeout` seconds for work and returns an empty list. A request always ends with exactly one output that has
    a `finish_reason`; only `submit` may raise for a request (EngineError), a failing step ends the requests
    concerned with "error" and leaves the others running. `step` raises only where nothing will work any more and a new
    process has to take over.
    """

    max_running: int

    def submit(self, request: EngineRequest) -> None: ...

    def cancel(self, request_id: str) -> None: ...

    def step(self, timeout: float = 0.1) -> Sequence[StepOutput]: ...

    def stats(self) -> EngineStats: ...

    def close(self) -> None: ...
