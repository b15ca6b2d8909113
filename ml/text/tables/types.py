"""What crosses the border between whoever wants a table and the child that reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a table may be at most, and what the child that reads it is given."""

    rows: int = 10_000
    columns: int = 200
    cell_chars: int = 100_000
    chars: int = 40_000_000
    unpacked_bytes: int = 200_000_000
    memory_bytes: int = 768 * 1_048_576
    cpu_seconds: int = 30
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells by column; `problem` says why it cannot be used, mostly as `Words`."""

    values: dict[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`format` is csv, xlsx or jsonl, and `encoding` what a text file turned out to be written in."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    format: str
    encoding: str = ""


class Refused(ValueError):
    """The file is no table that can be read; `template` with `values` tells it to whoever sent it."""

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template % values if values else template)
        self.template, self.values = template, values
