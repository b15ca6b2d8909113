"""Thumbs and favourites of single texts, wherever they are shown."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from apps.accounts.access import Actor, organization_page
from apps.core.errors import MillraceError
from apps.studio.services import feedback
from apps.studio.views.answering import refused, wants_json


@require_POST
@organization_page
def rate(request: HttpRequest, id: UUID) -> HttpResponse:
    """A thumb with its reasons; `rating` 0 takes it back."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    rating = request.POST.get("rating", "")
    try:
        if rating == "0":
            feedback.withdraw_feedback(actor, id)
        else:
            reasons, comment = request.POST.getlist("reasons"), request.POST.get("comment", "")
            feedback.give_feedback(actor, id, {"1": 1, "-1": -1}.get(rating, 0), reasons, comment)
    except MillraceError as error:
        return refused(request, error)
    return _back(request, id)


@require_POST
@organization_page
def favourite(request: HttpRequest, id: UUID) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    try:
        feedback.set_favourite(actor, id, request.POST.get("favourite") == "1")
    except MillraceError as error:
        return refused(request, error)
    return _back(request, id)


def _back(request: HttpRequest, id: UUID) -> HttpResponse:
    """To the page on which it was pressed, which is one of ours."""
    if wants_json(request):
        return JsonResponse({"ok": True})
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = reverse("studio-generation", args=[id])
    return redirect(target)
