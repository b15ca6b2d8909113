"""Whether a file is what its name says: strangers send them, and people of the desk open them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
# By how a file begins, at which place.
_BEGINNINGS: dict[str, tuple[int, tuple[bytes, ...]]] = {
    ".png": (0, (b"\x89PNG\r\n\x1a\n",)),
    ".jpg": (0, (b"\xff\xd8\xff",)),
    ".jpeg": (0, (b"\xff\xd8\xff",)),
    ".gif": (0, (b"GIF87a", b"GIF89a")),
    ".webp": (8, (b"WEBP",)),
    ".heic": (4, (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")),
    ".zip": (0, _ZIP),
    ".docx": (0, _ZIP),
    ".xlsx": (0, _ZIP),
    ".pptx": (0, _ZIP),
    ".odt": (0, _ZIP),
    ".ods": (0, _ZIP),
    ".mp3": (0, (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    ".m4a": (4, (b"ftyp",)),
    ".mp4": (4, (b"ftyp",)),
}
# What must stand somewhere in an archive that says it is a document; macros are programs.
_WITHIN = {".docx": b"word/", ".xlsx": b"xl/", ".pptx": b"ppt/", ".odt": b"mimetype", ".ods": b"mimetype"}
_MACROS = b"vbaProject.bin"
_TEXTS = frozenset({".txt", ".md", ".csv", ".log"})
_MARKUP = re.compile(rb"<\s*(!doctype\s+html|html|script|svg|iframe|body|head)\b", re.I)
# As readers of PDF find it, within the first kilobyte; what it may do by itself when it is opened stands in clear, or
# is packed where nobody here looks.
_PDF_HEAD, _PDF_WITHIN = b"%PDF-", 1_024
_PDF_ACTS = re.compile(rb"/(JavaScript|Launch|EmbeddedFiles?)\b")
# So short that it comes up by chance in what is packed: one megabyte in twenty-five has it somewhere.
_PDF_SHORT = re.compile(rb"/JS\b")
_STREAM, _STREAM_ENDS = re.compile(rb"(?<!end)stream(?=[\r\n])"), b"endstream"
_LOOKED_AT = 65_536


def is_what_it_says(ending: str, data: bytes) -> bool:
    """Whether the bytes fit the ending, in small letters; False for an ending that is not known."""
    if ending in _TEXTS:
        return _is_text(data)
    if ending == ".pdf":
        return _PDF_HEAD in data[:_PDF_WITHIN] and not _acts(data)
    if ending not in _BEGINNINGS:
        return False
    place, beginnings = _BEGINNINGS[ending]
    begins: Callable[[bytes], bool] = data[place : place + 16].startswith
    if not any(map(begins, beginnings)):
        return False
    if ending == ".webp" and not data.startswith(b"RIFF"):
        return False
    return ending not in _WITHIN or (_WITHIN[ending] in data and _MACROS not in data)


def _acts(data: bytes) -> bool:
    """Whether a PDF may do something by itself. Names that are long are none by chance, wherever they stand."""
    return _PDF_ACTS.search(data) is not None or any(map(_PDF_SHORT.search, _outside_streams(data)))


def _outside_streams(data: bytes) -> Iterator[bytes]:
    """What is left without streams; one without an end hides nothing."""
    place = 0
    while begins := _STREAM.search(data, place):
        ends = data.find(_STREAM_ENDS, begins.end())
        if ends < 0:
            break
        yield data[place : begins.end()]
        place = ends
    yield data[place:]


def _is_text(data: bytes) -> bool:
    """Without NUL, and nothing that a browser would take for a page. Any encoding that has ASCII in it may be meant."""
    return b"\0" not in data and _MARKUP.search(data[:_LOOKED_AT]) is None
