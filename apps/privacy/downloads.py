"""Links to an export's file that expire, and sending it in small pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

from django.core import signing
from django.http import StreamingHttpResponse
from django.urls import reverse

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.privacy.models import Export

LINK_SECONDS = 900
CHUNK_BYTES = 1 << 18
_SALT = "link to an export"


def link_to(export: Export, actor: Actor) -> str:
    """The address of an export's file for a quarter of an hour; a person's opens only in that person's own session."""
    content = [str(export.organization_id), str(export.pk), str(actor.user_id or "")]
    return reverse("privacy-download", args=[signing.dumps(content, salt=_SALT, compress=False)])


def export_of(token: str, user_id: UUID | None) -> Export:
    """What a link leads to; NotFound for one that is forged, too old, somebody else's, or whose file is gone."""
    gone = NotFound("This link has expired, or is not yours. Open the page again for a new one.")
    try:
        organization_id, id, owner = signing.loads(token, salt=_SALT, max_age=LINK_SECONDS)
    except (signing.BadSignature, ValueError):
        raise gone from None
    if owner and owner != str(user_id or ""):
        raise gone
    with tenancy.scope(UUID(organization_id)):
        found: Export | None = Export.objects.filter(pk=id).first()
    if found is None or not found.downloadable:
        raise gone
    return found


def sent(path: Path, name: str) -> StreamingHttpResponse:
    """The file as a download; raises NotFound when it is not on this machine."""
    if not path.is_file():
        raise NotFound("The file is not there any more. Ask for a new export.")
    response = StreamingHttpResponse(_pieces(path), content_type="application/zip")
    response.headers["content-disposition"] = f'attachment; filename="{name}"'
    response.headers["content-length"] = str(path.stat().st_size)
    response.headers["cache-control"] = "private, no-store"
    response.headers["x-content-type-options"] = "nosniff"
    return response


async def _pieces(path: Path) -> AsyncGenerator[bytes]:
    # A synchronous iterator would be read into memory as a whole.
    file = await asyncio.to_thread(lambda: path.open("rb"))
    try:
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece
    finally:
        file.close()
