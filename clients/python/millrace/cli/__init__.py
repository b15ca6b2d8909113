"""The command-line tool `millrace`.

It ends with 0 when all went well, 1 when the server refused or the work failed, 2 when it was called wrongly, 3 without
a key that may do this, 4 when the server was not reached, and 130 after Ctrl-C.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from millrace import errors
from millrace.cli.output import Failed, complain, tell
from millrace.cli.parser import parser
from millrace.settings import NotSignedIn

OK, FAILED, WRONG_CALL, NOT_ALLOWED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    chosen = parser().parse_args(arguments)
    _tell_of_retries()
    try:
        code: int = chosen.run(chosen)
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough; Python would complain once more when it closes its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (errors.MillraceError, Failed, OSError) as problem:
        complain(problem)
        return code_of(problem)


class _Teller(logging.Handler):
    """Waiting for a full minute to pass looks like a program that hangs: what the client says of it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(f"millrace: {record.getMessage()}")


def _tell_of_retries() -> None:
    log = logging.getLogger("millrace")
    if not log.handlers:
        log.addHandler(_Teller())
        log.setLevel(logging.INFO)


def code_of(problem: Exception) -> int:
    """The exit code that tells a script what kind of problem it was."""
    if isinstance(problem, Failed):
        return problem.code
    if isinstance(problem, NotSignedIn | errors.UnauthorizedError | errors.ForbiddenError):
        return NOT_ALLOWED
    if isinstance(problem, errors.ConnectionFailed):
        return UNREACHABLE
    return FAILED
