"""Markdown as blocks, which every format writes in its own way: what the preview shows is what a file holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

# As `apps.core.markdown` reads it: no raw HTML, no pictures, tables.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
# A link that leads anywhere else stays words.
SCHEMES = ("https://", "mailto:")


@dataclass(frozen=True, slots=True)
class Span:
    """Words of one look; a line break is a text of its own, "\\n"."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Code:
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    pass


@dataclass(frozen=True, slots=True)
class Item:
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list; `start` is the first number of an ordered one, None for bullets."""

    start: int | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells by row, the first row is the head; `right` are the columns aligned to the right."""

    rows: tuple[tuple[tuple[Span, ...], ...], ...]
    right: frozenset[int] = field(default_factory=frozenset)


Block = Heading | Paragraph | Code | Rule | Listing | Quote | Table


def blocks_of(markdown: str) -> tuple[Block, ...]:
    return tuple(_blocks(SyntaxTreeNode(_PARSER.parse(markdown)).children))


def words_of(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans)


def _blocks(nodes: list[SyntaxTreeNode]) -> Iterator[Block]:
    for node in nodes:
        match node.type:
            case "heading":
                yield Heading(int(node.tag[1]), _inline(node))
            case "paragraph":
                yield Paragraph(_inline(node))
            case "fence" | "code_block":
                yield Code(node.content.removesuffix("\n"))
            case "hr":
                yield Rule()
            case "bullet_list" | "ordered_list":
                start = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
                yield Listing(start, tuple(Item(tuple(_blocks(item.children))) for item in node.children))
            case "blockquote":
                yield Quote(tuple(_blocks(node.children)))
            case "table":
                yield _table(node)


def _table(node: SyntaxTreeNode) -> Table:
    rows = [row for part in node.children for row in part.children]
    aligned = {
        place
        for row in rows[:1]
        for place, cell in enumerate(row.children)
        if "right" in str(cell.attrs.get("style", ""))
    }
    return Table(tuple(tuple(_inline(cell) for cell in row.children) for row in rows), frozenset(aligned))


def _inline(node: SyntaxTreeNode) -> tuple[Span, ...]:
    return tuple(span for child in node.children for span in _spans(child.children, Span("")))


def _spans(nodes: list[SyntaxTreeNode], look: Span) -> Iterator[Span]:
    for node in nodes:
        match node.type:
            case "text":
                yield _like(look, node.content)
            case "code_inline":
                yield Span(node.content, look.bold, look.italic, True, look.href)
            case "softbreak":
                yield _like(look, " ")
            case "hardbreak":
                yield _like(look, "\n")
            case "strong":
                yield from _spans(node.children, Span("", True, look.italic, look.code, look.href))
            case "em":
                yield from _spans(node.children, Span("", look.bold, True, look.code, look.href))
            case "link":
                href = str(node.attrs.get("href", ""))
                allowed = href if href.startswith(SCHEMES) else ""
                yield from _spans(node.children, Span("", look.bold, look.italic, look.code, allowed or look.href))
            case _ if node.children:
                yield from _spans(node.children, look)
            case _:
                yield _like(look, node.content)


def _like(look: Span, text: str) -> Span:
    return Span(text, look.bold, look.italic, look.code, look.href)
