"""Members' sessions as an administrator sees and ends them.

A session is a person's, and may be open in several organizations. Ending one here ends it for this organization; for
good, only where the person's address is of a domain that the organization has shown to be its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.apps import apps
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import BrowserSession, ClosedSession, Membership
from apps.accounts.services.grants import require_over
from apps.accounts.services.members import NO_MEMBER
from apps.accounts.services.organizations import get_organization
from apps.accounts.services.sessions import sessions_of
from apps.accounts.sessions import session_handle
from apps.core import revocation, tenancy
from apps.core.errors import NotFound

MANAGE = "sessions:manage"


def member_sessions(actor: Actor, search: str = "") -> QuerySet[BrowserSession]:
    """Live sessions of the organization's members, the one used last first; to be read in its scope."""
    actor.require(MANAGE)
    members = Membership.objects.matching(search).values("user_id")
    live = BrowserSession.objects.filter(user_id__in=members, expire_date__gt=timezone.now())
    return live.select_related("user").order_by("-seen_at", "session_key")


def closed_among(handles: Iterable[str]) -> set[str]:
    """Which of these sessions the organization in scope has ended for itself."""
    return set(ClosedSession.objects.filter(handle__in=list(handles)).values_list("handle", flat=True))


def end_member_session(actor: Actor, user_id: UUID, handle: str) -> None:
    """Ends one session of a member; NotFound where the member has none of this handle."""
    with tenancy.scope(actor.organization_id):
        member = _member(actor, user_id)
        rows = [row for row in sessions_of(user_id) if constant_time_compare(session_handle(row.session_key), handle)]
        if not rows:
            raise NotFound("There is no session like this any more.")
        _end(actor, member, rows)


def end_member_sessions(actor: Actor, user_id: UUID) -> int:
    """Ends all sessions of a member, and says how many there were."""
    with tenancy.scope(actor.organization_id):
        member = _member(actor, user_id)
        return _end(actor, member, sessions_of(user_id))


def end_all_sessions(actor: Actor, keep: str) -> int:
    """Ends the sessions of all members who may do no more than the actor, but for the one with the key `keep`."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        rows: dict[UUID | None, list[BrowserSession]] = {}
        for session in member_sessions(actor).exclude(session_key=keep):
            rows.setdefault(session.user_id, []).append(session)
        members = Membership.objects.for_pages().filter(user_id__in=rows)
        within = [member for member in members if member.permissions <= actor.permissions]
        ended = sum(_close(actor, member, rows[member.user_id]) for member in within)
        if ended:
            target = get_organization(actor)
            audit.record(actor, "sessions.all_ended", target, sessions=ended, members=len(within))
            revocation.announce(actor.organization_id)
    return ended


def _member(actor: Actor, user_id: UUID) -> Membership:
    actor.require(MANAGE)
    member: Membership | None = Membership.objects.for_pages().filter(user_id=user_id).first()
    if member is None:
        raise NotFound(NO_MEMBER)
    require_over(actor, member)
    return member


def _end(actor: Actor, member: Membership, sessions: Iterable[BrowserSession]) -> int:
    ended = _close(actor, member, sessions)
    if ended:
        audit.record(actor, "sessions.ended", member, sessions=ended)
        revocation.announce(actor.organization_id, member.user_id)
    return ended


def _close(actor: Actor, member: Membership, sessions: Iterable[BrowserSession]) -> int:
    """Closes those that are not closed already; how many."""
    by_handle = {session_handle(row.session_key): row for row in sessions}
    fresh = by_handle.keys() - closed_among(by_handle)
    if owns_domain_of(member.user.email):
        BrowserSession.objects.filter(session_key__in=[by_handle[handle].session_key for handle in fresh]).delete()
        return len(fresh)
    organization_id, user_id = actor.organization_id, member.user_id
    rows = [ClosedSession(organization_id=organization_id, user_id=user_id, handle=handle) for handle in fresh]
    ClosedSession.objects.bulk_create(rows, ignore_conflicts=True)
    return len(fresh)


def owns_domain_of(email: str) -> bool:
    """Whether the organization in scope has shown that the address's domain is its own."""
    domains = apps.get_model("sso.Domain").objects.verified()
    return bool(domains.filter(name=email.rpartition("@")[2].lower()).exists())
