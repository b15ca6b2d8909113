"""What the command palette asks for, and what a person has chosen for themselves of the pages' behaviour."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.accounts import finding, services
from apps.accounts.access import organization_page
from apps.accounts.models import User


@require_GET
@never_cache
@organization_page
def search(request: HttpRequest) -> HttpResponse:
    """The organization's things that match the words in `q`, by kind, as JSON."""
    query = request.GET.get("q", "").replace("\0", "")
    return JsonResponse({"groups": finding.search(request.actor, query)})  # type: ignore[attr-defined]


@require_POST
@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    """Single keys on or off; anything else stays as it is."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required
    chosen = request.POST.get("single_keys", "")
    if chosen in {"on", "off"}:
        services.choose_single_keys(user, chosen == "on")
    return HttpResponse(status=204)
