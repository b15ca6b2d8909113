"""Files that come with messages, in the folder of the organization whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from mimetypes import guess_type
from pathlib import PurePath

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from apps.core import jobs
from apps.core.errors import InvalidRequest, PayloadTooLarge
from apps.core.ids import uuid7
from apps.core.media import Media, folder_of, link_to
from apps.support.errors import FileHeld, FileNotTaken
from apps.support.masking import clean
from apps.support.models import Message, MessageFile
from apps.support.models.conversations import Scan
from apps.support.sniffing import is_what_it_says

FOLDER = "support"
MOST_FILES, MOST_BYTES, LONGEST_NAME = 5, 10_000_000, 150
# So long may somebody who was given a link go on using it.
LINK_SECONDS = 900
ENDINGS = frozenset(
    ".png .jpg .jpeg .gif .webp .heic .pdf .txt .md .csv .log .docx .xlsx .pptx .odt .ods .zip .mp3 .m4a .mp4".split()
)
SCAN = "support.scan_files"
WAITS = gettext_noop("This file is still being checked for viruses. Come back in a moment.")
UNCHECKED = gettext_noop("This file could not be checked for viruses. Nobody is given it.")
INFECTED = gettext_noop("A virus was found in this file. It was removed.")
BAD_NAME = gettext_noop("Give the file a name of visible characters.")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent."""

    name: str
    data: bytes


def checked(files: Sequence[Upload]) -> Sequence[Upload]:
    """The files, before anything is written; raises FileNotTaken and PayloadTooLarge."""
    if len(files) > MOST_FILES:
        raise InvalidRequest("A message has at most %(most)s files.", values={"most": MOST_FILES}, param="files")
    for file in files:
        name = _name_of(file)
        if not name or not name.isprintable():
            raise FileNotTaken(BAD_NAME, param="files")
        if PurePath(name).suffix.lower() not in ENDINGS:
            raise FileNotTaken("Files like %(name)s are not taken.", values={"name": name}, param="files")
        if not file.data:
            raise FileNotTaken("%(name)s is empty.", values={"name": name}, param="files")
        if len(file.data) > MOST_BYTES:
            raise PayloadTooLarge("A file has at most %(most)s bytes.", values={"most": MOST_BYTES}, param="files")
    return files


def inspected(files: Sequence[Upload]) -> Sequence[Upload]:
    """The same for files of strangers, which must be what their names say; raises FileNotTaken."""
    for file in checked(files):
        name = _name_of(file)
        if not is_what_it_says(PurePath(name).suffix.lower(), file.data):
            raise FileNotTaken("%(name)s is not what its name says.", values={"name": name}, param="files")
    return files


def _name_of(file: Upload) -> str:
    return PurePath(file.name.replace("\\", "/")).name.strip()


def keep(message: Message, files: Sequence[Upload], masked: Iterable[str]) -> None:
    """Writes files under names that nobody chose; what a failed transaction leaves is swept up as a stray."""
    kinds = tuple(masked)
    folder = folder_of(message.organization_id) / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    for position, file in enumerate(files):
        path = f"{FOLDER}/{uuid7()}"
        (folder_of(message.organization_id) / path).write_bytes(file.data)
        name = clean(_name_of(file), kinds).text[-LONGEST_NAME:]
        MessageFile.objects.create(
            organization_id=message.organization_id,
            message=message,
            position=position,
            name=name,
            media_type=guess_type(name)[0] or "application/octet-stream",
            size=len(file.data),
            path=path,
            scan=Scan.WAITING if settings.CLAMD_URL else "",
        )
    if files and settings.CLAMD_URL:
        jobs.ring(SCAN)


def link(file: MessageFile) -> str:
    """An address that opens the file for a quarter of an hour; none for one that nobody is given."""
    if not file.may_be_fetched:
        return ""
    return link_to(file.organization_id, file.path, seconds=LINK_SECONDS, name=file.name)


def stored(file: MessageFile) -> Media:
    """Where it lies, and what it is saved as; raises FileHeld for one that nobody is given."""
    if not file.may_be_fetched:
        if file.scan == Scan.FAILED:
            raise FileHeld(UNCHECKED)
        raise FileHeld(INFECTED if file.scan == Scan.INFECTED else WAITS)
    return Media(folder_of(file.organization_id) / file.path, file.name)


def kind_of(file: MessageFile) -> str:
    """What Chatwoot calls it: an image, audio, video, or a file."""
    kind = file.media_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "file"


def known(paths: list[str]) -> Iterable[str]:
    """Those paths that have a row, for the sweep of strays."""
    found: Iterable[str] = MessageFile.objects.filter(path__in=paths).values_list("path", flat=True)
    return found


def remove_with(messages: Iterable[Message]) -> None:
    """Removes the files of messages, once the transaction has committed; what a merge has shared stays for others."""
    rows = list(MessageFile.objects.filter(message__in=[each.pk for each in messages]))
    MessageFile.objects.filter(pk__in=[row.pk for row in rows]).delete()
    shared = set(MessageFile.objects.filter(path__in=[row.path for row in rows]).values_list("path", flat=True))
    for row in rows:
        if row.path not in shared:
            place = folder_of(row.organization_id) / row.path
            transaction.on_commit(partial(place.unlink, missing_ok=True))
