"""Files that programs upload, and those that batches write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PayloadTooLarge
from apps.core.ids import uuid7
from apps.core.media import folder_of
from apps.core.media import remove_strays as remove_strays_in
from apps.studio.models import Purpose, StoredFile

READ, WRITE = "generations:read", "generations:write"
PURPOSES = (Purpose.BATCH, Purpose.USER_DATA)
FOLDER = "files"
MOST_FILES, LONGEST_NAME = 2_000, 200


def id_of(value: str, prefix: str, message: str, param: str = "id") -> UUID:
    """The row's id in a public one; what cannot be an id is answered like one that does not exist."""
    if not re.fullmatch(rf"{prefix}[0-9a-f]{{32}}", value):
        raise NotFound(message, param=param)
    return UUID(value.removeprefix(prefix))


class Upload(Protocol):
    """What a form gives for a file."""

    name: str | None

    def chunks(self) -> Iterable[bytes]: ...


def upload_file(actor: Actor, upload: Upload, purpose: str) -> StoredFile:
    """Stores an upload; PayloadTooLarge and InvalidRequest leave nothing behind."""
    actor.require(WRITE)
    actor.require_open()
    if purpose not in PURPOSES:
        raise InvalidRequest(f"purpose must be one of {', '.join(PURPOSES)}.", param="purpose")
    name = PurePath((upload.name or "").replace("\\", "/")).name.strip()[-LONGEST_NAME:]
    if not name or not name.isprintable():
        raise InvalidRequest("Give the file a name of visible characters.", param="file")
    id = uuid7()
    path = f"{FOLDER}/{id}"
    size, digest = _write(path_of(actor.organization_id, path), upload.chunks())
    try:
        with tenancy.scope(actor.organization_id):
            if StoredFile.objects.count() >= MOST_FILES:
                raise Conflict("An organization has at most %(most)s files.", values={"most": MOST_FILES})
            file: StoredFile = StoredFile.objects.create(
                id=id,
                organization_id=actor.organization_id,
                filename=name,
                purpose=purpose,
                path=path,
                size=size,
                sha256=digest,
                created_by_id=actor.user_id,
                api_key_id=actor.api_key_id,
            )
            file.refresh_from_db(fields=["created_at"])
            audit.record(actor, "file.created", file, purpose=purpose)
            events.record("file.created", file.pk, {"filename": name, "purpose": purpose, "bytes": size})
    except BaseException:
        path_of(actor.organization_id, path).unlink(missing_ok=True)
        raise
    return file


def _write(target: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        with target.open("xb") as file:
            for piece in pieces:
                size += len(piece)
                if size > settings.FILES_MAX_BYTES:
                    most = {"most": settings.FILES_MAX_BYTES}
                    raise PayloadTooLarge("A file has at most %(most)s bytes.", values=most, param="file")
                digest.update(piece)
                file.write(piece)
        if size == 0:
            raise InvalidRequest("This file is empty.", param="file")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return size, digest.hexdigest()


def get_file(actor: Actor, id: UUID) -> StoredFile:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        file: StoredFile | None = StoredFile.objects.filter(pk=id).first()
    if file is None:
        raise NotFound("No such File object.", param="id")
    return file


def delete_file(actor: Actor, id: UUID) -> None:
    """Removes a file for good; a batch that reads it has its requests already, or fails."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        file: StoredFile | None = StoredFile.objects.select_for_update().filter(pk=id).first()
        if file is None:
            raise NotFound("No such File object.", param="id")
        path = file.path
        audit.record(actor, "file.deleted", file)
        events.record("file.deleted", file.pk, {"filename": file.filename})
        file.delete()
        transaction.on_commit(lambda: path_of(actor.organization_id, path).unlink(missing_ok=True))


def remove_strays() -> int:
    """Removes files without a row, such as what a worker that was lost had begun to write."""
    return remove_strays_in(
        FOLDER, lambda paths: StoredFile.objects.filter(path__in=paths).values_list("path", flat=True)
    )


def path_of(organization_id: UUID, path: str) -> Path:
    """Where a file lies; its folder is made."""
    target = folder_of(organization_id) / path
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return target


def file_written(organization_id: UUID, path: str, filename: str) -> StoredFile:
    """The row of a file that a batch has written, in the organization's scope."""
    target = path_of(organization_id, path)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    written: StoredFile = StoredFile.objects.create(
        organization_id=organization_id,
        filename=filename,
        purpose=Purpose.BATCH_OUTPUT,
        path=path,
        size=target.stat().st_size,
        sha256=digest,
    )
    return written
