"""Accepting the operator's documents: after signing up, and when a new version is published."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, actor_of_session
from apps.accounts.models import User
from apps.core.errors import InvalidRequest, SessionEnded, StepUpRequired
from apps.core.views import error_response
from apps.privacy import services
from apps.privacy.models import Document


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def consent(request: HttpRequest) -> HttpResponse:
    person = cast(User, request.user).pk
    missing = services.pending(person)
    if request.method == "POST":
        accepted = {
            document: version for document in missing if (version := request.POST.get(document.value, "")) != ""
        }
        actor = _actor(request)
        try:
            services.accept(person, accepted, actor)
        except InvalidRequest as error:
            return error_response(request, error)
        if request.POST.get("mail") == "yes":
            services.choose_mail(person, True, actor)
        missing = services.pending(person)
    if not missing:
        return redirect(_next(request))
    urls = {Document.TERMS: settings.TERMS_URL, Document.PRIVACY: settings.PRIVACY_URL or reverse("privacy-notice")}
    documents = [(document, version, urls[document]) for document, version in missing.items()]
    context = {"documents": documents, "next": _next(request)}
    return render(request, "privacy/consent.html", context, status=422 if request.method == "POST" else 200)


def _actor(request: HttpRequest) -> Actor | None:
    """In whose audit log it stands; none where the session may not act there yet, which accepting must not wait for."""
    try:
        return actor_of_session(request)
    except (StepUpRequired, SessionEnded):
        return None


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else reverse("dashboard")
