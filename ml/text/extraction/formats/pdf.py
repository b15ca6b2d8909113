"""PDF by PDFium: the text of each page, in paragraphs. What has no text, such as a scan, is refused as such."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ml.text.chunks import Block, BlockKind
from ml.text.extraction.types import MOST_CHARACTERS, MOST_PAGES, Extracted, Refusal, Refused

# A line that ends without an end of sentence goes on in the next; PDFium has already joined hyphenated words.
_PARAGRAPH = re.compile(r"(?<=[.!?:;。！？：；])\s*\n|\n\s*\n")
_HYPHEN = re.compile("\ufffe|\u00ad|\x02")


def read(path: Path) -> Extracted:
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        locked = raw.FPDF_GetLastError() == raw.FPDF_ERR_PASSWORD or "password" in str(error).lower()
        raise Refused(Refusal.ENCRYPTED if locked else Refusal.DAMAGED) from error
    count = len(document)
    if count > MOST_PAGES:
        raise Refused(Refusal.TOO_MANY_PAGES)
    blocks: list[Block] = []
    size = 0
    for number in range(count):
        text = _page(document, number)
        size += len(text)
        if size > MOST_CHARACTERS:
            raise Refused(Refusal.TOO_MUCH_TEXT)
        for paragraph in _PARAGRAPH.split(text):
            if paragraph.strip():
                blocks.append(Block(BlockKind.TEXT, " ".join(paragraph.split()), page=number + 1))
    return Extracted(tuple(blocks), _title(document), count)


def _page(document: pdfium.PdfDocument, number: int) -> str:
    try:
        page = document[number]
        text: str = page.get_textpage().get_text_bounded()
    except pdfium.PdfiumError as error:
        raise Refused(Refusal.DAMAGED) from error
    page.close()
    return _HYPHEN.sub("", text).replace("\r\n", "\n").replace("\0", "")


def _title(document: pdfium.PdfDocument) -> str:
    try:
        return " ".join(str(document.get_metadata_value("Title")).split())
    except pdfium.PdfiumError:
        return ""
