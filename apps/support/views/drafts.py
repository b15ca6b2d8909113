"""Suggestions and summaries from a conversation's page; to have one written may wait for others, so nothing is held."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.accounts.access import Actor, waiting_page
from apps.core import tenancy
from apps.core.errors import InvalidRequest, MillraceError
from apps.support.access import WRITE
from apps.support.bodies import draft_body
from apps.support.models import DeskDraft
from apps.support.services import drafts, reading
from apps.support.views.desk import shown


@require_POST
@never_cache
@waiting_page
def draft(request: HttpRequest, id: UUID) -> HttpResponse:
    """One is begun; a script follows it, and otherwise the page shows it when it is opened anew."""
    return _answered(request, id, lambda actor: drafts.ask(actor, id, request.POST.get("kind", "")))


@require_POST
@never_cache
@waiting_page
def stop_draft(request: HttpRequest, id: UUID) -> HttpResponse:
    return _answered(request, id, lambda actor: drafts.stop(actor, id, _wanted(request)))


def _answered(request: HttpRequest, id: UUID, act: Callable[[Actor], DeskDraft]) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        reading.get(actor, id)
    for_script = request.headers.get("accept", "").startswith("application/json")
    try:
        made = act(actor)
    except MillraceError as error:
        if error.status in (403, 404):
            raise
        if for_script:
            return JsonResponse({"problem": error.shown()}, status=error.status)
        with tenancy.scope(actor.organization_id):
            row = reading.get(actor, id)
            return shown(request, row, problem=error.shown(), text=request.POST.get("text", ""), status=error.status)
    return JsonResponse(draft_body(made), status=202) if for_script else redirect("desk-conversation", id)


def _wanted(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("draft", ""))
    except ValueError:
        raise InvalidRequest("This is no id.", param="draft") from None
