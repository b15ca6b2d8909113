"""Suggestions and comments beside a document's text."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, organization_page, waiting_page
from apps.core.errors import NotFound
from apps.studio import throttle
from apps.studio.services import documents
from apps.studio.services.documents import Selection, Wish
from apps.studio.views.documents.acting import body_of, number_in, text_in, told, wants_json
from apps.studio.views.documents.editor import margin_of


@require_GET
@organization_page
@told
def margin(request: HttpRequest, id: UUID) -> HttpResponse:
    """What stands beside the text, for a page whose hint said that it has changed; with the text where it is asked
    for."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.READ)
    found = documents.find(id)
    may_write = documents.WRITE in actor.permissions
    context = {"document": found, "margin": margin_of(actor, found), "may_write": may_write}
    if wants_json(request):
        return JsonResponse({"revision": found.revision, "title": found.title, "text": found.text})
    return render(request, "studio/documents/margin.html", context)


@require_POST
@waiting_page
@told
def suggest(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks for other words; for scripts the generation to follow."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    body = body_of(request)
    wish = Wish(text_in(body, "action"), text_in(body, "language", ""), text_in(body, "model", "default"))
    made = throttle.request_suggestion(actor, id, selection_in(body), wish)
    if not wants_json(request):
        return redirect("document", id)
    return JsonResponse({"id": str(made.pk), "generation": str(made.generation_id), "start": made.start}, status=201)


@require_POST
@organization_page
@told
def suggestion_act(request: HttpRequest, id: UUID, suggestion: UUID, act: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    if act not in {"accept", "reject"}:
        raise NotFound(_("There is nothing at this address."))
    if act == "reject":
        documents.reject(actor, id, suggestion)
        found = documents.get(actor, id)
    else:
        found = documents.accept(actor, id, suggestion)
    if not wants_json(request):
        return redirect("document", id)
    return JsonResponse({"revision": found.revision, "title": found.title, "text": found.text})


@require_POST
@organization_page
@told
def comment(request: HttpRequest, id: UUID) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    body = body_of(request)
    return _done(request, id, documents.comment(actor, id, selection_in(body), text_in(body, "text")))


@require_POST
@organization_page
@told
def comment_act(request: HttpRequest, id: UUID, comment: UUID, act: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    acts: dict[str, Any] = {
        "answer": lambda: documents.answer(actor, id, comment, text_in(body_of(request), "text")),
        "resolve": lambda: documents.resolve(actor, id, comment),
        "reopen": lambda: documents.reopen(actor, id, comment),
        "delete": lambda: documents.delete_comment(actor, id, comment),
    }
    if act not in acts:
        raise NotFound(_("There is nothing at this address."))
    return _done(request, id, acts[act]())


def selection_in(body: dict[str, Any]) -> Selection:
    revision, start, end = (number_in(body, name) for name in ("revision", "start", "end"))
    return Selection(revision, start, end, text_in(body, "quote"))


def _done(request: HttpRequest, id: UUID, _row: Any) -> HttpResponse:
    return JsonResponse({}, status=200) if wants_json(request) else redirect("document", id)
