"""The browsers in which a person is signed in, and signing them out."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts import services
from apps.accounts.agents import browser_name
from apps.accounts.models import User
from apps.accounts.sudo import recently_authenticated


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
@recently_authenticated
def sessions(request: HttpRequest) -> HttpResponse:
    """Lists them; a form ends one (`session`), or all but this one."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required
    if request.method == "POST":
        return _end(request, user)
    here = request.session.session_key
    rows = [
        {
            "handle": services.session_handle(session.session_key),
            "browser": browser_name(session.agent),
            "here": session.session_key == here,
            "session": session,
        }
        for session in services.sessions_of(user.pk)
    ]
    rows.sort(key=lambda row: not row["here"])
    return render(request, "accounts/sessions.html", {"rows": rows})


def _end(request: HttpRequest, user: User) -> HttpResponse:
    handle = request.POST.get("session", "")
    if not handle:
        ended = services.end_sessions(user.pk, keep=request.session.session_key)
        text = ngettext("%(n)d other session was signed out.", "%(n)d other sessions were signed out.", ended)
        messages.success(request, text % {"n": ended})
        return redirect("sessions")
    if services.end_session(user.pk, handle) == request.session.session_key:
        request.session.flush()
        return redirect("account_login")
    messages.success(request, _("The session was signed out."))
    return redirect("sessions")
