"""Files of documents over HTTP."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from apps.studio.services.documents import File


def download(file: File) -> HttpResponse:
    """A download, never a page of this site."""
    response = HttpResponse(file.body, content_type=file.kind)
    response["content-disposition"] = content_disposition_header(True, file.name) or "attachment"
    response["content-security-policy"] = "sandbox; default-src 'none'"
    response["cache-control"] = "private, no-store"
    return response
