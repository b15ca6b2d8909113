"""Downloading a document."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from apps.accounts.access import waiting_page
from apps.studio.downloads import download
from apps.studio.services import documents


@require_GET
@waiting_page
def export(request: HttpRequest, id: UUID, format: str) -> HttpResponse:
    """Outside a transaction, as making a file may take a while."""
    return download(documents.exported(request.actor, id, format))  # type: ignore[attr-defined]
