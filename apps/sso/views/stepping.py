"""What to do when an organization demands more of a session than it has."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import actor_of_session
from apps.accounts.assurance import note_break_glass, proofs_of
from apps.accounts.models import Membership, Role, User
from apps.accounts.services import security
from apps.core import tenancy
from apps.core.errors import MillraceError, NotFound, OwnSignInRequired, PermissionDenied, StepUpRequired
from apps.core.views import error_response
from apps.sso.models import Connection
from apps.sso.views.entrance import safe_next


@require_GET
@never_cache
@login_required
def step_up(request: HttpRequest) -> HttpResponse:
    """Says what is missing and how to make it good; goes on when nothing is."""
    next = request.GET.get("next", "")
    try:
        if actor_of_session(request) is None:
            raise NotFound(_("You do not belong to an organization yet. Ask for an invitation."))
        return redirect(safe_next(request, next))
    except StepUpRequired as lacking:
        return render(request, "sso/step_up.html", _context(request, lacking, next), status=403)
    except MillraceError as error:
        return error_response(request, error)


def _context(request: HttpRequest, lacking: StepUpRequired, next: str) -> dict[str, Any]:
    membership: Membership = request.membership  # type: ignore[attr-defined]
    with tenancy.scope(membership.organization_id):
        connections = list(Connection.objects.enabled())
    query = urlencode({"next": safe_next(request, next), "hint": request.user.email})  # type: ignore[union-attr]
    return {
        "lacking": lacking.code,
        "connections": connections,
        "query": query,
        "next": next,
        "may_break_glass": lacking.code == "sso_required" and membership.role == Role.OWNER,
    }


@require_POST
@login_required
def owner_code(request: HttpRequest) -> HttpResponse:
    """Opens the organization for an hour to an owner who has one of its codes."""
    user = request.user
    try:
        try:
            actor_of_session(request)
        except OwnSignInRequired as error:
            raise PermissionDenied(_("This code is not valid here.")) from error
        except StepUpRequired:
            pass
        membership: Membership | None = getattr(request, "membership", None)
        if membership is None or not isinstance(user, User):
            raise NotFound(_("You do not belong to an organization yet. Ask for an invitation."))
        if not proofs_of(request, user, membership.organization_id).own:
            raise PermissionDenied(_("This code is not valid here."))
        security.use_owner_code(user, membership, request.POST.get("code", ""))
        note_break_glass(request.session, membership.organization_id)
        return redirect(safe_next(request, request.POST.get("next", "")))
    except MillraceError as error:
        return error_response(request, error)
