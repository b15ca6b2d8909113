"""How far bulk runs are: a bar for a person, a line now and then for a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from millrace import types as t
from millrace.cli.output import tell, watched

BAR = 24
LOG_SECONDS = 30.0


@dataclass(frozen=True)
class Standing:
    """Several runs counted together."""

    total: int
    succeeded: int
    failed: int
    running: int
    eta_seconds: int | None
    note: str

    @property
    def done(self) -> int:
        return self.succeeded + self.failed

    def line(self) -> str:
        share = self.done / self.total if self.total else 1.0
        filled = int(BAR * share)
        text = f"[{'#' * filled}{'-' * (BAR - filled)}] {share:4.0%}  {self.done:,}/{self.total:,}"
        if self.failed:
            text += f"  {self.failed:,} without a text"
        if self.eta_seconds is not None and self.done < self.total:
            text += f"  {clock(self.eta_seconds)} left"
        return f"{text}  {self.note}".rstrip()


def standing_of(runs: Sequence[t.BulkRunBody]) -> Standing:
    counts = [run["counts"] for run in runs]
    waits = [each["eta_seconds"] for each in counts]
    notes = []
    for run in runs:
        if run["state"] in {"paused", "exhausted"}:
            stop = run["stopped_because"]
            notes.append(f"{run['state']}: {stop['message']}" if stop else run["state"])
    return Standing(
        total=sum(each["total"] for each in counts),
        succeeded=sum(each["succeeded"] for each in counts),
        failed=sum(each["failed"] + each["invalid"] + each["stopped"] for each in counts),
        running=sum(each["running"] for each in counts),
        # Several runs share the same turns, so the slowest is the last to end.
        eta_seconds=max((each for each in waits if each is not None), default=None),
        note="; ".join(dict.fromkeys(notes)),
    )


def clock(seconds: int) -> str:
    """`1:05:09`, `5:09`."""
    minutes, rest = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Draws on standard error; without a terminal it writes a line every half minute and whenever a note changes."""

    def __init__(self) -> None:
        self._live = watched()
        self._told_at = 0.0
        self._note = ""

    def show(self, standing: Standing) -> None:
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{standing.line()[:width]}")
            sys.stderr.flush()
        elif standing.note != self._note or time.monotonic() - self._told_at > LOG_SECONDS:
            self._told_at, self._note = time.monotonic(), standing.note
            tell(standing.line())

    def end(self) -> None:
        if self._live:
            sys.stderr.write("\n")
            sys.stderr.flush()
