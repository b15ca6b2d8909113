"""Tables as people save them, and files that mean harm."""

import io
import json
import zipfile
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from ml.text.tables import Bounds, Refused, Table, read

BOUNDS = Bounds(rows=50, columns=8, cell_chars=2_000, chars=20_000)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def written(content: bytes | str) -> Path:
        path = tmp_path / "table"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def workbook(*rows: list[Any]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(content: bytes, **parts: bytes) -> bytes:
    """The workbook with some of its parts replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name.rpartition("/")[2].partition(".")[0], old.read(name)))
    return out.getvalue()


def cells(table: Table) -> list[list[str]]:
    return [list(row.values.values()) for row in table.rows]


PLAIN = "name,colour\nTea,green\nKettle,“red”\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_text_in_any_usual_encoding_is_read(file: Any, encoding: str) -> None:
    table = read(file(PLAIN.encode(encoding)), BOUNDS)
    assert table.columns == ("name", "colour")
    assert cells(table) == [["Tea", "green"], ["Kettle", "“red”"]]


def test_chinese_from_a_chinese_spreadsheet_is_read(file: Any) -> None:
    table = read(file("名称,颜色\n茶壶,红色\n绿茶,浅绿,\n".encode("gb18030")), BOUNDS)
    assert (table.encoding, table.columns) == ("gb18030", ("名称", "颜色"))
    assert cells(table) == [["茶壶", "红色"], ["绿茶", "浅绿"]]


def test_quotes_line_breaks_and_blank_rows(file: Any) -> None:
    text = 'a;b\r\n\r\n"1; ""one""";"two\r\nlines"\r\n;;;\r\n3;"4,5"\r\n'
    assert cells(read(file(text), BOUNDS)) == [['1; "one"', "two\r\nlines"], ["3", "4,5"]]


def test_ragged_rows_are_filled_up_or_told(file: Any) -> None:
    table = read(file("a,b,c\n1\n1,2,3,4\n"), BOUNDS)
    assert table.rows[0].values == {"a": "1", "b": "", "c": ""}
    assert table.rows[1].problem == "This row has 4 cells, and there are 3 columns."


def test_columns_get_names_that_are_names(file: Any) -> None:
    assert read(file("a,,a, a \n1,2,3,4\n"), BOUNDS).columns == ("a", "Column 2", "a (2)", "a (3)")


def test_json_lines_may_differ_and_hold_anything(file: Any) -> None:
    lines = ['{"a": "x\\u2028y", "n": 3}', "", "[1]", '{"a": null, "b": {"c": [1]}}', "no"]
    table = read(file("\n".join(lines)), BOUNDS)
    assert table.columns == ("a", "n", "b")
    assert [row.values for row in table.rows[::2]] == [{"a": "x\u2028y", "n": "3"}, {"a": "", "b": '{"c": [1]}'}]
    assert [bool(row.problem) for row in table.rows] == [False, True, False, True]


def test_what_no_database_stores_is_a_problem_of_its_row(file: Any) -> None:
    table = read(file('{"a": "x\\u0000y"}\n{"a": "\\ud800"}\n{"a": "fine"}\n'), BOUNDS)
    assert [row.values["a"] for row in table.rows] == ["xy", "", "fine"]
    assert [bool(row.problem) for row in table.rows] == [True, True, False]


def test_a_workbook_is_read_as_people_see_it(file: Any) -> None:
    content = workbook(
        ["name", "price", "on", "at", "new"],
        [
            "Tea",
            3,
            date(2026, 1, 31),
            datetime(2026, 1, 31, 9, 30),  # noqa: DTZ001 - a cell has no zone
            True,
        ],
        [],
        ["Kettle", 2.5, None, "=not a formula", False],
    )
    book = repacked(content, sheet1=_sheet_without_formulas(content))
    assert cells(read(file(book), BOUNDS)) == [
        ["Tea", "3", "2026-01-31", "2026-01-31 09:30:00", "true"],
        ["Kettle", "2.5", "", "=not a formula", "false"],
    ]


def _sheet_without_formulas(content: bytes) -> bytes:
    """A text that begins like a formula, as a spreadsheet writes it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    place = sheet.index('<c r="D4"')
    end = sheet.index("</c>", place) if "</c>" in sheet[place:] else place
    return (sheet[:place] + '<c r="D4" t="inlineStr"><is><t>=not a formula</t></is>' + sheet[end:]).encode()


HARM = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"a,b\n", "no row"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "not read"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", "binary"),
        (b'a,b\n"1,2\n3,4\n', "not valid CSV"),
        (b"a\n" + b"x" * 3_000 + b"\n", "not valid CSV"),
        (b"a\n" + b"1\n" * 60, "at most 50 rows"),
        (b",".join(b"%d" % n for n in range(20)) + b"\n1\n", "at most 8 columns"),
        (b"a\n" + (b"x" * 1_900 + b"\n") * 40, "at most 20000 characters"),
        (b"\xff\xfea\0,\xd8", "is not"),
        (b"PK\x03\x04 and nothing else", "cannot be read"),
        (workbook(["a"], ["=1+1"]), "formula"),
        (workbook(["a"], ['=HYPERLINK("http://evil.example")']), "formula"),
        (repacked(workbook(["a"], ["b"]), workbook=HARM), "entities"),
        (repacked(workbook(["a"], ["b"]), workbook=HARM.decode().encode("utf-16")), "entities"),
        (repacked(workbook(["a"], ["b"]), sheet1=HARM), "entities"),
        (repacked(workbook(["a"], ["b"]), sheet1=b"<worksheet>" + b" " * 50_000_000), "too much"),
        (repacked(workbook(["a"], ["b"]), sheet1=b"<worksheet><sheetData><row><c"), "cannot be read"),
    ],
    ids=range(18),
)
def test_what_is_no_table_or_means_harm_is_refused_with_a_reason(file: Any, content: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read(file(content), BOUNDS)


def test_a_file_that_takes_too_long_is_given_up(file: Any) -> None:
    content = json.dumps({"a": 1}) + "\n" + "[" * 100
    with pytest.raises(Refused, match="too long"):
        read(file(content), replace(BOUNDS, seconds=0.001))


def test_a_file_that_wants_too_much_memory_is_given_up(file: Any) -> None:
    with pytest.raises(Refused, match="memory"):
        read(file(b"a\n" + b"x\n" * 30_000_000), replace(BOUNDS, memory_bytes=120 * 1_048_576))
