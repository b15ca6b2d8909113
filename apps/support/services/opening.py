"""That a visitor has opened the window: told to programs that ask for it, as Chatwoot's `webwidget_triggered`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.core import events, tenancy
from apps.core.eventtypes import matches
from apps.support.masking import clean
from apps.support.models import ContactSession, Inbox
from apps.support.services import bot_calls
from apps.support.services.desk import settings_of
from apps.support.services.visitors import Visitor
from apps.webhooks.models import Endpoint, EndpointKind, Format, Stopped

TYPE, NAME = "support_widget.opened", "webwidget.triggered"
# Who opens and closes it in turns has opened it once.
AGAIN_AFTER = timedelta(seconds=30)
LONGEST_PAGE = 300
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,4}){0,3}")


@dataclass(frozen=True, slots=True)
class Opened:
    """Where the window was opened; of the page's address what stands behind `?` and `#` is left out."""

    page: str = ""
    language: str = ""
    browser_language: str = ""


def is_heard(inbox: Inbox) -> bool:
    """Whether anybody asks for it: a visitor who only looks is then told of, and otherwise leaves no trace.

    Whoever asks for everything in another format than Chatwoot's does not mean this.
    """
    if inbox.agent_bot_id is not None:
        return True
    with tenancy.scope(inbox.organization_id):
        rows = Endpoint.objects.filter(kind=EndpointKind.EVENTS, stopped=Stopped.NO)
        asking = list(rows.values_list("format", "types"))
    return any(matches(TYPE, types) and (format == Format.CHATWOOT or types) for format, types in asking)


def note(visitor: Visitor, opened: Opened) -> bool:
    """Tells of it, unless it has just been told; False where it was."""
    now = timezone.now()
    with tenancy.scope(visitor.organization_id):
        row: ContactSession = ContactSession.objects.select_for_update(of=("self",)).get(pk=visitor.session.pk)
        before = parse_datetime((row.opened or {}).get("at", ""))
        if before is not None and before > now - AGAIN_AFTER:
            return False
        row.opened = {"at": now.isoformat(), **_kept(visitor, opened)}
        row.save(update_fields=["opened"])
        bot = Inbox.objects.filter(pk=row.inbox_id).values_list("agent_bot_id", flat=True).first()
        if bot is not None:
            bot_calls.opened(row, bot)
        facts = {"inbox": str(row.inbox_id), "contact": str(row.contact_id), "verified": row.verified}
        events.record("support_widget.opened", row.pk, facts)
    return True


def _kept(visitor: Visitor, opened: Opened) -> dict[str, Any]:
    """Masked like all that visitors send; a page's address may have a number in its path."""
    masked = settings_of(visitor.organization_id).masked
    return {
        "page": clean(page_of(opened.page), masked).text[:LONGEST_PAGE],
        "language": _tag(opened.language),
        "browser_language": _tag(opened.browser_language),
    }


def _tag(language: str) -> str:
    """What may be the tag of a language (RFC 5646), and nothing else that somebody puts in its place."""
    return language if _TAG.fullmatch(language) else ""


def page_of(address: str) -> str:
    """Without what a site may have put into it about its visitor."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
