"""The life of a licence: issued, renewed, suspended, revoked, reinstated, transferred.

The licence's row is locked first, then the revocation list, then the organization's audit chain and events.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.ids import uuid7
from apps.licensing.errors import LicenceNotServed
from apps.licensing.models import SERVED, Licence, Machine, Policy, Purpose, SeatLease, SigningJob, State
from apps.licensing.services.products import MANAGE, MOST_DAYS, NO_POLICY, READ, Grant, check_number
from apps.licensing.services.signing import ask, change_revocations, database_now
from ml.licensing import key_digest, new_key

NO_LICENCE = gettext_noop("There is no licence with this id.")
LONGEST_REASON = 300


def issue_licence(
    actor: Actor, policy_id: UUID, licensee: str, email: str, changes: Mapping[str, Any] | None = None
) -> tuple[Licence, str]:
    """Issues a licence by hand, and returns it with its key, which is shown this once.

    `changes` are terms other than the policy's, and `days`.
    """
    actor.require(MANAGE)
    actor.require_open()
    changes = changes or {}
    who = checked_licensee(licensee, email)
    with tenancy.scope(actor.organization_id):
        policy: Policy | None = Policy.objects.select_related("product").filter(pk=policy_id).first()
        if policy is None:
            raise NotFound(NO_POLICY)
        grant = Grant.changed(policy.terms, changes)
        days = changes.get("days", policy.days)
        check_number(days, "days", MOST_DAYS)
        return create(actor, policy, grant, days, who)


def create(
    actor: Actor, policy: Policy, grant: Grant, days: int | None, columns: Mapping[str, Any]
) -> tuple[Licence, str]:
    """A licence, in the scope of its vendor, whose permission the caller has checked."""
    id, now = uuid7(), database_now()
    key = new_key(id)
    licence = Licence.objects.create(
        id=id,
        organization_id=policy.organization_id,
        policy=policy,
        starts_at=now,
        expires_at=now + timedelta(days=days) if days else None,
        **key_columns(key),
        **grant.facts(),
        **columns,
    )
    ask(Purpose.LICENCE, licence)
    facts = {"licensee": licence.licensee, "product": policy.product.name, "policy": policy.name}
    audit.record(actor, "licence.issued", licence, **facts, until=_day(licence.expires_at))
    events.record("licence.issued", licence.pk, facts)
    return licence, key


def key_columns(key: str) -> dict[str, Any]:
    """What is kept of a key."""
    return {"key_digest": key_digest(key), "key_hint": f"…{key[-4:]}"}


def renew(actor: Actor, id: UUID, days: int) -> Licence:
    """Adds days at the licence's end, or from now on where that has passed; also to one in grace or expired."""
    actor.require(MANAGE)
    check_number(days, "days", MOST_DAYS)
    with tenancy.scope(actor.organization_id):
        licence = locked(id)
        if licence.revoked_at is not None:
            raise Conflict("This licence has been revoked; reinstate it first, or issue another.")
        if licence.expires_at is None:
            raise Conflict("This licence has no end.")
        before = licence.expires_at
        licence.expires_at = max(before, database_now()) + timedelta(days=days)
        _change(licence, "expires_at")
        ends = {"before": {"until": _day(before)}, "after": {"until": _day(licence.expires_at)}}
        audit.record(actor, "licence.renewed", licence, **ends)
        events.record("licence.renewed", licence.pk, {"expires_at": licence.expires_at.isoformat()})
    return licence


def suspend(actor: Actor, id: UUID, reason: str = "") -> Licence:
    """Serves a licence no more for the time being: its present file goes on until it must be fetched anew."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        licence = locked(id)
        if licence.suspended_at is None and licence.revoked_at is None:
            licence.suspended_at, licence.reason = database_now(), _reason(reason)
            licence.save(update_fields=["suspended_at", "reason"])
            audit.record(actor, "licence.suspended", licence, reason=licence.reason)
            events.record("licence.suspended", licence.pk, {"reason": licence.reason})
    return licence


def revoke(actor: Actor, id: UUID, reason: str) -> Licence:
    """Puts a licence on the revocation list; offline it ends when its file must be fetched anew, at the latest."""
    actor.require(MANAGE)
    if not reason.strip():
        raise InvalidRequest("Say why the licence is revoked.", param="reason")
    with tenancy.scope(actor.organization_id):
        licence = locked(id)
        revoke_locked(actor, licence, reason)
    return licence


def revoke_locked(actor: Actor, licence: Licence, reason: str) -> None:
    """The same for a licence that the caller has locked; revoked again it stays as it is."""
    if licence.revoked_at is not None:
        return
    licence.revoked_at, licence.reason = database_now(), _reason(reason)
    licence.save(update_fields=["revoked_at", "reason"])
    SeatLease.objects.filter(licence=licence).delete()
    change_revocations()
    audit.record(actor, "licence.revoked", licence, reason=licence.reason)
    events.record("licence.revoked", licence.pk, {"reason": licence.reason})


def reinstate(actor: Actor, id: UUID) -> Licence:
    """Serves a suspended or revoked licence again; a revoked one leaves the list with its next number."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        licence = locked(id)
        if licence.suspended_at is None and licence.revoked_at is None:
            raise Conflict("This licence is neither suspended nor revoked.")
        reinstate_locked(actor, licence)
    return licence


def reinstate_locked(actor: Actor, licence: Licence) -> None:
    """The same for a licence that the caller has locked."""
    was_listed = licence.revoked_at is not None
    licence.suspended_at = licence.revoked_at = None
    licence.reason = ""
    _change(licence, "suspended_at", "revoked_at", "reason")
    if was_listed:
        change_revocations()
    audit.record(actor, "licence.reinstated", licence)
    events.record("licence.reinstated", licence.pk, {"licensee": licence.licensee})


def transfer(actor: Actor, id: UUID, licensee: str, email: str) -> tuple[Licence, str]:
    """Gives a licence to somebody else: a new key, and no machine and no seat of the one before."""
    actor.require(MANAGE)
    who = checked_licensee(licensee, email)
    with tenancy.scope(actor.organization_id):
        licence = locked(id)
        require_served(licence)
        before = {"licensee": licence.licensee, "email": licence.email}
        key = new_key(licence.pk)
        for name, value in (who | key_columns(key)).items():
            setattr(licence, name, value)
        licence.holder_id = None
        Machine.objects.filter(licence=licence, released_at__isnull=True).update(released_at=database_now())
        SeatLease.objects.filter(licence=licence).delete()
        _change(licence, *who, "key_digest", "key_hint", "holder_id")
        audit.record(actor, "licence.transferred", licence, before=before, after=who)
        events.record("licence.transferred", licence.pk, {"licensee": licence.licensee})
    return licence, key


def replace_key(actor: Actor, id: UUID) -> tuple[Licence, str]:
    """A new key in place of the present one, which works no more; machines stay active."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        return replace_key_of(actor, locked(id))


def replace_key_of(actor: Actor, licence: Licence) -> tuple[Licence, str]:
    """The same for a licence that the caller has locked in its vendor's scope."""
    key = new_key(licence.pk)
    for name, value in key_columns(key).items():
        setattr(licence, name, value)
    licence.save(update_fields=["key_digest", "key_hint"])
    audit.record(actor, "licence.key_replaced", licence)
    events.record("licence.key_replaced", licence.pk, {"licensee": licence.licensee})
    return licence, key


def request_file(actor: Actor, id: UUID) -> SigningJob:
    """Has the licence's file signed anew."""
    actor.require(MANAGE)
    return refresh_file(actor, id)


def refresh_file(actor: Actor, id: UUID) -> SigningJob:
    """The same for a licensee's program, which its licence key has admitted."""
    with tenancy.scope(actor.organization_id):
        licence = locked(id)
        require_served(licence)
        return ask(Purpose.LICENCE, licence)


def get_licence(actor: Actor, id: UUID, permission: str = READ) -> Licence:
    """One licence with its state, policy and product; whoever has changed it is shown it by that permission."""
    actor.require(permission)
    with tenancy.scope(actor.organization_id):
        licence: Licence | None = Licence.objects.for_pages().filter(pk=id).first()
    if licence is None:
        raise NotFound(NO_LICENCE)
    return licence


# ---------------------------------------------------------------- parts


def locked(id: UUID) -> Licence:
    """The licence with its state, locked until commit; the caller is in its vendor's scope."""
    rows = Licence.objects.with_state().select_for_update(of=("self",)).select_related("policy__product")
    licence: Licence | None = rows.filter(pk=id).first()
    if licence is None:
        raise NotFound(NO_LICENCE)
    return licence


def require_served(licence: Licence) -> None:
    """Raises LicenceNotServed while nothing new may begin under the licence."""
    state: str = licence.state  # type: ignore[attr-defined]  # annotated by the query
    if state not in SERVED:
        raise LicenceNotServed("This licence is %(state)s.", values={"state": State(state).label})


def checked_licensee(licensee: str, email: str) -> dict[str, str]:
    licensee, email = licensee.strip(), email.strip()
    if not 1 <= len(licensee) <= 200:
        raise InvalidRequest("Name the licensee, in 1 to 200 characters.", param="licensee")
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidRequest("This is not an e-mail address.", param="email") from None
    return {"licensee": licensee, "email": email}


def _change(licence: Licence, *columns: str) -> None:
    """Saves what the licence's file says, and has a new one signed."""
    licence.version += 1
    licence.save(update_fields=[*columns, "version"])
    ask(Purpose.LICENCE, licence)


def _reason(text: str) -> str:
    return text.strip()[:LONGEST_REASON]


def _day(moment: datetime | None) -> str | None:
    return moment.date().isoformat() if moment else None
