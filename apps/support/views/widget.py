"""The chat window that a customer's site shows in a frame, and the small script that puts it there.

The window comes from this origin, so that the site's scripts cannot read it, and only sites that the inbox names may
show it. Neither knows a session or sets a cookie: what a browser is known by lies in the window's own storage.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from csp.constants import NONE
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET

from apps.core.errors import MillraceError
from apps.core.views import error_response
from apps.support.models import InboxKind
from apps.support.services import files, opening, visiting
from apps.support.services.inboxes import NO_INBOX, by_token

LOADER = settings.BASE_DIR / "static" / "js" / "sdk.js"
LOADER_SECONDS = 300


@require_GET
@xframe_options_exempt
@never_cache
def widget(request: HttpRequest, token: str) -> HttpResponse:
    """The window of an inbox; `locale` is the language that the site asks for."""
    try:
        inbox = by_token(token)
    except MillraceError as error:
        return error_response(request, error)
    if inbox.kind != InboxKind.WIDGET:
        return HttpResponse(_(NO_INBOX), status=404, content_type="text/plain; charset=utf-8")
    wanted = request.GET.get("locale", "").lower().replace("_", "-")
    known = {"en": "en", "zh": "zh-hans", "zh-cn": "zh-hans", "zh-hans": "zh-hans"}
    with translation.override(known.get(wanted) or translation.get_language()):
        is_open, next_opening = visiting.opening_of(inbox)
        look = inbox.settings.get("look", {})
        facts = {
            "token": inbox.token,
            "colour": look.get("colour", ""),
            "isOpen": is_open,
            "opening": next_opening,
            "tellsOpening": opening.is_heard(inbox),
            "texts": _texts(),
            "files": {"most": files.MOST_FILES, "bytes": files.MOST_BYTES, "endings": sorted(files.ENDINGS)},
        }
        context = {"inbox": inbox, "title": look.get("title") or inbox.name, "is_open": is_open, "facts": facts}
        context["accept"] = ",".join(sorted(files.ENDINGS))
        response = render(request, "support/widget.html", context)
    response._csp_replace = {"frame-ancestors": inbox.origins or [NONE]}  # type: ignore[attr-defined]
    # Pictures that are about to be sent, or were fetched with what the visitor is known by.
    response._csp_update = {"img-src": ["blob:"]}  # type: ignore[attr-defined]
    # A window of its own asks the frame that it came from who is there.
    response["cross-origin-opener-policy"] = "unsafe-none"
    return response


def _texts() -> dict[str, Any]:
    """What the window's script says."""
    return {
        "you": _("You"),
        "bot": _("Assistant"),
        "typing": _("{names} is typing"),
        "notSent": _("Not sent."),
        "again": _("Send again"),
        "lost": _("The line is down; what you write waits here."),
        "none": _("No conversation yet."),
        "conversation": _("Conversation {number}"),
        "resolved": _("resolved"),
        "rate": _("{score} of 5"),
        "thanks": _("Thank you."),
        "nextOpening": _("Somebody is there again on {moment}."),
        "emailNeeded": _("Leave your e-mail address, so that the answer reaches you."),
        "refused": _("This did not work: {reason}"),
        "file": _("File"),
        "fileAdded": _("{name} will be sent."),
        "fileRemove": _("Take out {name}"),
        "fileRemoved": _("{name} was taken out."),
        "fileKind": _("Files like {name} are not taken."),
        "fileEmpty": _("{name} is empty."),
        "fileLarge": _("{name} is too large: a file has at most {most}."),
        "fileMany": _("At most {most} files at a time."),
        "fileInfected": _("A virus was found in this file. It was removed."),
        "fileUnchecked": _("This file could not be checked for viruses."),
        "sending": _("Sending"),
    }


@cache
def _loader() -> bytes:
    return LOADER.read_bytes()


@require_GET
def sdk(request: HttpRequest) -> HttpResponse:
    """The script that a customer's page loads, at the address that Chatwoot's has."""
    response = HttpResponse(_loader(), content_type="text/javascript; charset=utf-8")
    response["cache-control"] = f"public, max-age={LOADER_SECONDS}"
    response["cross-origin-resource-policy"] = "cross-origin"
    response["access-control-allow-origin"] = "*"
    return response
