"""Signed links to files of an organization: they end by themselves, and name one file that cannot be exchanged.

Whoever holds a link may fetch the file until it expires, without signing in: keep it short, and put it where only the
person meant can read it. A link is worth nothing for a file outside its organization's folder.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from mimetypes import guess_type
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from apps.core import tenancy
from apps.core.errors import NotFound
from apps.core.views import error_response

GONE = gettext_noop("This link has expired, or what it led to is gone.")
SALT = "signed link to a file"
LONGEST_SECONDS = 7 * 86_400
PIECE = 64 * 1024
# Longer than any upload, or the writing of any batch's answers, takes.
STRAY_SECONDS = 86_400
STRAYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Media:
    """A file that a link opens; `name` is what it is saved as."""

    path: Path
    name: str


def folder_of(organization_id: UUID) -> Path:
    """Where the organization's files lie, under `MEDIA_ROOT`; made when it is first asked for."""
    folder = Path(settings.MEDIA_ROOT) / "organizations" / str(organization_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def place_of(organization_id: UUID, path: str) -> Path:
    """Where the file `path` of the organization's folder lies; makes no folder, as `folder_of` does."""
    return Path(settings.MEDIA_ROOT) / "organizations" / str(organization_id) / path


def is_gone(place: Path) -> bool:
    """Whether a file has been removed for good; False also where its storage is away.

    The folder of a file stays as long as its organization does: without it, it is the storage that is missing.
    """
    try:
        return not place.exists() and place.parent.is_dir()
    except OSError:
        return False


def remove_folder(organization_id: UUID) -> None:
    """Every file of an organization that is being removed for good."""
    shutil.rmtree(Path(settings.MEDIA_ROOT) / "organizations" / str(organization_id), ignore_errors=True)


def remove_strays(folder: str, known: Callable[[list[str]], Iterable[str]]) -> int:
    """Removes files of every organization's `folder` that no row knows, once they are a day old; how many.

    `known` says, in the scope of their organization, which of some paths have a row. A file is written before its row
    is, or its row has gone in a transaction whose process was killed before it could remove the file.
    """
    removed = 0
    for place in (Path(settings.MEDIA_ROOT) / "organizations").glob(f"*/{folder}"):
        try:
            organization_id = UUID(place.parent.name)
        except ValueError:
            continue
        old = (path for path in place.iterdir() if path.is_file() and _age(path) > STRAY_SECONDS)
        while some := list(islice(old, STRAYS_AT_ONCE)):
            paths = {f"{folder}/{path.name}": path for path in some}
            with tenancy.scope(organization_id):
                strays = set(paths) - set(known(list(paths)))
            for name in strays:
                paths[name].unlink(missing_ok=True)
            removed += len(strays)
    return removed


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def link_to(organization_id: UUID, path: str, *, seconds: int, name: str = "") -> str:
    """A path on this site that opens the file `path` of the organization's folder for so many seconds."""
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(f"A link lives for 1 to {LONGEST_SECONDS} seconds.")
    payload = {"o": str(organization_id), "p": path, "n": name or Path(path).name, "e": int(time.time()) + seconds}
    return reverse("media", kwargs={"token": signing.dumps(payload, salt=SALT)})


def opened(token: str) -> Media:
    """The file that a link names; forged, expired, and for a file that is gone, all raise the same NotFound."""
    try:
        payload = signing.loads(token, salt=SALT, max_age=LONGEST_SECONDS)
        folder = folder_of(UUID(payload["o"])).resolve()
        path = (folder / payload["p"]).resolve()
        if payload["e"] > time.time() and path.is_relative_to(folder) and path.is_file():
            return Media(path, str(payload["n"]))
    except (signing.BadSignature, KeyError, TypeError, ValueError, OSError):
        pass
    raise NotFound(_(GONE))


@require_safe
async def media(request: HttpRequest, token: str) -> HttpResponseBase:
    """Serves the file as a download, never as a page of this site."""
    try:
        found = await asyncio.to_thread(opened, token)
    except NotFound as error:
        return await asyncio.to_thread(error_response, request, error)
    return await served(found, with_body=request.method == "GET")


async def served(found: Media, *, with_body: bool = True) -> HttpResponseBase:
    """The file as a download; raises NotFound for one that is gone."""
    try:
        size = (await asyncio.to_thread(found.path.stat)).st_size
    except FileNotFoundError:
        raise NotFound(GONE) from None
    kind = guess_type(found.name)[0] or "application/octet-stream"
    response = StreamingHttpResponse(pieces(found.path) if with_body else (), content_type=kind)
    response["content-length"] = str(size)
    response["content-disposition"] = content_disposition_header(True, found.name) or "attachment"
    response["content-security-policy"] = "sandbox; default-src 'none'"
    response["cache-control"] = "private, no-store"
    response["referrer-policy"] = "no-referrer"
    return response


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """Reading in a thread, a piece at a time, so that neither memory nor the event loop holds a whole file."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
