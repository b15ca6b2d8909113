"""Hints to workers, sent by a thread of its own: a request never waits for a broker that is slow or gone.

Only what may be lost goes this way. Whoever is not told looks for itself a moment later.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

# So many different hints at a time are far more than a healthy broker leaves waiting; the oldest go first.
MOST_WAITING = 1_000

Hint = Callable[[], None]


class Ringer:
    """Sends hints one after the other; a hint that already waits is not sent twice."""

    def __init__(self) -> None:
        self._waiting: dict[str, Hint] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def send(self, name: str, hint: Hint) -> None:
        """Takes the hint and returns at once; hints of one name are the same hint."""
        with self._changed:
            self._waiting.setdefault(name, hint)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.pop(next(iter(self._waiting)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bells", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                name = next(iter(self._waiting))
                hint = self._waiting.pop(name)
            try:
                hint()
            except Exception:
                # The thread must outlive any single hint.
                log.exception("hint %s not sent", name)


_ringer = Ringer()


def send(name: str, hint: Hint) -> None:
    """Sends a hint from the process's own thread."""
    _ringer.send(name, hint)


def _start_anew() -> None:
    """A forked process has the parent's hints and lock, and not its thread."""
    global _ringer
    _ringer = Ringer()


os.register_at_fork(after_in_child=_start_anew)
