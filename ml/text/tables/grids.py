"""From cells to rows: the first line with anything in it names the columns; blank lines are passed over."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ml.text.tables.types import Bounds, Refused, Row
from ml.words import Words

DELIMITERS = ",;\t|"
Record = Row | tuple[str, ...]


def of_csv(text: str, bounds: Bounds) -> Iterator[list[str]]:
    """The records of a CSV text; its delimiter is the one that its first line has most of."""
    csv.field_size_limit(bounds.cell_chars)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise Refused(
                "Line %(line)s is not valid CSV: %(reason)s.", line=reader.line_num, reason=str(error)
            ) from None
        if record is None:
            return
        yield record


def delimiter_of(text: str) -> str:
    """Counted outside of quotes, and up to the end of the first record."""
    counts, quoted = dict.fromkeys(DELIMITERS, 0), False
    for char in text.lstrip("\r\n")[:100_000]:
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "\r\n":
            break
        elif not quoted and char in counts:
            counts[char] += 1
    return max(counts, key=lambda char: counts[char])


def rows_of(grid: Iterable[list[str]], bounds: Bounds) -> Iterator[Record]:
    """First the columns' names, then the rows."""
    columns: tuple[str, ...] = ()
    for record in grid:
        cells = _without_tail(record)
        if not cells:
            continue
        if not columns:
            columns = names_of(cells, bounds)
            yield columns
            continue
        values = dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=False))
        problem = ""
        if len(cells) > len(columns):
            problem = Words(
                "This row has %(cells)s cells, and there are %(columns)s columns.",
                cells=len(cells),
                columns=len(columns),
            )
        yield checked(Row(values, problem))


def names_of(cells: list[str], bounds: Bounds) -> tuple[str, ...]:
    """Names for every column, each once."""
    if len(cells) > bounds.columns:
        raise Refused("A table has at most %(most)s columns.", most=bounds.columns)
    found: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = base = " ".join(cell.replace("\0", "").split())[:100] or f"Column {place}"
        again = 2
        while name in found:
            name, again = f"{base} ({again})", again + 1
        found.append(name)
    return tuple(found)


def checked(row: Row) -> Row:
    """What no database stores is a problem of the row, and gone from its cells."""
    values, problem = {}, row.problem
    for name, value in row.values.items():
        clean = value.replace("\0", "").encode("utf-8", "ignore").decode()
        if clean != value:
            problem = problem or Words("“%(name)s” holds characters that no text has.", name=name)
        values[name] = clean
    return Row(values, problem)


def _without_tail(record: list[str]) -> list[str]:
    end = len(record)
    while end and not record[end - 1].strip():
        end -= 1
    return record[:end]


def of_json_lines(text: str, bounds: Bounds) -> Iterator[Record]:
    """The rows of JSON lines, and last the columns' names: every key that any of them has."""
    columns: dict[str, None] = {}
    # Not splitlines(): a text inside JSON may hold the other characters that end lines.
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        row = checked(_of_line(line, number, bounds))
        columns |= dict.fromkeys(row.values)
        if len(columns) > bounds.columns:
            raise Refused("A table has at most %(most)s columns.", most=bounds.columns)
        yield row
    yield tuple(columns)


def _of_line(line: str, number: int, bounds: Bounds) -> Row:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        return Row({}, Words("Line %(number)s is not JSON.", number=number))
    if not isinstance(value, dict):
        return Row({}, Words("Line %(number)s is not a JSON object.", number=number))
    cells = {str(name)[:100]: cell if isinstance(cell, str) else _text(cell) for name, cell in value.items()}
    if any(len(cell) > bounds.cell_chars for cell in cells.values()):
        most = bounds.cell_chars
        return Row({}, Words("A cell of line %(number)s has more than %(most)s characters.", number=number, most=most))
    return Row(cells)


def _text(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)
