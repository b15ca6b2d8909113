"""A bound on how long a web process waits for PostgreSQL's answer.

A server that is frozen keeps its connections open and their TCP acknowledged: none of the kernel's timeouts fires, and
none of the server's can. Workers are not bounded: what they do may take its time, and their leases tell who is dead.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors

# Between two looks at the connection, as in psycopg itself.
LOOK_SECONDS = 0.1


class PatientConnection(psycopg.Connection[Any]):
    """The pool's connections; `answer_seconds` is None, for ever, until the web process sets it."""

    answer_seconds: float | None = None

    def wait(self, gen: Any, interval: float = LOOK_SECONDS, timeout: float | None = None) -> Any:
        """Closes the connection when the bound has passed: what the server does with the statement is not known."""
        if timeout is not None or self.answer_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.answer_seconds:g} seconds") from None


def bound(seconds: float) -> None:
    """From now on this process waits so long for one answer; 0 for ever."""
    PatientConnection.answer_seconds = seconds or None
