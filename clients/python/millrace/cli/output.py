"""What the commands print: results to standard output, all that is only for people to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from millrace.errors import APIError


class Failed(Exception):
    """The command cannot do what was asked; `code` is its exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def say(text: str, *, end: str = "\n") -> None:
    """A result, or a piece of one, at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def say_json(value: Any, *, lines: bool = False) -> None:
    """One JSON value; with `lines` on one line, so that a program reads it as it arrives."""
    say(json.dumps(value, ensure_ascii=False, indent=None if lines else 2))


def tell(text: str) -> None:
    """For the person who watches."""
    print(text, file=sys.stderr, flush=True)


def complain(problem: Exception) -> None:
    """One line about what went wrong, and how the operator finds it again."""
    tell(f"millrace: {problem}")
    if isinstance(problem, APIError):
        if problem.param:
            tell(f"  about: {problem.param}")
        if problem.request_id:
            tell(f"  request: {problem.request_id}")


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; numbers stand to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(names, *texts, strict=True)]
    numbers = [all(isinstance(row[at], int | float) for row in rows) and bool(rows) for at in range(len(names))]

    def line(cells: Sequence[str]) -> str:
        placed = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numbers, strict=True)
        ]
        return "  ".join(placed).rstrip()

    return "\n".join(line(cells) for cells in [list(names), *texts])


def watched() -> bool:
    """Whether a person sees standard error."""
    return sys.stderr.isatty()


def asked(question: str) -> bool:
    """A yes or no of the person at the terminal."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
