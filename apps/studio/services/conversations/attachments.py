"""Files that are sent with a message: read as text, bounded, and refused with a word that helps."""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePath

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.errors import InvalidRequest, PayloadTooLarge, Unprocessable
from ml.text.chunks import BlockKind
from ml.text.extraction import Bounds, Kind, Refusal, Refused, extract
from ml.text.extraction.detection import HEAD_BYTES, check

MOST_FILES = 5
MOST_BYTES = 2_000_000
# Of one file; more than any context holds, and little enough to be shown.
MOST_CHARS = 200_000
LONGEST_NAME = 150
TEXTS = {".txt": "text/plain", ".md": "text/markdown", ".markdown": "text/markdown", ".csv": "text/csv"}
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
DOCUMENTS = {
    ".html": (Kind.HTML, "text/html"),
    ".htm": (Kind.HTML, "text/html"),
    ".docx": (Kind.DOCX, WORD),
    ".pdf": (Kind.PDF, "application/pdf"),
}
REASONS: dict[Refusal, Promise] = {
    Refusal.EMPTY: _("empty"),
    Refusal.UNKNOWN_TYPE: _("unknown type"),
    Refusal.WRONG_TYPE: _("wrong type"),
    Refusal.ENCODING: _("unknown encoding"),
    Refusal.ENCRYPTED: _("protected by a password"),
    Refusal.DAMAGED: _("damaged"),
    Refusal.UNSAFE_PATH: _("an archive with unsafe paths"),
    Refusal.NESTED_ARCHIVE: _("other archives in it"),
    Refusal.ARCHIVE_TOO_LARGE: _("too large once unpacked"),
    Refusal.XML_ENTITIES: _("XML entities in it"),
    Refusal.TOO_MANY_PAGES: _("too many pages"),
    Refusal.TOO_MUCH_TEXT: _("too much text"),
    Refusal.NO_TEXT: _("no text in it"),
    Refusal.TOO_SLOW: _("takes too long to read"),
    Refusal.TOO_MUCH_MEMORY: _("takes too much memory to read"),
}
# Somebody waits for it, unlike for what goes into the knowledge base.
BOUNDS = Bounds(cpu_seconds=15, seconds=20.0)
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00")
PICTURE_NAMES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif", ".svg", ".ico"}
# Tabs and line ends are text; other control characters say that a file is something else.
CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f\x1b")


class AttachmentRefused(Unprocessable):
    """A file that cannot be read as text, or that a text model has no use for."""

    code = "attachment_refused"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was sent."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """A file's text as a message carries it."""

    name: str
    media_type: str
    size: int
    text: str

    def quoted(self) -> str:
        """The text between marks that name it, so that a model can tell it from the message."""
        return f"[{self.name}]\n{self.text}\n[/{self.name}]"


def read_all(files: tuple[File, ...]) -> tuple[Reading, ...]:
    """Each file's text; raises AttachmentRefused or PayloadTooLarge naming the file."""
    if len(files) > MOST_FILES:
        raise InvalidRequest(
            "A message has at most %(most)s attachments.", values={"most": MOST_FILES}, param="attachments"
        )
    return tuple(read(file) for file in files)


def read(file: File) -> Reading:
    name = PurePath(file.name.replace("\\", "/")).name.strip()[-LONGEST_NAME:]
    if not name or not name.isprintable():
        raise AttachmentRefused("Give the file a name of visible characters.", param="attachments")
    if len(file.data) > MOST_BYTES:
        raise PayloadTooLarge(
            "%(name)s has more than %(most)s bytes.", values={"name": name, "most": MOST_BYTES}, param="attachments"
        )
    ending = PurePath(name).suffix.lower()
    _refuse_pictures(name, ending, file.data)
    if ending in DOCUMENTS:
        kind, media_type = DOCUMENTS[ending]
        text = _extracted(name, kind, file.data)
    elif ending in TEXTS:
        text, media_type = _decoded(name, file.data), TEXTS[ending]
        if ending == ".csv":
            _check_rows(name, text)
    else:
        raise AttachmentRefused(
            "%(name)s is of a kind that cannot be attached: send .txt, .md, .csv, .html, .docx or .pdf.",
            values={"name": name},
            param="attachments",
        )
    text = text.strip()
    if not text:
        raise AttachmentRefused("%(name)s holds no text.", values={"name": name}, param="attachments")
    if len(text) > MOST_CHARS:
        raise PayloadTooLarge(
            "%(name)s has more than %(most)s characters.",
            values={"name": name, "most": MOST_CHARS},
            param="attachments",
        )
    return Reading(name, media_type, len(file.data), text)


def _refuse_pictures(name: str, ending: str, data: bytes) -> None:
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if ending in PICTURE_NAMES or webp or data.startswith(PICTURES):
        raise AttachmentRefused(
            "%(name)s is a picture, and these models read text only.", values={"name": name}, param="attachments"
        )


def _decoded(name: str, data: bytes) -> str:
    """UTF-8, UTF-16 with its mark, or the Chinese national encoding; nothing is guessed beyond these."""
    encodings = ["utf-16"] if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not CONTROLS.intersection(text):
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise AttachmentRefused("%(name)s is not a text file.", values={"name": name}, param="attachments")


def _check_rows(name: str, text: str) -> None:
    try:
        for _ in csv.reader(io.StringIO(text)):
            pass
    except csv.Error:
        raise AttachmentRefused("%(name)s is not a CSV file.", values={"name": name}, param="attachments") from None


def _extracted(name: str, kind: Kind, data: bytes) -> str:
    """The text of a document, read by a child process that nothing in the file can take along."""
    with tempfile.NamedTemporaryFile(suffix=".attachment") as file:
        file.write(data)
        file.flush()
        try:
            check(kind, data[:HEAD_BYTES])
            found = extract(Path(file.name), kind, BOUNDS)
        except Refused as refusal:
            raise AttachmentRefused(
                "%(name)s cannot be read: %(reason)s.",
                values={"name": name, "reason": REASONS[refusal.reason]},
                param="attachments",
            ) from None
    return "\n\n".join(
        f"{'#' * max(1, block.level)} {block.text}" if block.kind == BlockKind.HEADING else block.text
        for block in found.blocks
    )
