"""The child: `python -m ml.text.tables FILE BOUNDS` reads a table and writes it as JSON, a record a line.

A row is `{"row": {…}, "problem": ["", {}]}`; the last line is `{"columns": […], …}`, or `{"refused": "…", "values":
{…}}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.text.extraction.confinement import confine
from ml.text.tables.encodings import decoded
from ml.text.tables.grids import Record, of_csv, of_json_lines, rows_of
from ml.text.tables.types import Bounds, Refused, Row
from ml.text.tables.workbooks import of_workbook
from ml.words import Words

ZIP, OLD_EXCEL, PDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF"
TOO_MUCH_MEMORY = Refused("This file needs too much memory to be read.")


def main() -> None:
    path, bounds = Path(sys.argv[1]), Bounds(**json.loads(sys.argv[2]))
    confine(bounds.memory_bytes, bounds.cpu_seconds)
    try:
        for line in lines(path, bounds):
            print(json.dumps(line, ensure_ascii=True))
    except Refused as error:
        print(json.dumps({"refused": error.template, "values": error.values}))
    except (MemoryError, RecursionError):
        print(json.dumps({"refused": TOO_MUCH_MEMORY.template, "values": {}}))


def lines(path: Path, bounds: Bounds) -> Iterator[dict[str, Any]]:
    """What the child writes about a file; Refused for one that is no table within the bounds."""
    columns: tuple[str, ...] = ()
    count = chars = 0
    about, records = _opened(path, bounds)
    for record in records:
        if not isinstance(record, Row):
            columns = record
            continue
        count, chars = count + 1, chars + sum(map(len, record.values.values()))
        if count > bounds.rows:
            raise Refused("A table has at most %(most)s rows.", most=bounds.rows)
        if chars > bounds.chars:
            raise Refused("A table has at most %(most)s characters.", most=bounds.chars)
        problem = record.problem
        words = (problem.template, problem.values) if isinstance(problem, Words) else (problem, {})
        yield {"row": record.values, "problem": words}
    if not count and columns:
        raise Refused("There is no row below the columns' names.")
    if not count:
        raise Refused("This file is empty.")
    yield about | {"columns": columns}


def _opened(path: Path, bounds: Bounds) -> tuple[dict[str, str], Iterator[Record]]:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(ZIP):
        return {"format": "xlsx"}, rows_of(of_workbook(path, bounds), bounds)
    if start.startswith((OLD_EXCEL, PDF)):
        raise Refused("Files of this kind are not read: save the table as XLSX or CSV.")
    text, encoding = decoded(path.read_bytes())
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return {"format": "jsonl", "encoding": encoding}, of_json_lines(text.lstrip("\ufeff"), bounds)
    return {"format": "csv", "encoding": encoding}, rows_of(of_csv(text.lstrip("\ufeff"), bounds), bounds)


if __name__ == "__main__":
    main()
