"""DOCX by zipfile and lxml: headings by style or outline level, paragraphs, lists and table rows.

ECMA-376, part 1. Only the document, its styles and its properties are ever unpacked, and no further than a bound that
does not believe what the archive says of itself.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from lxml import etree

from ml.text.chunks import Block, BlockKind
from ml.text.extraction.types import Extracted, Refusal, Refused

MOST_MEMBERS = 2_000
MOST_BYTES = 200 * 1_048_576
MOST_PART_BYTES = 40 * 1_048_576
# Office documents shrink to a tenth; what shrinks to a five-hundredth was made to.
HIGHEST_RATIO = 500
RATIO_FROM_BYTES = 1_048_576
_NESTED = (".zip", ".7z", ".rar", ".gz", ".tar", ".bz2", ".xz", ".jar", ".docx", ".xlsx", ".pptx", ".docm", ".xlsm")
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"


def read(path: Path) -> Extracted:
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive)
            document = _tree(archive, "word/document.xml")
            styles = _heading_styles(_tree(archive, "word/styles.xml", needed=False))
            core = _tree(archive, "docProps/core.xml", needed=False)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zipfile.LargeZipFile, OSError) as error:
        raise Refused(Refusal.DAMAGED) from error
    except RuntimeError as error:
        raise Refused(Refusal.ENCRYPTED) from error
    blocks = tuple(_blocks(document, styles))
    named = core.findtext(f".//{_TITLE}") if core is not None else None
    title = (named or "").strip() or next((each.text for each in blocks if each.kind == BlockKind.HEADING), "")
    return Extracted(blocks, title)


def _check(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_BYTES:
        raise Refused(Refusal.ARCHIVE_TOO_LARGE)
    for member in members:
        name = member.filename
        if "\\" in name or ":" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise Refused(Refusal.UNSAFE_PATH)
        if member.flag_bits & 1:
            raise Refused(Refusal.ENCRYPTED)
        if member.file_size > RATIO_FROM_BYTES and member.file_size > HIGHEST_RATIO * max(1, member.compress_size):
            raise Refused(Refusal.ARCHIVE_TOO_LARGE)
        if name.lower().endswith(_NESTED) or _begins_as_archive(archive, member):
            raise Refused(Refusal.NESTED_ARCHIVE)
    if "word/document.xml" not in {member.filename for member in members}:
        raise Refused(Refusal.WRONG_TYPE)


def _begins_as_archive(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    if member.is_dir() or member.file_size < 4:
        return False
    with archive.open(member) as file:
        return file.read(4).startswith((b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!"))


def _tree(archive: zipfile.ZipFile, name: str, needed: bool = True) -> Any:
    try:
        with archive.open(name) as file:
            content = file.read(MOST_PART_BYTES + 1)
    except KeyError:
        if needed:
            raise Refused(Refusal.WRONG_TYPE) from None
        return None
    if len(content) > MOST_PART_BYTES:
        raise Refused(Refusal.ARCHIVE_TOO_LARGE)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Refused(Refusal.DAMAGED) from error
    # Office never writes a document type; entities are declared in one.
    if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
        raise Refused(Refusal.XML_ENTITIES)
    return root


def _heading_styles(styles: Any) -> dict[str, int]:
    """Style ids of headings and their levels; ids are translated with Office's language, names and levels are not."""
    found: dict[str, int] = {}
    for style in styles.iterfind(f"{_W}style") if styles is not None else ():
        name = style.find(f"{_W}name")
        words = (name.get(f"{_W}val") or "").lower().split() if name is not None else []
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        level = _number(outline.get(f"{_W}val")) if outline is not None else None
        if len(words) == 2 and words[0] == "heading" and words[1].isdigit():
            found[style.get(f"{_W}styleId")] = int(words[1])
        elif words == ["title"]:
            found[style.get(f"{_W}styleId")] = 1
        elif level is not None and level < 9:
            found[style.get(f"{_W}styleId")] = level + 1
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and len(text) < 3 else None


def _blocks(document: Any, styles: dict[str, int]) -> Iterator[Block]:
    body = document.find(f"{_W}body")
    if body is None:
        raise Refused(Refusal.DAMAGED)
    for node in body:
        if node.tag == f"{_W}p":
            yield from _paragraph(node, styles)
        elif node.tag == f"{_W}tbl":
            for row in node.iter(f"{_W}tr"):
                cells = [" ".join(_text(cell).split()) for cell in row.iterfind(f"{_W}tc")]
                yield Block(BlockKind.TEXT, " | ".join(filter(None, cells)))
        elif node.tag == f"{_W}sdt":
            for paragraph in node.iter(f"{_W}p"):
                yield from _paragraph(paragraph, styles)


def _paragraph(node: Any, styles: dict[str, int]) -> Iterator[Block]:
    text = _text(node).strip()
    if not text:
        return
    style = node.find(f"{_W}pPr/{_W}pStyle")
    outline = node.find(f"{_W}pPr/{_W}outlineLvl")
    level = styles.get(style.get(f"{_W}val"), 0) if style is not None else 0
    own = _number(outline.get(f"{_W}val")) if outline is not None else None
    level = own + 1 if own is not None and own < 9 else level
    yield Block(BlockKind.HEADING if level else BlockKind.TEXT, text, level)


def _text(node: Any) -> str:
    """The words of all runs; what tracked changes have deleted is in other elements."""
    parts: list[str] = []
    for each in node.iter(f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}cr"):
        parts.append(each.text or "" if each.tag == f"{_W}t" else "\t" if each.tag == f"{_W}tab" else "\n")
    return "".join(parts)
