"""XLSX files, written as they are sent: one sheet of texts, in which nothing is ever a formula."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import Final
from xml.sax.saxutils import escape

# What a spreadsheet takes in one cell, and what XML takes at all.
MOST_CHARS = 32_767
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMES: Final = "http://schemas.openxmlformats.org"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_NAMES}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_NAMES}/package/2006/relationships"><Relationship Id="rId1"'
    f' Type="{_NAMES}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_NAMES}/spreadsheetml/2006/main"'
    f' xmlns:r="{_NAMES}/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/>'
    "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_NAMES}/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_NAMES}/officeDocument/2006/relationships/worksheet"'
    ' Target="worksheets/sheet1.xml"/></Relationships>',
}


class _Sink(io.RawIOBase):
    """Takes what the archive writes, and gives it away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


class Workbook:
    """`rows` adds rows and returns the bytes that are ready by then; `close` returns the last."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)
        for name, text in _PARTS.items():
            self._archive.writestr(name, _HEAD + text)
        self._sheet = self._archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True)
        self._sheet.write(f'{_HEAD}<worksheet xmlns="{_NAMES}/spreadsheetml/2006/main"><sheetData>'.encode())

    def rows(self, rows: Iterable[Sequence[str]]) -> bytes:
        for row in rows:
            self._sheet.write(f"<row>{''.join(map(_cell, row))}</row>".encode("utf-8", "replace"))
        return self._sink.take()

    def close(self) -> bytes:
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._archive.close()
        return self._sink.take()


def _cell(text: str) -> str:
    """An inline string: whatever it begins with, no spreadsheet computes it."""
    clean = _NOT_XML.sub("", text)
    clean = clean if len(clean) <= MOST_CHARS else f"{clean[: MOST_CHARS - 1]}…"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(clean)}</t></is></c>' if clean else "<c/>"
