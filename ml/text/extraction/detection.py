"""What a file is by its first bytes, and whether that is what its name says."""

from __future__ import annotations

import re
from pathlib import PurePath

from ml.text.extraction.types import Kind, Refusal, Refused

SUFFIXES = {
    ".txt": Kind.TEXT,
    ".text": Kind.TEXT,
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".html": Kind.HTML,
    ".htm": Kind.HTML,
    ".docx": Kind.DOCX,
    ".pdf": Kind.PDF,
}
HEAD_BYTES = 4096
_PDF, _ZIP = b"%PDF-", b"PK\x03\x04"
# Beginnings of what is never a text: images, programs, archives, old Office files.
_BINARY = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"MZ", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!",
    b"\xd0\xcf\x11\xe0", b"RIFF", b"OggS", b"ID3", b"SQLite format 3", b"{\\rtf", b"\xca\xfe\xba\xbe",
)  # fmt: skip
_HTML = re.compile(rb"^\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)


def kind_by_name(name: str) -> Kind:
    """The kind that a file's name says it is; Refused for one that is not taken."""
    kind = SUFFIXES.get(PurePath(name).suffix.lower())
    if kind is None:
        raise Refused(Refusal.UNKNOWN_TYPE)
    return kind


def check(kind: Kind, head: bytes) -> None:
    """Raises Refused when the first bytes are not those of the kind."""
    if not head.strip():
        raise Refused(Refusal.EMPTY)
    found = head.lstrip(b"\xef\xbb\xbf")
    # Readers find a PDF's mark anywhere in the first KiB.
    if kind is Kind.PDF:
        right = _PDF in head[:1024]
    elif kind is Kind.DOCX:
        right = head.startswith(_ZIP)
    else:
        wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
        binary = head.startswith((_ZIP, _PDF, *_BINARY)) or (b"\0" in head and not wide)
        right = not binary and not (kind is Kind.TEXT and _HTML.match(found))
    if not right:
        raise Refused(Refusal.WRONG_TYPE)


def decoded(content: bytes) -> str:
    """A text's characters: UTF-8, UTF-16 with its mark, GB 18030 for Chinese, or Windows' Western code page."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _strictly(content, "utf-16")
    try:
        return content.decode("utf-8-sig").replace("\0", "")
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        return _strictly(content, "cp1252")
    # Western letters with accents often read as rare Chinese characters: what is Chinese has mostly usual ones.
    beyond = [character for character in text if not character.isascii()]
    usual = sum("\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef" for character in beyond)
    common = sum(character in "的一是不了在人有我他这中大来上国和为用到，。" for character in beyond)
    if usual > len(beyond) * 0.9 and (common > len(beyond) * 0.02 or len(beyond) > 40):
        return text
    return _strictly(content, "cp1252")


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding).replace("\0", "")
    except UnicodeDecodeError:
        raise Refused(Refusal.ENCODING) from None
