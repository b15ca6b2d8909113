"""A document as a DOCX file with real headings, lists, tables and links, so that Word can work with it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from docx import Document as new_document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Pt, RGBColor
from docx.text.paragraph import Paragraph as TextParagraph

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
)

LATIN, CHINESE, MONOSPACE = "Calibri", "Microsoft YaHei", "Consolas"
INDENT, DEEPEST = 360, 8  # twentieths of a point to a level; Word knows nine levels
BULLETS, NUMBERS = 90, 91
LINK = RGBColor(0x08, 0x62, 0x6A)


def word(title: str, markdown: str) -> bytes:
    file = new_document()
    writer = _Writer(file)
    file.core_properties.title = title[:255]
    file.add_heading(title, 0)
    writer.blocks(blocks_of(markdown), level=0, quoted=False)
    stream = BytesIO()
    file.save(stream)
    return stream.getvalue()


class _Writer:
    def __init__(self, file: Any) -> None:
        self.file = file
        self.numbering = file.part.numbering_part.element
        self._styles()
        # Looked up once: by name each paragraph would search all styles, and each link all links.
        self.ids = {style.name: style.style_id for style in file.styles}
        self.targets: dict[str, str] = {}
        self.end = file.element.body.sectPr
        for id, ordered in ((BULLETS, False), (NUMBERS, True)):
            self._define(id, ordered)
        self.bullets = self._list_of(BULLETS, None)

    def _styles(self) -> None:
        for name in ("Normal", "Title", *(f"Heading {level}" for level in range(1, 7))):
            style = self.file.styles[name]
            style.font.name = LATIN
            fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
            fonts.set(qn("w:eastAsia"), CHINESE)
            for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
                fonts.attrib.pop(qn(theme), None)
        code = self.file.styles.add_style("Code Block", WD_STYLE_TYPE.PARAGRAPH)
        code.base_style = self.file.styles["Normal"]
        code.font.name, code.font.size = MONOSPACE, Pt(9.5)
        shade = f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="EEF3F2"/>'
        code.element.get_or_add_pPr().append(parse_xml(shade))

    def _define(self, id: int, ordered: bool) -> None:
        levels = "".join(
            f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{"decimal" if ordered else "bullet"}"/>'
            f'<w:lvlText w:val="{f"%{level + 1}." if ordered else "•"}"/><w:lvlJc w:val="left"/>'
            f'<w:pPr><w:ind w:left="{INDENT * (level + 2)}" w:hanging="{INDENT}"/></w:pPr></w:lvl>'
            for level in range(DEEPEST + 1)
        )
        abstract = parse_xml(
            f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{id}"><w:multiLevelType w:val="multilevel"/>{levels}'
            "</w:abstractNum>"
        )
        # Definitions stand before the lists that use them.
        self.numbering.insert(0, abstract)

    def _list_of(self, abstract: int, start: int | None, level: int = 0) -> int:
        """A list of its own, so that its numbers begin anew."""
        number = self.numbering.add_num(abstract)
        if start is not None:
            number.add_lvlOverride(ilvl=level).add_startOverride(start)
        return int(number.numId)

    def blocks(self, blocks: tuple[Block, ...], level: int, quoted: bool) -> None:
        for block in blocks:
            self._block(block, level, quoted)

    def _block(self, block: Block, level: int, quoted: bool) -> None:
        match block:
            case Heading(depth, spans):
                self._fill(self._new(f"Heading {min(depth, 6)}"), spans)
            case Paragraph(spans):
                self._fill(self._paragraph(level, quoted), spans)
            case Code(text):
                paragraph = self._new("Code Block", level)
                self._fill(paragraph, _broken(text))
            case Rule():
                border = (
                    f'<w:pBdr {nsdecls("w")}><w:bottom w:val="single" w:sz="6" w:space="1" w:color="999999"/></w:pBdr>'
                )
                self._new()._p.get_or_add_pPr().append(parse_xml(border))
            case Quote(inner):
                self.blocks(inner, level, True)
            case Listing():
                self._listing(block, level, quoted)
            case Table():
                self._table(block)

    def _paragraph(self, level: int, quoted: bool) -> Any:
        return self._new("Quote" if quoted else "", level + quoted)

    def _new(self, style: str = "", indent: int = 0) -> Any:
        """A paragraph at the end of the file."""
        element = OxmlElement("w:p")
        self.end.addprevious(element)
        paragraph = TextParagraph(element, self.file._body)
        if style:
            element.style = self.ids[style]
        if indent:
            paragraph.paragraph_format.left_indent = Pt(indent * INDENT / 20)
        return paragraph

    def _listing(self, listing: Listing, level: int, quoted: bool) -> None:
        deep = min(level, DEEPEST)
        number = self.bullets if listing.start is None else self._list_of(NUMBERS, listing.start, deep)
        for item in listing.items:
            first, *rest = item.blocks or (Paragraph(()),)
            if not isinstance(first, Paragraph):
                first, rest = Paragraph(()), list(item.blocks)
            paragraph = self._new()
            properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
            properties.get_or_add_ilvl().val = deep
            properties.get_or_add_numId().val = number
            paragraph.paragraph_format.space_after = Pt(2)
            self._fill(paragraph, first.spans)
            self.blocks(tuple(rest), level + 1, quoted)

    def _table(self, table: Table) -> None:
        made = self.file.add_table(rows=len(table.rows), cols=len(table.rows[0]), style="Table Grid")
        for number, (row, cells) in enumerate(zip(made.rows, table.rows, strict=True)):
            # `row.cells` counts through the whole row each time.
            for place, (cell, spans) in enumerate(zip(list(row.cells), cells, strict=False)):
                paragraph = cell.paragraphs[0]
                if place in table.right:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
                bold = tuple(Span(s.text, True, s.italic, s.code, s.href) for s in spans)
                self._fill(paragraph, bold if not number else spans)
        if table.rows:
            head = made.rows[0]._tr.get_or_add_trPr()
            head.append(OxmlElement("w:tblHeader"))
        self._new()

    def _fill(self, paragraph: Any, spans: tuple[Span, ...]) -> None:
        for span in spans:
            if span.text == "\n":
                paragraph.add_run().add_break()
                continue
            run = paragraph.add_run(span.text)
            if span.bold:
                run.bold = True
            if span.italic:
                run.italic = True
            if span.code:
                run.font.name = MONOSPACE
            if span.href:
                run.font.color.rgb, run.font.underline = LINK, True
                link = OxmlElement("w:hyperlink")
                link.set(qn("r:id"), self._target(span.href))
                link.append(run._r)
                paragraph._p.append(link)

    def _target(self, href: str) -> str:
        """The name by which the file refers to an address."""
        if href not in self.targets:
            # Straight to the end of the list, which `relate_to` would search first; its own names are far below.
            self.targets[href] = f"rId{9000 + len(self.targets)}"
            rels = self.file.part.rels
            rels.add_relationship(RELATIONSHIP_TYPE.HYPERLINK, href, self.targets[href], is_external=True)
        return self.targets[href]


def _broken(text: str) -> tuple[Span, ...]:
    found: list[Span] = []
    for line in text.split("\n"):
        found += [Span("\n")] if found else []
        found.append(Span(line))
    return tuple(found)
