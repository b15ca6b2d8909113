"""The directory's tokens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.sso import places
from apps.sso.models import DirectoryGroup, DirectoryUser
from apps.sso.services import tokens
from apps.sso.views.console import actor_for


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def directory(request: HttpRequest) -> HttpResponse:
    """Where the directory is connected. A new token's secret is in the answer to its creation and nowhere else."""
    actor = actor_for(request)
    context: dict[str, Any] = {}
    if request.method == "POST":
        token, secret = tokens.create_token(actor)
        context = {"created": token, "secret": secret}
    context |= {
        "base": places.scim_base(),
        "tokens": tokens.tokens_of(actor),
        "users": DirectoryUser.objects.count(),
        "groups": DirectoryGroup.objects.count(),
    }
    return render(request, "sso/directory.html", context)


@require_POST
@organization_page
def end_token(request: HttpRequest, id: UUID) -> HttpResponse:
    tokens.end_token(actor_for(request), id)
    return redirect("sso-directory")
