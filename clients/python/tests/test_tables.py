"""Tables of bulk runs: read from every kind of file, cut into calls, and joined again."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from millrace.cli import tables
from millrace.cli.output import Failed
from millrace.cli.progress import clock

ROWS = [{"name": "Oak, Ember", "note": 'a "b"\nc'}, {"name": "茶", "note": ""}]


def written(path: Path, delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([["name", "note"], *([row["name"], row["note"]] for row in ROWS), [], ["", ""]])
    return path


def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path) -> None:
    assert tables.read(str(written(tmp_path / "a.csv"))) == ROWS
    assert tables.read(str(written(tmp_path / "b.csv", ";"))) == ROWS
    assert tables.read(str(written(tmp_path / "c.tsv", "\t"))) == ROWS
    lines = tmp_path / "d.jsonl"
    lines.write_text("\n\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    assert tables.read(str(lines)) == ROWS
    book = openpyxl.Workbook()
    book.active.append(["x"])
    sheet = book.create_sheet("Teas")
    for line in (["name", "note", None], *([row["name"], row["note"]] for row in ROWS)):
        sheet.append(line)
    book.save(tmp_path / "e.xlsx")
    assert tables.read(str(tmp_path / "e.xlsx"), "Teas") == ROWS
    with pytest.raises(Failed, match="no sheet Coffees; there are Sheet, Teas"):
        tables.read(str(tmp_path / "e.xlsx"), "Coffees")


def test_cells_become_texts(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for line in (["a", "b", "c", "d"], [1.0, 2.5, True, date(2026, 1, 2)]):
        book.active.append(line)
    book.save(tmp_path / "a.xlsx")
    row = tables.read(str(tmp_path / "a.xlsx"))[0]
    assert row == {"a": "1", "b": "2.5", "c": "true", "d": "2026-01-02T00:00:00"}
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": null, "c": ["x"]}')
    assert tables.read(str(tmp_path / "a.jsonl")) == [{"a": "1", "b": "", "c": '["x"]'}]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"a,a\n1,2\n", "name every column"),
        ("a.csv", b"a,,b\n1,2,3\n", "name every column"),
        ("a.csv", b"a,b\n1,2,3\n", "Line 2 has more cells"),
        ("a.csv", b"a,b\n", "no rows"),
        ("a.csv", b"a\n\xff\n", "not UTF-8"),
        ("a.jsonl", b"{}\n[1]\n", "Line 2 is no object"),
        ("a.jsonl", b"{\n", "Line 1 is no JSON"),
        ("a.pdf", b"", "none of"),
    ],
)
def test_a_table_that_cannot_be_used_is_said_so(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Failed, match=told) as raised:
        tables.read(str(tmp_path / name))
    assert raised.value.code == 2


def test_large_tables_are_cut_into_calls_and_their_answers_joined() -> None:
    rows = [{"text": "x" * (number % 40), "n": str(number)} for number in range(500)]
    parts = tables.parts(rows, most_bytes=1000, most_rows=30)
    assert [row for part in parts for row in part] == rows
    assert all(len(part) <= 30 and len(json.dumps(part).encode()) <= 1002 for part in parts)
    with pytest.raises(Failed, match="Row 2"):
        tables.parts([{"a": ""}, {"a": "x" * 100}], most_bytes=100)
    files = []
    for part in parts:
        text = io.StringIO()
        csv.writer(text).writerows([["text", 'odd\n"name"'], *([row["text"], row["n"]] for row in part)])
        files.append(b"\xef\xbb\xbf" + text.getvalue().encode())
    joined = list(csv.reader(io.StringIO(tables.joined(files, ".csv").decode("utf-8-sig"))))
    assert joined == [["text", 'odd\n"name"'], *([row["text"], row["n"]] for row in rows)]
    assert tables.joined([b"1\n", b"2\n"], ".jsonl") == b"1\n2\n"


def test_times_are_read_at_a_glance() -> None:
    assert [clock(seconds) for seconds in (0, 9, 309, 3909)] == ["0:00", "0:09", "5:09", "1:05:09"]
