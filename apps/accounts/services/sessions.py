"""Ending sessions: removing the row signs that browser out with its next request."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts.models import BrowserSession
from apps.accounts.sessions import session_handle
from apps.core import revocation


def sessions_of(user_id: UUID) -> QuerySet[BrowserSession]:
    """The person's sessions that are still valid, the one used last first."""
    live = BrowserSession.objects.filter(user_id=user_id, expire_date__gt=timezone.now())
    return live.order_by("-seen_at", "session_key")


def end_session(user_id: UUID, handle: str) -> str | None:
    """Ends the one session of the person that has this handle, and returns its key; None if there is none."""
    for session in BrowserSession.objects.filter(user_id=user_id):
        if constant_time_compare(session_handle(session.session_key), handle):
            key: str = session.session_key
            session.delete()
            revocation.announce(subject_id=user_id)
            return key
    return None


def end_sessions(user_id: UUID, *, keep: str | None = None) -> int:
    """Signs the person out everywhere, but for the session with the key `keep`; returns how many ended."""
    ending = BrowserSession.objects.filter(user_id=user_id)
    if keep is not None:
        ending = ending.exclude(session_key=keep)
    ended, _ = ending.delete()
    revocation.announce(subject_id=user_id)
    return ended
