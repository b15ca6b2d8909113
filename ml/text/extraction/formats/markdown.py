"""Markdown by markdown-it: headings, paragraphs, list items, table rows and code; raw HTML is passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ml.text.chunks import Block, BlockKind
from ml.text.extraction.detection import decoded
from ml.text.extraction.types import Extracted

_parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table")


def read(path: Path) -> Extracted:
    blocks = blocks_of(decoded(path.read_bytes()))
    title = next((block.text for block in blocks if block.kind == BlockKind.HEADING), "")
    return Extracted(blocks, title)


def blocks_of(text: str) -> tuple[Block, ...]:
    """The blocks of a text that is at hand already."""
    return tuple(_blocks(_parser.parse(text)))


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    level, row = 0, list[str]()
    in_row = False
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "tr_open":
            in_row, row = True, []
        elif token.type == "tr_close":
            in_row = False
            yield Block(BlockKind.TEXT, " | ".join(filter(None, row)))
        elif token.type in {"fence", "code_block"}:
            yield Block(BlockKind.TEXT, token.content.strip("\n"))
        elif token.type == "inline" and in_row:
            row.append(_plain(token))
        elif token.type == "inline" and level:
            yield Block(BlockKind.HEADING, _plain(token), level)
        elif token.type == "inline":
            yield Block(BlockKind.TEXT, _plain(token))


def _plain(token: Token) -> str:
    """What a reader sees of a line: words without marks, pictures by their description."""
    parts = []
    for child in token.children or []:
        if child.type in {"softbreak", "hardbreak"}:
            parts.append("\n" if child.type == "hardbreak" else " ")
        else:
            parts.append(child.content)
    return "".join(parts).strip()
