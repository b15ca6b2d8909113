"""Files that come with a message in a form."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from apps.core.errors import PayloadTooLarge
from apps.support.services.files import MOST_BYTES, MOST_FILES, Upload

FILES = ("attachments[]", "attachments")
# What a form has besides its files.
MORE_BYTES = 1_000_000


def form_of(request: Request) -> Any:
    """The body without its files."""
    if not is_form(request):
        return request.data
    form: Any = request.data
    return {name: form[name] for name in form if name not in FILES}


def uploads_of(request: Request) -> tuple[Upload, ...]:
    """The files, none of them read further than one may be long; raises PayloadTooLarge before the form is read."""
    if not is_form(request):
        return ()
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_FILES * MOST_BYTES + MORE_BYTES:
        raise PayloadTooLarge("A file has at most %(most)s bytes.", values={"most": MOST_BYTES}, param="files")
    given = [each for name in FILES for each in request.FILES.getlist(name)]
    return tuple(Upload(str(each.name), each.read(MOST_BYTES + 1)) for each in given[: MOST_FILES + 1])


def is_form(request: Request) -> bool:
    return bool(request.content_type.startswith("multipart/"))
