"""The versions of a document, what changed between two of them, and going back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, organization_page
from apps.core.errors import InvalidRequest, NotFound
from apps.studio.models import Document, DocumentRevision, RevisionKind
from apps.studio.services import documents
from ml.text.changes import lines_of

VERSIONS_SHOWN = 25


@require_GET
@organization_page
def versions(request: HttpRequest, id: UUID) -> HttpResponse:
    """The list, and the comparison of the version chosen with the one before it or with another."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.READ)
    found = documents.find(id)
    rows = list(_page(found, _number(request.GET.get("before"))))
    shown = rows[:VERSIONS_SHOWN]
    context: dict[str, Any] = {
        "document": found,
        "versions": shown,
        "older": shown[-1].number if len(rows) > VERSIONS_SHOWN else None,
        "may_write": documents.WRITE in actor.permissions,
    }
    if shown:
        new = _number(request.GET.get("version")) or shown[0].number
        after = documents.find_version(id, new)
        before = _compared(found, after, _number(request.GET.get("with")))
        context |= {"after": after, "compared": before, "lines": lines_of(before.text if before else "", after.text)}
    return render(request, "studio/documents/versions.html", context)


def _page(document: Document, before: int | None) -> Any:
    rows = DocumentRevision.objects.filter(document=document, kind=RevisionKind.VERSION)
    rows = rows.filter(number__lt=before) if before else rows
    return rows.defer("text").select_related("created_by").order_by("-number")[: VERSIONS_SHOWN + 1]


def _compared(document: Document, after: DocumentRevision, chosen: int | None) -> DocumentRevision | None:
    if chosen is not None:
        return documents.find_version(document.pk, chosen)
    rows = DocumentRevision.objects.filter(document=document, kind=RevisionKind.VERSION, number__lt=after.number)
    found: DocumentRevision | None = rows.order_by("-number").first()
    return found


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 10 else None


@require_POST
@organization_page
def version_act(request: HttpRequest, id: UUID, number: int, act: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    if act == "restore":
        documents.restore(actor, id, number)
        messages.success(request, _("This version is the present text again; what was there before stays a version."))
        return redirect("document", id)
    if act != "name":
        raise NotFound(_("There is nothing at this address."))
    try:
        documents.name_version(actor, id, number, request.POST.get("name", ""))
    except InvalidRequest as error:
        messages.error(request, error.shown())
    return redirect("document-versions", id)
