"""Files of sources, in the folder of the organization whose they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_noop

from apps.core.errors import PayloadTooLarge
from apps.core.ids import uuid7
from apps.core.media import folder_of, link_to
from apps.knowledge.errors import FileRefused
from ml.text.extraction import Kind, Refused
from ml.text.extraction.detection import HEAD_BYTES, check, kind_by_name

LONGEST_NAME = 150
# So long may somebody who was given a link go on using it.
LINK_SECONDS = 900
FOLDER = "knowledge"
REFUSED = {
    "empty": gettext_noop("The file is empty."),
    "unknown_type": gettext_noop("Files of this type are not read: send TXT, MD, HTML, DOCX or PDF."),
    "wrong_type": gettext_noop("The content is not what the file's name says it is."),
}


class Upload(Protocol):
    """What a form gives for a file."""

    @property
    def name(self) -> str | None: ...

    def chunks(self) -> Iterable[bytes]: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in an organization's folder; `path` is relative to it."""

    name: str
    kind: Kind
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are treated like an upload: a pasted text, or a page that was fetched."""

    name: str | None
    content: bytes

    def chunks(self) -> Iterable[bytes]:
        yield self.content


def store(organization_id: UUID, upload: Upload) -> Stored:
    """Writes an upload under a name that nobody chose; FileRefused and PayloadTooLarge leave nothing behind."""
    name = PurePath((upload.name or "").replace("\\", "/")).name.strip()[-LONGEST_NAME:]
    if not name or not name.isprintable():
        raise FileRefused("Give the file a name of visible characters.", param="file")
    path = f"{FOLDER}/{uuid7()}"
    target = path_of(organization_id, path)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        size, digest = _write(target, upload)
        kind = _kind_of(name, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Stored(name, kind, path, size, digest)


def _write(target: Path, upload: Upload) -> tuple[int, str]:
    digest, size, most = hashlib.sha256(), 0, settings.KNOWLEDGE_MAX_FILE_BYTES
    with target.open("xb") as file:
        for piece in upload.chunks():
            size += len(piece)
            if size > most:
                raise PayloadTooLarge("A file has at most %(most)s bytes.", values={"most": most}, param="file")
            digest.update(piece)
            file.write(piece)
    return size, digest.hexdigest()


def _kind_of(name: str, target: Path) -> Kind:
    try:
        kind = kind_by_name(name)
        with target.open("rb") as file:
            check(kind, file.read(HEAD_BYTES))
    except Refused as refused:
        raise FileRefused(REFUSED[refused.reason], param="file") from None
    return kind


def path_of(organization_id: UUID, path: str) -> Path:
    return folder_of(organization_id) / path


def remove(organization_id: UUID, paths: Iterable[str]) -> None:
    for path in filter(None, paths):
        path_of(organization_id, path).unlink(missing_ok=True)


def link(organization_id: UUID, path: str, name: str) -> str:
    """An address that opens the file for a quarter of an hour."""
    return link_to(organization_id, path, seconds=LINK_SECONDS, name=name)
