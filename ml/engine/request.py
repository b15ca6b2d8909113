"""What the engine remembers of one request while it is served."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from ml.engine.detokenizer import TextStream
from ml.types import EngineError, EngineRequest, FinishReason, Progress, SamplingParams, StepOutput

# Below this temperature the distribution is a single token in float32, and dividing by it only loses precision.
GREEDY_BELOW = 1e-5


@dataclass(slots=True, eq=False)
class RequestState:
    """A request with its tokens; `output_ids` begins with the progress of earlier attempts.

    `max_tokens` is what was asked for, capped at what fits the context. `pending_*` is what the next output takes
    along. `streamed` counts the characters that earlier attempts have sent and this one must not send again.

    While it runs it has a `slot` (its row of the block tables) and `blocks` of the cache, which hold its first
    `computed` tokens; `tabled` of the blocks are in the table. `length` counts its tokens, whose keys and values must
    exist before the next one can be chosen. `digests` name its full blocks, see ml/engine/blocks.py.
    `overtaken` counts the later ones that ran before it.
    """

    request: EngineRequest
    prompt_ids: tuple[int, ...]
    max_tokens: int
    text: TextStream
    output_ids: list[int] = field(default_factory=list)
    pending_ids: list[int] = field(default_factory=list)
    pending_text: str = ""
    streamed: int = 0
    restarted: bool = False
    seed: int = 0
    slot: int | None = None
    blocks: list[int] = field(default_factory=list)
    tabled: int = 0
    computed: int = 0
    length: int = 0
    digests: list[bytes] = field(default_factory=list)
    overtaken: int = 0

    def __post_init__(self) -> None:
        asked = self.request.sampling.seed
        self.seed = secrets.randbits(63) if asked is None else asked
        self.length = len(self.prompt_ids) + len(self.output_ids)

    @property
    def request_id(self) -> str:
        return self.request.request_id

    @property
    def sampling(self) -> SamplingParams:
        return self.request.sampling

    @property
    def greedy(self) -> bool:
        return self.sampling.temperature < GREEDY_BELOW

    @property
    def scope(self) -> bytes:
        """Within what the beginnings of texts may be shared."""
        return self.request.cache_scope.encode()

    @property
    def missing(self) -> int:
        """Tokens that are still to be computed."""
        return self.length - self.computed

    def tokens(self) -> list[int]:
        return [*self.prompt_ids, *self.output_ids]

    def append(self, token: int) -> None:
        self.output_ids.append(token)
        self.length += 1

    def next_tokens(self, count: int) -> list[int]:
        """Return the first `count` tokens that are still to be computed."""
        first = self.computed - len(self.prompt_ids)
        if first >= 0:
            return self.output_ids[first : first + count]
        return self.tokens()[self.computed : self.computed + count]

    @property
    def may_end(self) -> bool:
        return len(self.output_ids) >= self.sampling.min_tokens

    def resume(self) -> FinishReason | None:
        """Take up the tokens of earlier attempts; returns how the answer ended if they already complete it.

        Call once, before anything else is pushed.
        """
        progress = self.request.progress
        for token in progress.token_ids:
            self.append(token)
            self.pending_text += self.text.push(token)
        self.streamed = len(progress.text)
        return self._ending() if self.output_ids else None

    def accept(self, token: int) -> FinishReason | None:
        """Append a new token; returns how the answer ended if it did."""
        self.append(token)
        self.pending_ids.append(token)
        self.pending_text += self.text.push(token)
        return self._ending()

    def take_output(
        self, finish: FinishReason | None = None, error_code: str = "", error_message: str = ""
    ) -> StepOutput:
        """Return what is new since the last output; with any ending but an error, text held back goes out too."""
        if finish and finish != "error":
            self.pending_text += self.text.finish()
        again = min(self.streamed, len(self.pending_text))
        output = StepOutput(
            self.request_id,
            text=self.pending_text[again:],
            token_ids=tuple(self.pending_ids),
            finish_reason=finish,
            prompt_tokens=len(self.prompt_ids),
            completion_tokens=len(self.output_ids),
            restarted=self.restarted,
            error_code=error_code,
            error_message=error_message,
        )
        self.streamed -= again
        self.pending_ids, self.pending_text, self.restarted = [], "", False
        return output

    def _ending(self) -> FinishReason | None:
        if self.text.stopped:
            return "stop"
        return "length" if len(self.output_ids) >= self.max_tokens else None


def continues(progress: Progress, text: TextStream, vocabulary: int) -> bool:
    """Tell whether `progress` was made with this tokenizer, by decoding its tokens with a fresh `text`.

    Text may be longer than the decoded tokens by what the end of an attempt had let out.
    """
    if progress.text and not progress.token_ids:
        return False
    if any(not 0 <= token < vocabulary for token in progress.token_ids):
        return False
    decoded = "".join(text.push(token) for token in progress.token_ids)
    return decoded.startswith(progress.text) or progress.text.startswith(decoded)


def check_request(request: EngineRequest) -> None:
    """Raise EngineError (`invalid_request`) for parameters without a meaning."""
    sampling = request.sampling
    problems = {
        "a request has either messages or a prompt": bool(request.messages) == (request.prompt is not None),
        "max_tokens must be at least 1": sampling.max_tokens < 1,
        "min_tokens must be from 0 to max_tokens": not 0 <= sampling.min_tokens <= sampling.max_tokens,
        "temperature must be a number from 0 up": not 0 <= sampling.temperature < float("inf"),
        "top_p must be above 0 and at most 1": not 0 < sampling.top_p <= 1,
        "top_k must not be negative": sampling.top_k < 0,
        "repetition_penalty must be a number above 0": not 0 < sampling.repetition_penalty < float("inf"),
    }
    for message, found in problems.items():
        if found:
            raise EngineError(message, "invalid_request")
