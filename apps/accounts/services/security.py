"""The organization's security policy: what it demands of sessions, and the codes for when single sign-on is broken."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import DurationField, Exists, ExpressionWrapper, OuterRef, Value
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Membership, OwnerCode, Role, SecurityPolicy, SingleSignOn, User
from apps.core import events, ratelimit, revocation, tenancy
from apps.core.errors import InvalidRequest, PermissionDenied
from apps.core.ratelimit import Bucket

MANAGE = "security:manage"
OWNER_CODES = 8
MOST_GRACE_DAYS = 90
MOST_SESSION_HOURS = 24 * 30
MOST_KEY_DAYS = 365
# Of one organization, by whoever tries: 80 random bits are not guessed at this pace.
CODE_TRIES_A_MINUTE = 5


@dataclass(frozen=True, slots=True)
class Demands:
    """A policy as its form asks for it; `grace_days` counts from now for what was not demanded before."""

    sso_required: bool
    mfa_required: bool
    grace_days: int
    sso_session_hours: int
    keys_need_sso_days: int | None


def get_policy(actor: Actor) -> SecurityPolicy:
    """The organization's policy, an empty one where none was ever set."""
    with tenancy.scope(actor.organization_id):
        found = SecurityPolicy.objects.first()
    return found or SecurityPolicy(organization_id=actor.organization_id)


def set_policy(actor: Actor, demands: Demands, *, vouched: bool) -> list[str]:
    """Sets what the organization demands; returns new owner codes when single sign-on becomes a demand, else nothing.

    `vouched` says that the actor's own session was made by one of its connections: whoever demands single sign-on of
    everybody must have shown that it works.
    """
    actor.require(MANAGE)
    _check(demands)
    now = timezone.now()
    with tenancy.scope(actor.organization_id):
        policy = locked_policy(actor.organization_id)
        before = facts(policy)
        begins = demands.sso_required and policy.sso_required_from is None
        if begins and not (vouched and policy.connections):
            raise InvalidRequest(
                "Sign in through your organization's own connection first: that shows that it works.",
                param="sso_required",
            )
        grace = now + timedelta(days=demands.grace_days)
        policy.sso_required_from = (policy.sso_required_from or grace) if demands.sso_required else None
        policy.mfa_required_from = (policy.mfa_required_from or grace) if demands.mfa_required else None
        policy.sso_session_hours = demands.sso_session_hours
        policy.keys_need_sso_days = demands.keys_need_sso_days
        policy.save()
        codes = _new_codes(actor.organization_id) if begins else []
        after = facts(policy)
        if after != before:
            audit.record(actor, "security.policy_changed", policy, before=before, after=after, owner_codes=len(codes))
            events.record("security.policy_changed", policy.pk, after)
            revocation.announce(actor.organization_id)
    return codes


def _check(demands: Demands) -> None:
    bounds: tuple[tuple[str, int | None, int, int], ...] = (
        ("grace_days", demands.grace_days, 0, MOST_GRACE_DAYS),
        ("sso_session_hours", demands.sso_session_hours, 1, MOST_SESSION_HOURS),
        ("keys_need_sso_days", demands.keys_need_sso_days, 1, MOST_KEY_DAYS),
    )
    for name, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            raise InvalidRequest(
                "%(name)s must be between %(least)s and %(most)s.",
                values={"name": name, "least": least, "most": most},
                param=name,
            )


def facts(policy: SecurityPolicy) -> dict[str, Any]:
    """A policy as the audit trail tells it."""

    def moment(value: datetime | None) -> str | None:
        return value.isoformat(timespec="seconds") if value else None

    return {
        "sso_required_from": moment(policy.sso_required_from),
        "mfa_required_from": moment(policy.mfa_required_from),
        "sso_session_hours": policy.sso_session_hours,
        "keys_need_sso_days": policy.keys_need_sso_days,
    }


def locked_policy(organization_id: UUID) -> SecurityPolicy:
    """The policy's row, made if need be and locked until commit; the caller is in the organization's scope."""
    if not SecurityPolicy.objects.exists():
        SecurityPolicy.objects.bulk_create([SecurityPolicy(organization_id=organization_id)], ignore_conflicts=True)
    policy: SecurityPolicy = SecurityPolicy.objects.select_for_update().get()
    return policy


def set_connections(organization_id: UUID, ids: Iterable[UUID]) -> None:
    """Says which connections count from now on; the service that changes them does so in its own transaction."""
    policy = locked_policy(organization_id)
    policy.connections = sorted(ids)
    policy.save(update_fields=["connections"])
    revocation.announce(organization_id)


# ---------------------------------------------------------------- owners' codes


def renew_owner_codes(actor: Actor) -> list[str]:
    """New codes, shown this once; those before them end. For owners only, since a code acts for an owner."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        _require_owner(actor.user_id)
        policy = locked_policy(actor.organization_id)
        codes = _new_codes(actor.organization_id)
        audit.record(actor, "security.owner_codes_renewed", policy, count=len(codes))
    return codes


def use_owner_code(user: User, membership: Membership, code: str) -> None:
    """Spends a code of the owner's organization, or raises PermissionDenied, the same for every reason."""
    organization_id = membership.organization_id
    ratelimit.charge(f"owner-codes:{organization_id}", [Bucket("requests", CODE_TRIES_A_MINUTE, 1)])
    with tenancy.scope(organization_id):
        unused = OwnerCode.objects.select_for_update().filter(used_at__isnull=True, digest=_digest(code))
        found: OwnerCode | None = unused.first() if membership.role == Role.OWNER else None
        actor = actor_of_membership(membership, user)
        if found is not None:
            found.used_at, found.used_by = timezone.now(), user
            found.save(update_fields=["used_at", "used_by"])
            left = OwnerCode.objects.filter(used_at__isnull=True).count()
            audit.record(actor, "security.owner_code_used", found, left=left)
            events.record("security.owner_code_used", found.pk, {"user": str(user.pk), "left": left})
        else:
            # A refusal is worth knowing too; it must not be rolled back with the error.
            audit.record(actor, "security.owner_code_refused", membership)
    if found is None:
        raise PermissionDenied("This code is not valid here.")


def owner_codes_left(actor: Actor) -> int:
    with tenancy.scope(actor.organization_id):
        return int(OwnerCode.objects.filter(used_at__isnull=True).count())


def _new_codes(organization_id: UUID) -> list[str]:
    OwnerCode.objects.all().delete()
    codes = [secrets.token_hex(10) for _ in range(OWNER_CODES)]
    OwnerCode.objects.bulk_create(OwnerCode(organization_id=organization_id, digest=_digest(code)) for code in codes)
    return ["-".join(code[i : i + 5] for i in range(0, 20, 5)) for code in codes]


def _digest(code: str) -> str:
    return hashlib.sha256("".join(code.split()).replace("-", "").lower().encode()).hexdigest()


def _require_owner(user_id: UUID | None) -> None:
    if not Membership.objects.filter(user_id=user_id, role=Role.OWNER).exists():
        raise PermissionDenied("Only an owner can do this.")


# ---------------------------------------------------------------- what sign-in notes and keys ask


def note_single_sign_on(organization_id: UUID, user_id: UUID, connection_id: UUID) -> None:
    """Remembers when a person last came through a connection; the caller is in the organization's scope."""
    SingleSignOn.objects.update_or_create(
        organization_id=organization_id,
        user_id=user_id,
        defaults={"connection_id": connection_id, "last_at": timezone.now()},
    )


def maker_stays_away() -> Exists:
    """For a query of API keys: whether the policy ties keys to single sign-on, and whoever made the key stays away."""
    days = ExpressionWrapper(OuterRef("keys_need_sso_days") * Value(timedelta(days=1)), output_field=DurationField())
    seen = SingleSignOn.objects.filter(
        organization_id=OuterRef("organization_id"),
        user_id=OuterRef(OuterRef("member__user_id")),
        last_at__gte=Now() - days,
    )
    strict = SecurityPolicy.objects.filter(
        organization_id=OuterRef("organization_id"), keys_need_sso_days__isnull=False
    )
    return Exists(strict.filter(~Exists(seen)))


def stays_away(user_id: UUID) -> bool:
    """Whether the policy ties what people leave behind to single sign-on, and this one stays away; in scope."""
    policy: SecurityPolicy | None = SecurityPolicy.objects.first()
    if policy is None or policy.keys_need_sso_days is None:
        return False
    since = timezone.now() - timedelta(days=policy.keys_need_sso_days)
    return not SingleSignOn.objects.filter(user_id=user_id, last_at__gte=since).exists()
