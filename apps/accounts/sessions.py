"""The session store: rows that know whose browser they are, and that end by themselves.

A session ends when nobody used it for `SESSION_IDLE_SECONDS`, and `SESSION_COOKIE_AGE` seconds after signing in in any
case. Both are part of `expire_date`, so that reading a session asks one question, as Django's own store does; use is
noted once in `NOTED_SECONDS`, by the read that loads the session anyway.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.utils import timezone
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    # The stubs know neither its private halves nor that the model may be another.
    DatabaseStore: Any
else:
    from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

# In the session's data: when the person signed in, in Unix seconds.
STARTED_KEY = "signed_in_at"
NOTED_SECONDS = 60


def started_at(data: Any) -> float:
    """When the session's person signed in, in Unix seconds; 0 for a stranger's."""
    return float(data.get(STARTED_KEY) or 0)


def session_handle(session_key: str) -> str:
    """What pages and other tables may call a session: the key itself is the cookie, which nobody is shown."""
    return salted_hmac("accounts.session", session_key, algorithm="sha256").hexdigest()[:32]


def _ends_at(started: float) -> datetime:
    """What comes first: nobody uses the session, or it has lasted as long as any may."""
    now = timezone.now()
    idle = now + timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    begun = datetime.fromtimestamp(started, UTC) if started else now
    return min(idle, begun + timedelta(seconds=settings.SESSION_COOKIE_AGE))


def _caller() -> dict[str, Any]:
    """Where the request comes from, as the request's own log lines have it; nothing outside a request."""
    context = structlog.contextvars.get_contextvars()
    return {"address": context.get("address") or None, "agent": context.get("agent", "")}


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from apps.accounts.models import BrowserSession

        return BrowserSession

    def create_model_instance(self, data: Any) -> Any:
        row = self._described(data)
        row.session_key = self._get_or_create_session_key()
        return row

    async def acreate_model_instance(self, data: Any) -> Any:
        row = self._described(data)
        row.session_key = await self._aget_or_create_session_key()
        return row

    def _described(self, data: Any) -> Any:
        user_id = data.get(USER_KEY)
        if user_id and STARTED_KEY not in data:
            data[STARTED_KEY] = time.time()
        started = started_at(data)
        return self.model(
            session_data=self.encode(data),
            expire_date=_ends_at(started),
            user_id=user_id,
            started_at=datetime.fromtimestamp(started, UTC) if started else None,
            seen_at=timezone.now(),
            **_caller(),
        )

    def load(self) -> Any:
        row = self._get_session_from_db()
        if row is None:
            return {}
        if self._stale(row):
            self._same(row).update(**self._use(row))
        return self.decode(row.session_data)

    async def aload(self) -> Any:
        row = await self._aget_session_from_db()
        if row is None:
            return {}
        if self._stale(row):
            await self._same(row).aupdate(**self._use(row))
        return self.decode(row.session_data)

    def _stale(self, row: Any) -> bool:
        return bool(row.user_id) and timezone.now() - row.seen_at > timedelta(seconds=NOTED_SECONDS)

    def _same(self, row: Any) -> Any:
        return self.model.objects.filter(session_key=row.session_key)

    def _use(self, row: Any) -> dict[str, Any]:
        started = row.started_at.timestamp() if row.started_at else 0.0
        return {"seen_at": timezone.now(), "expire_date": _ends_at(started), **_caller()}
