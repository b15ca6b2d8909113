"""Plain text: paragraphs between blank lines; a form feed begins a page."""

from __future__ import annotations

import re
from pathlib import Path

from ml.text.chunks import Block, BlockKind
from ml.text.extraction.detection import decoded
from ml.text.extraction.types import Extracted

_BLANK_LINES = re.compile(r"\n[ \t]*\n")


def read(path: Path) -> Extracted:
    text = decoded(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    pages = text.split("\f")
    paged = len(pages) > 1
    blocks = tuple(
        Block(BlockKind.TEXT, paragraph.strip(), page=number if paged else None)
        for number, page in enumerate(pages, 1)
        for paragraph in _BLANK_LINES.split(page)
        if paragraph.strip()
    )
    return Extracted(blocks, pages=len(pages) if paged else None)
