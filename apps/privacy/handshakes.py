"""Who opens a WebSocket: the program or the member behind its handshake, and how one that is refused is closed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, parse_cookie

from apps.accounts.access import Actor, actor_of_session
from apps.accounts.authentication import actor_of_header
from apps.core import callers
from apps.core.errors import AccessRevoked, MillraceError, NotAuthenticated
from apps.privacy.services import require_accepted

# Close codes in the range applications may use: the HTTP status they stand for, behind a 4.
NOT_AUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_REQUEST, TRY_AGAIN = 4401, 4403, 4404, 4400, 1013
# RFC 6455's registry: the server restarts, and a client that comes back finds another one.
SERVICE_RESTART = 1012
# Whoever had been let in may not stay: removed, signed out, or without the permission.
ACCESS_REVOKED = 4410
CLOSE_CODES = {400: BAD_REQUEST, 401: NOT_AUTHENTICATED, 403: FORBIDDEN, 404: NOT_FOUND, 503: TRY_AGAIN}


def close_code(error: MillraceError) -> int:
    return ACCESS_REVOKED if isinstance(error, AccessRevoked) else CLOSE_CODES.get(error.status, 1011)


def _session_of(cookies: str) -> SessionBase:
    """The session that the handshake's cookie names; a new, empty one without it."""
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    return store(parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME))


def address_of_scope(scope: Mapping[str, Any]) -> str:
    """Where a handshake comes from, as for a request."""
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    client, forwarded = scope.get("client"), headers.get(b"x-forwarded-for", b"").decode("latin-1")
    return callers.address_of({"REMOTE_ADDR": client[0] if client else "", "HTTP_X_FORWARDED_FOR": forwarded})


def actor_of_scope(scope: dict[str, Any]) -> Actor:
    """The program of the Authorization header, else the member of the session cookie; raises NotAuthenticated."""
    headers = dict(scope["headers"])
    header = headers.get(b"authorization", b"").decode("latin-1")
    actor = actor_of_header(header, address_of_scope(scope))
    if actor is None:
        request = HttpRequest()
        request.session = _session_of(headers.get(b"cookie", b"").decode("latin-1"))
        request.user = get_user(request)
        if request.user.is_authenticated:
            require_accepted(request.user.pk)
            actor = actor_of_session(request)
    if actor is None:
        raise NotAuthenticated("Sign in, or send `Authorization: Bearer KEY` with the handshake.")
    return actor
