"""What anybody with a link sees: the document and nothing else of the organization."""

from __future__ import annotations

from csp.decorators import csp
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core import markdown
from apps.core.errors import NotFound, RateLimitExceeded
from apps.core.views import error_response
from apps.studio.models import DocumentShare
from apps.studio.services import documents

# No script, no picture, no frame and no form but the password's: what stands in the text can do nothing.
POLICY = {
    "default-src": ["'none'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "font-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}


@csp(POLICY)  # type: ignore[arg-type]
@require_http_methods(["GET", "POST"])
def shared(request: HttpRequest, token: str) -> HttpResponse:
    try:
        found = documents.opened(token)
    except NotFound as error:
        return _closed(error_response(request, error))
    wrong = ""
    if request.method == "POST" and found.password:
        try:
            if documents.is_password(found, request.POST.get("password", "")):
                request.session[_key(found)] = True
                return _closed(redirect("document-shared", token))
            wrong = _("This is not the password.")
        except RateLimitExceeded as error:
            return _closed(error_response(request, error))
    if found.password and not request.session.get(_key(found)):
        context = {"wrong": wrong}
        return _closed(render(request, "studio/documents/locked.html", context, status=403 if wrong else 200))
    documents.count_opening(found)
    shown = {"document": found.document, "html": markdown.render(found.document.text), "share": found}
    return _closed(render(request, "studio/documents/shared.html", shown))


def _key(found: DocumentShare) -> str:
    return f"shared:{found.pk}"


def _closed(response: HttpResponse) -> HttpResponse:
    """Not to be found, kept or told on: neither by search engines, nor by caches, nor by where its links lead."""
    response["x-robots-tag"] = "noindex, nofollow, noarchive"
    response["cache-control"] = "private, no-store"
    response["referrer-policy"] = "no-referrer"
    return response
