"""Invitations: the organization's open ones, and the page that a link in the mail opens."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import arrivals, services
from apps.accounts.access import SESSION_KEY, organization_page
from apps.accounts.models import Invitation, User
from apps.accounts.organization_forms import InviteForm, attempt, first_errors, role_of
from apps.accounts.sudo import require_recent
from apps.core.errors import MillraceError
from apps.core.keyset import page_of
from apps.core.views import error_response

READ, MANAGE = "members:read", "members:manage"


@require_http_methods(["GET", "POST"])
@organization_page
def invitations(request: HttpRequest) -> HttpResponse:
    """Those that are open, and the form for a new one."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    form = InviteForm(request.POST or None, actor=actor) if MANAGE in actor.permissions else None
    if request.method == "POST":
        actor.require(MANAGE)
        require_recent(request)
        if form and form.is_valid() and attempt(form, lambda: _invite(request, form)):
            messages.success(request, _("An invitation is on its way to %(email)s.") % form.cleaned_data)
            return redirect("invitations")
    context = {
        "form": form,
        "page": page_of(services.open_invitations(), request.GET.get("before")),
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "accounts/invitations.html", context, status=first_errors([form] if form else []))


def _invite(request: HttpRequest, form: InviteForm) -> None:
    data = form.cleaned_data
    role, custom_role_id = role_of(data["role"])
    teams = [UUID(id) for id in data.get("teams", [])]
    services.invite(request.actor, data["email"], role, custom_role_id, teams)  # type: ignore[attr-defined]


@require_POST
@organization_page
def resend_invitation(request: HttpRequest, id: UUID) -> HttpResponse:
    invitation = services.resend_invitation(request.actor, id)  # type: ignore[attr-defined]
    messages.success(request, _("A new link is on its way to %(email)s.") % {"email": invitation.email})
    return redirect("invitations")


@require_POST
@organization_page
def revoke_invitation(request: HttpRequest, id: UUID) -> HttpResponse:
    services.revoke_invitation(request.actor, id)  # type: ignore[attr-defined]
    messages.success(request, _("The invitation has been revoked."))
    return redirect("invitations")


@require_http_methods(["GET", "POST"])
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What the link in the mail opens: to join, to sign in, or to create an account.

    Strangers are offered both ways in, whether or not the address has an account.
    """
    user = request.user if isinstance(request.user, User) else None
    try:
        found = services.find_invitation(token)
        if request.method == "POST" and user is not None:
            return _join(request, user, token)
    except MillraceError as error:
        return error_response(request, error)
    if user is None:
        arrivals.keep(request, token)
    return render(request, "accounts/invitation.html", _ways_in(request, found, user))


def _join(request: HttpRequest, user: User, token: str) -> HttpResponse:
    member = services.accept_invitation(user, token)
    arrivals.forget(request)
    request.session[SESSION_KEY] = str(member.organization_id)
    messages.success(request, _("You are now in %(name)s.") % {"name": member.organization.name})
    return redirect("dashboard")


def _ways_in(request: HttpRequest, found: Invitation, user: User | None) -> dict[str, object]:
    back = {"next": request.path}
    return {
        "invitation": found,
        "owns": user is not None and services.owns_address(user, found.email),
        "is_theirs": user is not None and user.email == found.email,
        "login_url": f"{reverse('account_login')}?{urlencode(back)}",
        "signup_url": f"{reverse('account_signup')}?{urlencode(back | {'email': found.email})}",
    }
