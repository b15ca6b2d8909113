"""A generation that this process is working on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from uuid import UUID

from apps.core import streams
from apps.core.jobs import Status
from apps.studio.models import Generation
from apps.studio.services import Outcome
from ml.types import Progress, StepOutput


@dataclass(slots=True)
class Active:
    """State between the claim of a row and its end; only the writer thread changes it after submission."""

    generation: Generation
    attempt: int
    progress: Progress = field(default_factory=Progress)
    text: list[str] = field(default_factory=list)
    tokens: int = 0
    next_seq: int = 1
    submitted: bool = False
    cancel_asked: bool = False
    # Set when the row or the stream belongs to somebody else now: nothing more may be written.
    lost: threading.Event = field(default_factory=threading.Event)

    # Part of the text never reached the stream; readers take the whole from the row.
    holed: bool = False

    @property
    def id(self) -> UUID:
        return self.generation.pk

    @property
    def key(self) -> str:
        """The id by which engines know this attempt."""
        return f"{self.id}:{self.attempt}"

    def continue_from(self, progress: Progress) -> None:
        self.progress = progress
        self.text = [progress.text]
        self.tokens = len(progress.token_ids)

    def entries_for(self, output: StepOutput) -> list[tuple[int, streams.Entry]]:
        """The stream entries of one step, numbered; numbers are given once, so that a repeated write is harmless."""
        entries: list[streams.Entry] = []
        if output.restarted:
            self.continue_from(Progress())
            entries.append(streams.Entry("", streams.RESET))
        if output.text or output.token_ids:
            entries.append(streams.Entry("", streams.DELTA, output.text, output.token_ids, self.tokens))
            self.text.append(output.text)
            self.tokens += len(output.token_ids)
        return self.number(entries)

    def number(self, entries: list[streams.Entry]) -> list[tuple[int, streams.Entry]]:
        first = self.next_seq
        self.next_seq += len(entries)
        return list(enumerate(entries, first))

    def outcome(self, output: StepOutput) -> Outcome:
        """How the generation ended, from the engine's last output."""
        status = {"stop": Status.SUCCEEDED, "length": Status.SUCCEEDED, "cancelled": Status.CANCELLED}
        codes = {"deadline": ("deadline_exceeded", "The generation took longer than its deadline allows.")}
        code, message = codes.get(output.finish_reason or "", (output.error_code, output.error_message))
        return Outcome(
            status=status.get(output.finish_reason or "", Status.FAILED),
            text="".join(self.text),
            finish_reason=output.finish_reason or "",
            prompt_tokens=output.prompt_tokens or self.generation.prompt_tokens,
            completion_tokens=output.completion_tokens or self.tokens,
            error_code=code,
            error_message=message,
        )

    def failure(self, code: str, message: str) -> Outcome:
        """The end of a generation that the engine never took."""
        return Outcome(
            status=Status.FAILED,
            text="".join(self.text),
            finish_reason="error",
            prompt_tokens=self.generation.prompt_tokens,
            completion_tokens=self.tokens,
            error_code=code,
            error_message=message,
        )

    def stopped(self) -> Outcome:
        """The end of a generation that was cancelled before the engine took it."""
        return Outcome(
            status=Status.CANCELLED,
            text="".join(self.text),
            finish_reason="cancelled",
            prompt_tokens=self.generation.prompt_tokens,
            completion_tokens=self.tokens,
        )
