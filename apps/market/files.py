"""Files of offers and purchases, each in the folder of the organization whose it is, with its size and SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol
from uuid import UUID

from django.conf import settings

from apps.core.errors import InvalidRequest, PayloadTooLarge
from apps.core.ids import uuid7
from apps.core.media import folder_of, link_to

LONGEST_NAME = 150
# So long may somebody who was given a link go on using it.
LINK_SECONDS = 900


class Upload(Protocol):
    """What a form gives for a file."""

    name: str | None

    def chunks(self) -> Iterable[bytes]: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in an organization's folder; `path` is relative to it."""

    name: str
    path: str
    size: int
    sha256: str

    @property
    def facts(self) -> dict[str, str | int]:
        return {"name": self.name, "path": self.path, "size": self.size, "sha256": self.sha256}


def store(organization_id: UUID, folder: str, upload: Upload) -> Stored:
    """Writes an upload under a name that nobody chose; PayloadTooLarge leaves nothing behind."""
    name = PurePath((upload.name or "").replace("\\", "/")).name.strip()[-LONGEST_NAME:]
    if not name or not name.isprintable():
        raise InvalidRequest("Give the file a name of visible characters.", param="file")
    path = f"market/{folder}/{uuid7()}"
    target = _made(organization_id, path)
    digest, size, most = hashlib.sha256(), 0, settings.MARKET_MAX_FILE_BYTES
    try:
        with target.open("xb") as file:
            for piece in upload.chunks():
                size += len(piece)
                if size > most:
                    raise PayloadTooLarge("A file has at most %(most)s bytes.", values={"most": most}, param="file")
                digest.update(piece)
                file.write(piece)
        if size == 0:
            raise InvalidRequest("This file is empty.", param="file")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Stored(name, path, size, digest.hexdigest())


def hand_over(giver: UUID, file: Stored, taker: UUID, folder: str) -> Stored:
    """The file in another organization's folder as well; as often as it is called, it is there once.

    A hard link where both lie on one disk: neither takes room twice, and neither goes with the other.
    """
    path = f"market/{folder}/{PurePath(file.path).name}"
    source, target = folder_of(giver) / file.path, _made(taker, path)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
    return Stored(file.name, path, file.size, file.sha256)


def exists(organization_id: UUID, path: str) -> bool:
    return (folder_of(organization_id) / path).is_file()


def remove(organization_id: UUID, paths: Iterable[str]) -> None:
    for path in paths:
        (folder_of(organization_id) / path).unlink(missing_ok=True)


def link(organization_id: UUID, path: str, name: str) -> str:
    """An address that opens the file for a quarter of an hour."""
    return link_to(organization_id, path, seconds=LINK_SECONDS, name=name)


def digest_of(files: Iterable[Stored]) -> str:
    """The SHA-256 over the list that `sha256sum` would print of them, by name; empty for no file."""
    lines = "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files, key=lambda file: file.name))
    return hashlib.sha256(lines.encode()).hexdigest() if lines else ""


def _made(organization_id: UUID, path: str) -> Path:
    target = folder_of(organization_id) / path
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return target
