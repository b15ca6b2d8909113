"""Members' sessions, for administrators: who is signed in, with what, from where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts import services
from apps.accounts.access import organization_page
from apps.accounts.agents import browser_name
from apps.accounts.methods import methods_of
from apps.accounts.models import BrowserSession
from apps.accounts.sessions import session_handle
from apps.accounts.sudo import recently_authenticated
from apps.core.errors import NotFound

LONGEST_SEARCH, ROWS = 120, 50


@require_http_methods(["GET", "POST"])
@never_cache
@recently_authenticated
@organization_page
def member_sessions(request: HttpRequest) -> HttpResponse:
    """Lists them; a form ends one (`session` of `person`), all of one `person`, or all."""
    if request.method == "POST":
        return _end(request)
    search = request.GET.get("search", "")[:LONGEST_SEARCH].replace("\0", "")
    rows = services.member_sessions(request.actor, search)  # type: ignore[attr-defined]
    if before := _moment(request.GET.get("before", "")):
        rows = rows.filter(seen_at__lt=before)
    found = list(rows[: ROWS + 1])
    handles = [session_handle(row.session_key) for row in found[:ROWS]]
    closed = services.closed_among(handles)
    context = {
        "rows": [
            _shown(row, handle, request, handle in closed) for row, handle in zip(found[:ROWS], handles, strict=True)
        ],
        "older": found[ROWS - 1].seen_at.isoformat() if len(found) > ROWS else "",
        "paged": before is not None,
        "search": search,
    }
    return render(request, "accounts/member_sessions.html", context)


def _shown(row: BrowserSession, handle: str, request: HttpRequest, closed: bool) -> dict[str, Any]:
    return {
        "session": row,
        "handle": handle,
        "browser": browser_name(row.agent),
        "methods": methods_of(row.get_decoded(), request.actor.organization_id),  # type: ignore[attr-defined]
        "here": row.session_key == request.session.session_key,
        "closed": closed,
    }


def _moment(text: str) -> datetime | None:
    """Where the next page begins; what cannot be read is the beginning."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _end(request: HttpRequest) -> HttpResponse:
    actor, here = request.actor, request.session.session_key or ""  # type: ignore[attr-defined]
    person, handle = request.POST.get("person", ""), request.POST.get("session", "")
    if not person:
        ended = services.end_all_sessions(actor, keep=here)
    elif handle:
        services.end_member_session(actor, _id(person), handle)
        ended = 1
    else:
        ended = services.end_member_sessions(actor, _id(person))
    text = ngettext("%(n)d session was ended.", "%(n)d sessions were ended.", ended)
    messages.success(request, text % {"n": ended})
    return redirect("member-sessions")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(_("There is no member with this id.")) from None
