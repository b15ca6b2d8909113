"""The first sheet of an XLSX workbook as records of texts; what could hurt whoever opens it is refused unread."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from ml.text.tables.types import Bounds, Refused

MOST_PARTS = 2_000
# Sheets of equal cells shrink to a hundredth; what shrinks further is a bomb.
MOST_SHRUNK, SMALL_BYTES = 400, 1_000_000
# A document type, which is where entities are declared, stands at a part's beginning.
PROLOGUE_BYTES = 65_536


def of_workbook(path: Path, bounds: Bounds) -> Iterator[list[str]]:
    """Refused for formulas as well: what they come to is not in the file, or is somebody's old word for it."""
    from openpyxl import load_workbook

    inspect(path, bounds)
    try:
        book = load_workbook(path.open("rb"), read_only=True, data_only=False, keep_links=False)
        sheet = next((each for each in book.worksheets if each.sheet_state == "visible"), None)
    except Refused:
        raise
    except Exception as error:  # a stranger's file may break a parser in any way
        raise Refused("This workbook cannot be read (%(reason)s).", reason=type(error).__name__) from None
    if sheet is None:
        raise Refused("This workbook has no visible sheet.")
    # The file's own word for its size is worth nothing.
    sheet.reset_dimensions()
    yield from _records(sheet, bounds)


def _records(sheet: Any, bounds: Bounds) -> Iterator[list[str]]:
    rows = sheet.iter_rows()
    while True:
        try:
            cells = next(rows, None)
        except Exception as error:
            raise Refused("This workbook cannot be read (%(reason)s).", reason=type(error).__name__) from None
        if cells is None:
            return
        record = []
        for cell in cells:
            if cell.data_type == "f":
                raise Refused("Cell %(cell)s is a formula: save the sheet's values alone.", cell=cell.coordinate)
            record.append(text_of(cell.value))
            if len(record[-1]) > bounds.cell_chars:
                raise Refused(
                    "Cell %(cell)s has more than %(most)s characters.", cell=cell.coordinate, most=bounds.cell_chars
                )
        yield record


def text_of(value: Any) -> str:
    """A cell as people read it: whole numbers without a point, dates in ISO 8601."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case date() | time():
            return value.isoformat()
    return str(value)


def inspect(path: Path, bounds: Bounds) -> None:
    """Refuses what is no workbook, unpacks to too much, or declares entities."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > bounds.unpacked_bytes:
                raise Refused("This workbook unpacks to too much.")
            names = {part.filename for part in parts}
            if "xl/workbook.xml" not in names:
                raise Refused("This is no XLSX workbook.")
            if any(name.endswith("vbaProject.bin") for name in names):
                raise Refused("This workbook holds macros: save it without them.")
            for part in parts:
                _inspect_part(archive, part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise Refused("This workbook cannot be read (%(reason)s).", reason=type(error).__name__) from None


def _inspect_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    if part.file_size > SMALL_BYTES and part.file_size > MOST_SHRUNK * max(1, part.compress_size):
        raise Refused("This workbook unpacks to too much.")
    if part.filename.endswith((".xml", ".rels")):
        with archive.open(part) as file:
            start = file.read(PROLOGUE_BYTES).replace(b"\0", b"").upper()
        if b"<!DOCTYPE" in start or b"<!ENTITY" in start:
            raise Refused("This workbook declares XML entities, which none needs.")
