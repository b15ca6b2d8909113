"""How an API request proves who sends it: a bearer key, or the session of a signed-in member."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from apps.accounts.access import Actor, actor_of_session
from apps.accounts.services import actor_of_key, admit_api_key
from apps.core import callers
from apps.core.errors import InvalidApiKey, NotAuthenticated, PermissionDenied


class Program(AnonymousUser):
    """Stands where DRF expects a user when a key, not a person, calls."""

    is_authenticated = True  # type: ignore[assignment]


def actor_of_header(header: str, address: str) -> Actor | None:
    """The actor of an `Authorization: Bearer` header; None when there is none.

    Raises InvalidApiKey when it is wrong, KeyExpired, and AddressNotAllowed for a key that may not come from `address`.
    """
    if not header:
        return None
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise InvalidApiKey("Send the key as `Authorization: Bearer KEY`.")
    return actor_of_key(admit_api_key(secret.strip(), address), address)


def api_actor(request: Request) -> Actor:
    """Who sends an authenticated API request: what the classes below have put into `request.auth`."""
    actor: Any = request.auth
    return cast(Actor, actor)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY`; sets `request.auth` to the Actor."""

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        address = callers.address_of(request._request.META)
        actor = actor_of_header(request.headers.get("authorization", ""), address)
        return (Program(), actor) if actor else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class PersonSessionAuthentication(SessionAuthentication):
    """The session of a signed-in person, who may belong nowhere yet; `request.auth` stays empty."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        inner: HttpRequest = request._request
        if not inner.user.is_authenticated:
            return None
        self.enforce_csrf(request)
        return inner.user, None


class MemberSessionAuthentication(SessionAuthentication):
    """The dashboard's own calls: session cookie with CSRF check; sets `request.auth` to the Actor."""

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        inner: HttpRequest = request._request
        if not inner.user.is_authenticated:
            return None
        self.enforce_csrf(request)
        actor = actor_of_session(inner)
        if actor is not None and actor.impersonator_id:
            raise PermissionDenied("Support uses pages; the API is for members and programs.")
        if actor is None:
            raise NotAuthenticated("You do not belong to an organization.")
        return inner.user, actor
