"""A generation that this process is working on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from apps.core import streams
from apps.core.jobs import Status
from apps.core.metrics import TokenClock
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.studio.services import Outcome
from ml.types import Progress, StepOutput

# A request that has come this far since its start here is not what brought its last worker down: that would have
# happened where the lost worker stood, which is at most a few tokens after the last that was streamed.
PROVEN_OUTPUTS = 16

ENDINGS = {"stop": Status.SUCCEEDED, "length": Status.SUCCEEDED, "cancelled": Status.CANCELLED}
CODES = {"deadline": ("deadline_exceeded", "The generation took longer than its deadline allows.")}


@dataclass(slots=True, eq=False)
class Active:
    """State between the claim of a row and its end; only the writer thread changes it after submission.

    `text` and `token_ids` are all that was produced, over all attempts. `unsent` are the entries that Redis has not
    confirmed, and `last_id` is the last one that it has.
    """

    generation: Generation
    attempt: int
    model: ModelVersion
    text: list[str] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    outputs: int = 0
    last_id: str = ""
    unsent: deque[streams.Write] = field(default_factory=deque)
    submitted: bool = False
    cancel_asked: bool = False
    # The row or the stream belongs to somebody else now: nothing more may be written.
    lost: bool = False
    # Its end is being committed, so that a row which has ended is not a row that was taken away.
    ending: bool = False
    # The row is committed; what is unsent now is only the stream's tail.
    settled: bool = False
    key: str = ""
    stream: str = ""
    clock: TokenClock = field(init=False)
    _next_seq: int = 1

    def __post_init__(self) -> None:
        # The id by which engines know this attempt.
        self.key = f"{self.id}:{self.attempt}"
        self.stream = streams.key(self.id)
        row = self.generation
        waited = (row.claimed_at - row.created_at).total_seconds() if row.claimed_at else 0.0
        self.clock = TokenClock(self.model.name, waited, self.attempt, time.monotonic())

    @property
    def id(self) -> UUID:
        return self.generation.pk

    @property
    def suspect(self) -> bool:
        """Whether it was running when a worker was lost, and may have been the reason."""
        return self.generation.crashes > 0

    @property
    def proven(self) -> bool:
        return self.outputs >= PROVEN_OUTPUTS

    # ------------------------------------------------------------ the stream
    @property
    def progress(self) -> Progress:
        return Progress(tuple(self.token_ids), "".join(self.text))

    def open(self, earlier: Sequence[streams.Entry]) -> None:
        """The stream has been taken over, with what earlier attempts have written."""
        progress = streams.progress(earlier)
        self.last_id = f"{self.attempt}-0"
        self.text, self.token_ids = [progress.text], list(progress.token_ids)
        self.clock.continue_from(len(self.token_ids))
        if progress == Progress() and any(entry.kind == streams.DELTA for entry in earlier):
            # Part of the stream was lost: the text starts over, visibly.
            self._add(streams.RESET)

    def take(self, outputs: Sequence[StepOutput]) -> None:
        """Notes what the engine has produced; outputs that come together are one entry of the stream."""
        text, offset = "", len(self.token_ids)
        for output in outputs:
            if output.restarted:
                self.text, self.token_ids, text, offset = [], [], "", 0
                self._add(streams.RESET)
            self.outputs += 1
            self.text.append(output.text)
            if output.token_ids:
                self.token_ids += output.token_ids
                text += output.text
            elif output.text:
                # A remote server's piece: without token ids it counts as one, so it stays an entry of its own.
                self._add(streams.DELTA, output.text)
        if text or len(self.token_ids) > offset:
            self._add(streams.DELTA, text, offset)

    def end_stream(self) -> None:
        self.settled = True
        self._add(streams.END, seconds=settings.STREAM_EXPIRY_SECONDS)

    def write_again(self, found: str) -> None:
        """Plans the whole text anew: the stream is gone (`found` is empty), or its end is."""
        self.unsent.clear()
        self.last_id = found
        if any(self.text) or self.token_ids:
            self._add(streams.RESET, seconds=streams.ABANDONED_SECONDS)
            self._add(streams.DELTA, "".join(self.text))
        else:
            self._add(streams.ATTEMPT, seconds=streams.ABANDONED_SECONDS)

    def note_time(self, now: float) -> None:
        """Everything that was produced is in the stream at `time.monotonic()` `now`."""
        # Without token ids, as from a remote server, a piece counts as one.
        self.clock.reached(len(self.token_ids) or self.outputs, now)

    def confirm(self, id: str) -> None:
        """Redis has everything up to `id`."""
        while self.unsent and self.last_id != id:
            self.last_id = self.unsent.popleft().id

    def _add(self, kind: str, text: str = "", offset: int = 0, seconds: int = 0) -> None:
        # Numbers are given once and an entry never changes, so that a repeated write is harmless.
        after = self.unsent[-1].id if self.unsent else self.last_id
        tokens = ",".join(map(str, self.token_ids[offset:])) if kind == streams.DELTA else ""
        id = f"{self.attempt}-{self._next_seq}"
        self._next_seq += 1
        self.unsent.append(streams.Write(self.stream, after, id, kind, text, tokens, offset, seconds))

    # ------------------------------------------------------------ the end
    def outcome(self, output: StepOutput) -> Outcome:
        """How the generation ended, from the engine's last output."""
        reason = output.finish_reason or ""
        code, message = CODES.get(reason, (output.error_code, output.error_message))
        return Outcome(
            status=ENDINGS.get(reason, Status.FAILED),
            text="".join(self.text),
            finish_reason=reason,
            prompt_tokens=output.prompt_tokens or self.generation.prompt_tokens,
            completion_tokens=output.completion_tokens or len(self.token_ids),
            error_code=code,
            error_message=message,
        )

    def failure(self, code: str, message: str) -> Outcome:
        """The end of a generation that the engine never took."""
        return self._unserved(Status.FAILED, "error", code, message)

    def stopped(self) -> Outcome:
        """The end of a generation that was cancelled before the engine took it."""
        return self._unserved(Status.CANCELLED, "cancelled")

    def _unserved(self, status: Status, reason: str, code: str = "", message: str = "") -> Outcome:
        return Outcome(
            status=status,
            text="".join(self.text),
            finish_reason=reason,
            prompt_tokens=self.generation.prompt_tokens,
            completion_tokens=len(self.token_ids),
            error_code=code,
            error_message=message,
        )
