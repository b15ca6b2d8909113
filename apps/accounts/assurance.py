"""What a session has proved, and whether that is enough for an organization's security policy.

The decision is a pure function of the policy and the session, so that pages, the API and WebSockets cannot differ.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest

from apps.accounts.models import SecurityPolicy, User
from apps.core.errors import MfaRequired, OwnSignInRequired, SsoRequired, StepUpRequired

# In the session: organization id → how its connection vouched for the person.
MARKS_KEY = "single_sign_on"
# The session was made by a connection and by nothing of the person's own.
FOREIGN_KEY = "made_by_single_sign_on"
# Organization id → Unix seconds until which an owner's code opens it.
BREAK_GLASS_KEY = "break_glass"
BREAK_GLASS_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Mark:
    """That a connection vouched for the session's person; `at` in Unix seconds, `mfa` if with a second factor."""

    connection: str
    at: float
    mfa: bool


@dataclass(frozen=True, slots=True)
class Proofs:
    """What one session has proved, as far as one organization is concerned."""

    mark: Mark | None
    own: bool
    second_factor: bool
    break_glass_until: float


def proofs_of(request: HttpRequest, user: User, organization_id: UUID) -> Proofs:
    """Read from the session, and from what allauth noted in it when the person signed in."""
    session, key = request.session, str(organization_id)
    given = session.get(MARKS_KEY, {}).get(key)
    records = get_authentication_records(request, user)
    return Proofs(
        mark=Mark(given["connection"], given["at"], given["mfa"]) if given else None,
        own=not session.get(FOREIGN_KEY) or _signed_in_themselves(user, records),
        second_factor=any(record.get("method") == "mfa" for record in records),
        break_glass_until=session.get(BREAK_GLASS_KEY, {}).get(key, 0),
    )


def _signed_in_themselves(user: User, records: list[dict[str, Any]]) -> bool:
    """Whether a session that a connection made has since seen something of the person's own.

    A password alone is not enough of somebody with two factors, nor is a reset ever: whoever runs the connection may
    read that person's mail as well.
    """
    methods = {record.get("method") for record in records} - {"password_reset"}
    return "mfa" in methods or (bool(methods) and not is_mfa_enabled(user))


def missing(policy: SecurityPolicy | None, proofs: Proofs, now: datetime) -> StepUpRequired | None:
    """What the session must still prove before it may act in the organization; None if nothing."""
    is_vouched = policy is not None and vouched(policy, proofs.mark, now)
    if not proofs.own and not is_vouched:
        if policy is not None and policy.connections and proofs.mark is not None:
            return SsoRequired("This organization's single sign-on has worn off: sign in through it again.")
        return OwnSignInRequired("Sign in as yourself to open this organization.")
    if policy is None:
        return None
    emergency = proofs.break_glass_until > now.timestamp()
    if policy.needs_sso(now) and not is_vouched and not emergency:
        return SsoRequired("This organization demands single sign-on.")
    with_idp = is_vouched and proofs.mark is not None and proofs.mark.mfa
    if policy.needs_mfa(now) and not proofs.second_factor and not with_idp:
        return MfaRequired("This organization demands a second factor.")
    return None


def vouched(policy: SecurityPolicy, mark: Mark | None, now: datetime) -> bool:
    """Whether a connection that counts has vouched for the session's person, lately enough."""
    if mark is None or not policy.counts(mark.connection):
        return False
    return mark.at <= now.timestamp() + 60 and now.timestamp() < mark.at + policy.sso_session_hours * 3600


def note_sign_on(session: MutableMapping[str, Any], organization_id: UUID, connection_id: UUID, mfa: bool) -> None:
    """Writes into the session that the organization's connection has just vouched for its person."""
    marks: Mapping[str, Any] = session.get(MARKS_KEY, {})
    mark = {"connection": str(connection_id), "at": time.time(), "mfa": mfa}
    session[MARKS_KEY] = {**marks, str(organization_id): mark}


def note_break_glass(session: MutableMapping[str, Any], organization_id: UUID) -> None:
    """Opens the organization to the session for an hour, whatever its policy says about single sign-on."""
    opened: Mapping[str, Any] = session.get(BREAK_GLASS_KEY, {})
    session[BREAK_GLASS_KEY] = {**opened, str(organization_id): time.time() + BREAK_GLASS_SECONDS}
