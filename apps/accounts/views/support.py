"""Allowing support by staff, and ending it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts import impersonation, services
from apps.accounts.access import organization_page
from apps.accounts.models import User


@require_POST
@organization_page
def support_access(request: HttpRequest) -> HttpResponse:
    """With `days` allows support for so long, without it takes the permission back."""
    actor = request.actor  # type: ignore[attr-defined]
    days = request.POST.get("days", "")
    if days:
        services.allow_support(actor, int(days) if days.isdecimal() else 0)
        messages.success(request, _("Support is allowed."))
    else:
        services.forbid_support(actor)
        messages.success(request, _("Support is not allowed any more."))
    return redirect("organization-settings")


@require_POST
@login_required
def end_support(request: HttpRequest) -> HttpResponse:
    """Ends acting as a member; the member of staff is themselves again, in the session that was theirs all along."""
    id = request.session.pop(impersonation.SESSION_KEY, None)
    if id and isinstance(request.user, User):
        services.end_impersonation(request.user, UUID(id))
        return redirect("staff:index")
    return redirect("dashboard")
