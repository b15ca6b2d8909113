"""A document as a PDF with its own font in it, so that Chinese is there whoever opens it.

The font is Noto Sans SC (SIL Open Font License 1.1), of which a file holds only the characters that it uses. It has one
weight: bold is drawn with an outline, italic slanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fpdf import FPDF
from fpdf.enums import TextMode
from pylopdf_fonts_zh_cn import sans_path

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

FONT, SIZE, SMALL = "NotoSansSC", 10.5, 9.0
HEADINGS = {0: 22.0, 1: 18.0, 2: 15.0, 3: 12.5, 4: 11.5, 5: 10.5, 6: 10.5}
LEADING, MARGIN, INDENT, CELL = 1.55, 20.0, 7.0, 1.6  # of the size; then millimetres
POINT = 25.4 / 72
BLACK, LINK, FAINT, SHADE = (16, 32, 31), (8, 98, 106), (90, 108, 106), (238, 243, 242)
# A word, spaces, or one ideograph or mark, which a line may break behind.
_PIECES = re.compile(r"[^\s\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]+|[^\S\n]+|.", re.DOTALL)
# What begins no line of Chinese, and what ends none (GB/T 15834).
NEVER_FIRST, NEVER_LAST = "，。、；：？！）】》」』”’…—％,.;:?!)]}", "（【《「『“‘([{"


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    width: float
    look: Span


def pdf(title: str, markdown: str, language: str) -> bytes:
    writer = _Writer(title, language)
    writer.heading(0, (Span(title),))
    writer.blocks(blocks_of(markdown), 0)
    return bytes(writer.file.output())


class _File(FPDF):
    def footer(self) -> None:
        self.set_y(-12)
        self.set_font(FONT, size=8)
        self.set_text_color(*FAINT)
        self.cell(0, 5, str(self.page_no()), align="C")


class _Writer:
    def __init__(self, title: str, language: str) -> None:
        self.file = _File()
        self.file.set_title(title)
        self.file.set_lang(language)
        self.file.set_creator("Millrace")
        self.file.set_auto_page_break(False)
        self.file.set_margins(MARGIN, MARGIN, MARGIN)
        self.file.c_margin = 0
        self.file.add_font(FONT, fname=str(sans_path()))
        self.file.add_page()
        self.widths: dict[str, float] = {}
        self.bottom = self.file.h - MARGIN

    # ------------------------------------------------------------ blocks
    def blocks(self, blocks: Sequence[Block], level: int, color: tuple[int, int, int] = BLACK) -> None:
        for block in blocks:
            self._block(block, level, color)

    def _block(self, block: Block, level: int, color: tuple[int, int, int]) -> None:
        left = MARGIN + level * INDENT
        match block:
            case Heading(depth, spans):
                self.heading(depth, spans)
            case Paragraph(spans):
                self._text(spans, left, SIZE, color)
                self._space(2.2)
            case Code(text):
                self._code(text, left)
            case Rule():
                self._space(2)
                self.file.set_draw_color(*FAINT)
                self.file.line(left, self.file.get_y(), self.file.w - MARGIN, self.file.get_y())
                self._space(4)
            case Quote(inner):
                self._quote(inner, level)
            case Listing():
                self._listing(block, level, color)
            case Table():
                self._table(block, left)

    def heading(self, depth: int, spans: tuple[Span, ...]) -> None:
        size = HEADINGS[depth]
        self._space(1 + size / 6 if self.file.get_y() > MARGIN else 0)
        # Never alone at the foot of a page.
        self._room(size * POINT * LEADING + 2 * SIZE * POINT * LEADING)
        if depth <= 4:
            self.file.start_section(words_of(spans)[:200] or "–", level=min(depth, 1), strict=False)
        self._text(_bold(spans), MARGIN, size, BLACK)
        self._space(2)

    def _quote(self, blocks: Sequence[Block], level: int) -> None:
        page, top = self.file.page_no(), self.file.get_y()
        self.blocks(blocks, level + 1, FAINT)
        self.file.set_draw_color(*FAINT)
        left = MARGIN + level * INDENT + 2
        if self.file.page_no() == page:
            self.file.line(left, top, left, self.file.get_y() - 2)

    def _listing(self, listing: Listing, level: int, color: tuple[int, int, int]) -> None:
        for number, item in enumerate(listing.items, listing.start or 0):
            self._room(SIZE * POINT * LEADING)
            mark = "•" if listing.start is None else f"{number}."
            y = self.file.get_y()
            self._put(Piece(mark, self._width(mark, SIZE), Span("")), MARGIN + level * INDENT + 1, y, SIZE, color)
            if item.blocks:
                self.blocks(item.blocks, level + 1, color)
            else:
                self._space(SIZE * POINT * LEADING)

    def _code(self, text: str, left: float) -> None:
        height = SMALL * POINT * 1.4
        for line in text.split("\n"):
            pieces = [Piece(mark, self._width(mark, SMALL), Span("")) for mark in line.expandtabs(4)]
            for row in list(_rows(pieces, self.file.w - MARGIN - left - 4, indented=True)) or [[]]:
                self._room(height)
                y = self.file.get_y()
                self.file.set_fill_color(*SHADE)
                self.file.rect(left, y, self.file.w - MARGIN - left, height, style="F")
                self._row(row, left + 2, y, SMALL, BLACK)
                self.file.set_y(y + height)
        self._space(3)

    # ------------------------------------------------------------ tables
    def _table(self, table: Table, left: float) -> None:
        widths = self._columns(table, self.file.w - MARGIN - left)
        for number, row in enumerate(table.rows):
            spans = [
                tuple(Span(s.text, True, s.italic, s.code, s.href) for s in cell) if not number else cell
                for cell in row
            ]
            cells = [
                list(_rows(self._pieces(cell, SMALL), widths[place] - 2 * CELL)) for place, cell in enumerate(spans)
            ]
            self._table_row(cells, widths, left, table.right)
        self._space(3)

    def _columns(self, table: Table, room: float) -> list[float]:
        """As wide as what they hold, and together as wide as there is room."""
        count = len(table.rows[0])
        wanted = [
            min(90.0, max(6.0, *(self._width(words_of(row[place]), SMALL) for row in table.rows))) + 2 * CELL
            for place in range(count)
        ]
        total = sum(wanted)
        return wanted if total <= room else [width * room / total for width in wanted]

    def _table_row(
        self, cells: list[list[list[Piece]]], widths: list[float], left: float, right: frozenset[int]
    ) -> None:
        """A row that is higher than what is left goes on where the next page begins."""
        height = SMALL * POINT * 1.4
        lines, done = max(1, *(len(rows) for rows in cells)), 0
        self._room(height + 2 * CELL)
        while done < lines:
            fits = int((self.bottom - self.file.get_y() - 2 * CELL) / height)
            count = min(lines - done, max(1, fits))
            if count < lines - done and done == 0 and lines * height < self.bottom / 2:
                self.file.add_page()
                continue
            y, x = self.file.get_y(), left
            for place, rows in enumerate(cells):
                self.file.set_draw_color(*FAINT)
                self.file.rect(x, y, widths[place], count * height + 2 * CELL)
                for step, row in enumerate(rows[done : done + count]):
                    start = x + CELL
                    if place in right:
                        start = x + widths[place] - CELL - sum(piece.width for piece in row)
                    self._row(row, start, y + CELL + step * height, SMALL, BLACK)
                x += widths[place]
            self.file.set_y(y + count * height + 2 * CELL)
            done += count
            if done < lines:
                self.file.add_page()

    # ------------------------------------------------------------ lines
    def _text(self, spans: tuple[Span, ...], left: float, size: float, color: tuple[int, int, int]) -> None:
        height = size * POINT * LEADING
        for row in _rows(self._pieces(spans, size), self.file.w - MARGIN - left):
            self._room(height)
            y = self.file.get_y()
            self._row(row, left, y, size, color)
            self.file.set_y(y + height)

    def _pieces(self, spans: tuple[Span, ...], size: float) -> list[Piece]:
        return [
            Piece(text, 0.0 if text == "\n" else self._width(text, size), span)
            for span in spans
            for text in _PIECES.findall(span.text)
        ]

    def _row(self, row: list[Piece], x: float, y: float, size: float, color: tuple[int, int, int]) -> None:
        """One line; pieces of one look are written together, so that they are found as the words that they are."""
        place = 0
        while place < len(row):
            end = place
            while end < len(row) and row[end].look == row[place].look:
                end += 1
            text = "".join(piece.text for piece in row[place:end])
            width = sum(piece.width for piece in row[place:end])
            self._put(Piece(text, width, row[place].look), x, y, size, color)
            x += width
            place = end

    def _put(self, piece: Piece, x: float, y: float, size: float, color: tuple[int, int, int]) -> None:
        look, height = piece.look, size * POINT * LEADING
        self.file.set_font(FONT, size=size)
        self.file.set_text_color(*(LINK if look.href else color))
        self.file.set_draw_color(*(LINK if look.href else color))
        self.file.set_xy(x, y)
        mode = TextMode.FILL_STROKE if look.bold else TextMode.FILL
        with self.file.local_context(text_mode=mode, line_width=size * 0.006):
            if look.code:
                self.file.set_fill_color(*SHADE)
                self.file.rect(x, y + height * 0.12, piece.width, height * 0.76, style="F")
            if look.italic:
                with self.file.skew(ax=10, ay=0, x=x, y=y + height / 2):
                    self.file.cell(piece.width, height, piece.text)
            else:
                self.file.cell(piece.width, height, piece.text)
        if look.href:
            self.file.link(x, y, piece.width, height, look.href)
            self.file.line(x, y + height * 0.82, x + piece.width, y + height * 0.82)

    def _width(self, text: str, size: float) -> float:
        """Millimetres; kept for one size, as widths grow with it."""
        if text not in self.widths:
            self.file.set_font(FONT, size=100)
            self.widths[text] = self.file.get_string_width(text)
        return self.widths[text] * size / 100

    def _space(self, millimetres: float) -> None:
        self.file.set_y(min(self.bottom, self.file.get_y() + millimetres))

    def _room(self, height: float) -> None:
        if self.file.get_y() + height > self.bottom:
            self.file.add_page()


def _bold(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(replace(span, bold=True) for span in spans)


def _rows(pieces: Sequence[Piece], room: float, *, indented: bool = False) -> Iterator[list[Piece]]:
    """Lines that fit; a word that is wider than a line is broken, and marks stay with what they belong to.

    Lines begin with no space, unless they are `indented`.
    """
    row: list[Piece] = []
    width = 0.0
    for piece in _broken(pieces, room):
        if piece.text == "\n":
            yield row
            row, width = [], 0.0
            continue
        if row and width + piece.width > room and (indented or not piece.text.isspace()):
            kept: list[Piece] = []
            while len(row) > 1 and ((not kept and piece.text[0] in NEVER_FIRST) or row[-1].text[-1] in NEVER_LAST):
                kept.insert(0, row.pop())
            yield row
            row, width = kept, sum(each.width for each in kept)
        if row or indented or not piece.text.isspace():
            row.append(piece)
            width += piece.width
    if row:
        yield row


def _broken(pieces: Sequence[Piece], room: float) -> Iterator[Piece]:
    for piece in pieces:
        if piece.width <= room or len(piece.text) == 1:
            yield piece
            continue
        each = piece.width / len(piece.text)
        for mark in piece.text:
            yield Piece(mark, each, piece.look)
