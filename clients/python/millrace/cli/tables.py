"""Tables of a bulk run, read from files and cut into what one call may hold."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from millrace.cli.output import Failed

Row = dict[str, str]
# The server takes bodies of 1 MiB and 10,000 rows; the rest of the body is small.
MOST_BYTES, MOST_ROWS = 900_000, 10_000
LARGEST_CELL = 10_000_000


def read(name: str, sheet: str | None = None) -> list[Row]:
    """The rows of a file by its ending; `-` reads JSON lines."""
    if name == "-":
        return [_texts(row) for row in _json_lines(sys.stdin)]
    path = Path(name)
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".xlsx": _xlsx}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise Failed(f"{name} is none of {', '.join(sorted(readers))}.", 2)
    try:
        rows = list(reader(path, sheet))
    except UnicodeDecodeError:
        raise Failed(f"{name} is not UTF-8: save it as such.", 2) from None
    if not rows:
        raise Failed(f"{name} has no rows.", 2)
    return rows


def _csv(path: Path, sheet: str | None) -> Iterator[Row]:
    csv.field_size_limit(LARGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        start = file.read(65_536)
        file.seek(0)
        yield from _named(csv.reader(file, delimiter=_delimiter(path, start)))


def _delimiter(path: Path, start: str) -> str:
    """By the first line, in which names rarely hold one; a .tsv says it itself."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = start.splitlines()[0] if start else ""
    return max(",;\t", key=first.count)


def _named(lines: Iterable[Sequence[Any]]) -> Iterator[Row]:
    """Rows by the names in the first line; empty lines are no rows."""
    found = iter(lines)
    names = [_text(name).strip() for name in next(found, [])]
    while names and not names[-1]:
        names.pop()
    if not all(names) or len(set(names)) < len(names):
        raise Failed("The first line must name every column, each differently.", 2)
    for number, line in enumerate(found, 2):
        cells = [_text(cell) for cell in line]
        if not any(cells):
            continue
        if any(cells[len(names) :]):
            raise Failed(f"Line {number} has more cells than there are columns.", 2)
        cells += [""] * (len(names) - len(cells))
        yield dict(zip(names, cells, strict=False))


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def _jsonl(path: Path, sheet: str | None) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        yield from (_texts(row) for row in _json_lines(file))


def _json_lines(file: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise Failed(f"Line {number} is no JSON.", 2) from None
        if not isinstance(row, dict):
            raise Failed(f"Line {number} is no object.", 2)
        yield row


def _texts(row: dict[str, Any]) -> Row:
    """What is not a text is written as JSON writes it."""
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _text(value)
        for name, value in row.items()
    }


def _xlsx(path: Path, sheet: str | None) -> Iterator[Row]:
    try:
        import openpyxl
    except ImportError:
        raise Failed("Workbooks need the package openpyxl: pip install 'millrace[xlsx]'", 2) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, KeyError, ValueError, openpyxl.utils.exceptions.InvalidFileException) as problem:
        raise Failed(f"{path} cannot be read as a workbook: {problem}") from problem
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise Failed(f"There is no sheet {sheet}; there are {', '.join(book.sheetnames)}.", 2)
        found = book[sheet] if sheet is not None else book.worksheets[0]
        yield from _named(found.iter_rows(values_only=True))
    finally:
        book.close()


def parts(rows: Sequence[Row], most_bytes: int = MOST_BYTES, most_rows: int = MOST_ROWS) -> list[list[Row]]:
    """The rows in order, in as few pieces as calls may hold."""
    found: list[list[Row]] = [[]]
    size = 0
    for number, row in enumerate(rows, 1):
        length = len(json.dumps(row, ensure_ascii=False).encode()) + 2
        if length > most_bytes:
            raise Failed(f"Row {number} is too long for one call.", 2)
        if found[-1] and (size + length > most_bytes or len(found[-1]) == most_rows):
            found.append([])
            size = 0
        found[-1].append(row)
        size += length
    return found


def joined(contents: Sequence[bytes], ending: str) -> bytes:
    """Downloads of the parts as one file: a CSV keeps only its first names."""
    if ending == ".jsonl":
        return b"".join(contents)
    return b"".join(content if number == 0 else _without_names(content) for number, content in enumerate(contents))


def _without_names(content: bytes) -> bytes:
    """A CSV behind its first record, which may have line breaks within quotes."""
    quoted = False
    for place, byte in enumerate(content):
        if byte == ord('"'):
            quoted = not quoted
        elif byte == ord("\n") and not quoted:
            return content[place + 1 :]
    return b""
