"""What those who have open streams may do now: asked for many at once, since they are asked about every few seconds."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts import impersonation
from apps.accounts.access import Actor, Belonging, Credential, actor_of_session
from apps.accounts.models import BrowserSession, ClosedSession, Membership, SecurityPolicy, User
from apps.accounts.services.keys import admissible, refuse
from apps.accounts.sessions import SessionStore, session_handle
from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants

Standing = dict[Credential, frozenset[str]]


def permissions_now(credentials: Iterable[Credential]) -> Standing:
    """What each credential allows at this moment; one that is missing allows nothing any more.

    A handful of queries, however many there are, of however many organizations.
    """
    asked = set(credentials)
    keys = {credential for credential in asked if credential.api_key_id}
    with across_tenants(Across.SIGN_IN):
        return _of_keys(keys) | _of_sessions(asked - keys)


def now(actor: Actor) -> Actor:
    """The same actor with what they may do at this moment, which is nothing once they are out."""
    if actor.credential is None:
        return actor
    return replace(actor, permissions=permissions_now([actor.credential]).get(actor.credential, frozenset()))


def _of_keys(credentials: set[Credential]) -> Standing:
    if not credentials:
        return {}
    ids = {credential.api_key_id for credential in credentials}
    rows = {key.pk: key for key in admissible().filter(pk__in=ids)}
    found = Standing()
    for credential in credentials:
        key = rows.get(credential.api_key_id)
        with suppress(MillraceError):
            if key is not None:
                refuse(key, credential.address)
                found[credential] = key.permissions
    return found


def _of_sessions(credentials: set[Credential]) -> Standing:
    if not credentials:
        return {}
    keys = {credential.session_key for credential in credentials}
    live = BrowserSession.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    rows = {row.session_key: row for row in live.select_related("user")}
    closed = ClosedSession.objects.filter(handle__in=[session_handle(key) for key in rows])
    shut = set(closed.values_list("organization_id", "handle"))
    people = {row.user_id for row in rows.values()}
    memberships: dict[tuple[UUID, UUID], Membership] = {}
    for member in Membership.objects.filter(user_id__in=people).select_related("organization", "custom_role"):
        memberships[member.user_id, member.organization_id] = member
    organizations = {credential.organization_id for credential in credentials}
    demands = SecurityPolicy.objects.filter(organization_id__in=organizations)
    policies = {policy.organization_id: policy for policy in demands}
    found = Standing()
    for credential in credentials:
        row = rows.get(credential.session_key)
        if row is None or row.user_id is None:
            continue
        membership = memberships.get((row.user_id, credential.organization_id))
        if impersonation.SESSION_KEY in row.get_decoded():
            actor = _actor_of(row, [], policies)
            if actor and actor.organization_id == credential.organization_id:
                found[credential] = actor.permissions
            continue
        if membership is None:
            continue
        membership.closed_here = (credential.organization_id, session_handle(row.session_key)) in shut
        if actor := _actor_of(row, [membership], policies):
            found[credential] = actor.permissions
    return found


def _actor_of(row: BrowserSession, memberships: list[Membership], policies: dict[UUID, SecurityPolicy]) -> Actor | None:
    """Whom a page would take the session for, decided by the same code, with everything it would ask already read."""
    request = HttpRequest()
    request.session = SessionStore(row.session_key)
    request.session._session_cache = data = row.get_decoded()
    user = row.user
    if user is None or not _still_signed_in(user, data.get(HASH_SESSION_KEY, "")):
        return None
    request.user = user
    request.belonging = Belonging(memberships, policies)  # type: ignore[attr-defined]
    try:
        return actor_of_session(request)
    except MillraceError:
        return None


def _still_signed_in(user: User, stamp: str) -> bool:
    """A new password ends the sessions that were made with the old one."""
    return user.is_active and constant_time_compare(stamp, user.get_session_auth_hash())
