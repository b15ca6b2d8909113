"""A document as text without marks: what somebody would type into a mail."""

from __future__ import annotations

from collections.abc import Iterator

from apps.studio.exports.blocks import (
    Block,
    Code,
    Heading,
    Listing,
    Paragraph,
    Quote,
    Rule,
    Span,
    Table,
    blocks_of,
    words_of,
)


def plain(title: str, markdown: str) -> bytes:
    lines = [title, "=" * min(60, _width(title)), ""]
    return ("\n".join([*lines, *_lines(blocks_of(markdown))]).rstrip() + "\n").encode()


def _lines(blocks: tuple[Block, ...]) -> Iterator[str]:
    for block in blocks:
        yield from _one(block)
        yield ""


def _one(block: Block) -> Iterator[str]:
    match block:
        case Heading(level, spans):
            yield _words(spans)
            if level <= 2:
                yield ("=" if level == 1 else "-") * min(60, _width(words_of(spans)))
        case Paragraph(spans):
            yield from _words(spans).split("\n")
        case Code(text):
            yield from (f"    {line}" for line in text.split("\n"))
        case Rule():
            yield "-" * 40
        case Quote(inner):
            yield from (f"> {line}".rstrip() for line in _trimmed(inner))
        case Listing(start, items):
            for number, item in enumerate(items, start if start is not None else 0):
                mark = "- " if start is None else f"{number}. "
                for place, line in enumerate(_trimmed(item.blocks, tight=True)):
                    yield (mark if not place else " " * len(mark) * bool(line)) + line
        case Table():
            yield from _table(block)


def _trimmed(blocks: tuple[Block, ...], *, tight: bool = False) -> list[str]:
    found = [line for line in _lines(blocks) if line or not tight]
    while found and not found[-1]:
        found.pop()
    return found


def _words(spans: tuple[Span, ...]) -> str:
    """The words, each link with its address behind it."""
    found = ""
    for place, span in enumerate(spans):
        found += span.text
        following = spans[place + 1].href if place + 1 < len(spans) else ""
        if span.href and following != span.href and span.href not in (found, f"mailto:{span.text}"):
            found += f" ({span.href})"
    return found


def _table(table: Table) -> Iterator[str]:
    rows = [[_words(cell).replace("\n", " ") for cell in row] for row in table.rows]
    widths = [max(_width(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        yield "  ".join(_padded(cell, widths[place], place in table.right) for place, cell in enumerate(row)).rstrip()
        if not number:
            yield "  ".join("-" * width for width in widths)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Columns in a fixed-width font: ideographs take two."""
    return sum(2 if "\u1100" <= mark <= "\u115f" or "\u2e80" <= mark <= "\uffe6" else 1 for mark in text)
