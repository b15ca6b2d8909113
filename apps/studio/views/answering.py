"""How pages with scripts are answered: with an address or with words as JSON, and without scripts with a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect

from apps.core.errors import MillraceError
from apps.studio import texts


def wants_json(request: HttpRequest) -> bool:
    return request.headers.get("accept", "") == "application/json"


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    return JsonResponse({"url": url}) if wants_json(request) else redirect(url)


def refused(request: HttpRequest, error: MillraceError) -> HttpResponse:
    """For scripts the words; without scripts the error's own page."""
    if not wants_json(request):
        raise error
    words = str(texts.ERRORS[error.code]) if error.code in texts.ERRORS else error.shown()
    return JsonResponse({"errors": {}, "message": words}, status=error.status)
