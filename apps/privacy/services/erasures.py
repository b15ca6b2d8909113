"""Erasing a person: who may ask, what it will do, doing it, and doing it again after a restore."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import models, transaction
from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.access import Actor, memberships_of
from apps.accounts.models import Membership, Role, User
from apps.accounts.services import remove_again
from apps.accounts.services.members import refuse_for_last_owner
from apps.accounts.services.organizations import locked
from apps.core import events, jobs, revocation, tenancy
from apps.core.datakinds import DataKind, Erasing, OnErasure, Texts
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.privacy.models import Erasure, Export, Scope
from apps.privacy.services import register
from apps.privacy.services.exports import MANAGE, WAKE, authorized_person
from apps.privacy.services.people import counts_of, kinds_about_people, organizations_about, require_known

BATCH = 500
# Work of the person's that still runs is told to stop, and given this long to end.
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.5
_LAST = (OnErasure.PSEUDONYM,)

log = structlog.get_logger(__name__)


class StillRunning(RuntimeError):
    """Something of the person's has not ended in time; the erasure fails visibly and can be asked for again."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What an erasure does to the rows of one kind."""

    kind: DataKind
    rows: int


def preview(actor: Actor, scope: Scope, person_id: UUID | None) -> list[Fate]:
    """What an erasure would touch, kind by kind; raises what `request_erasure` raises."""
    person_id = _permitted(actor, scope, person_id)
    counts: dict[str, int] = {}
    organizations = [actor.organization_id] if scope == Scope.MEMBER else organizations_about(person_id)
    for organization_id in organizations:
        with tenancy.scope(organization_id):
            for name, count in counts_of(person_id, of_organizations=True).items():
                counts[name] = counts.get(name, 0) + count
    found = kinds_about_people(of_organizations=True)
    if scope == Scope.ACCOUNT:
        counts |= counts_of(person_id, of_organizations=False)
        found = kinds_about_people(of_organizations=False) + found
    return [Fate(kind, counts[kind.name]) for kind in found if counts.get(kind.name)]


def request_erasure(actor: Actor, scope: Scope, person_id: UUID | None, texts: Texts) -> Erasure:
    """Asks for an erasure, which cannot be taken back.

    Raises PermissionDenied, NotFound for somebody of whom nothing is stored here, and Conflict for the only owner of an
    organization and for an erasure that is under way.
    """
    person_id = _permitted(actor, scope, person_id)
    with tenancy.scope(actor.organization_id):
        if Erasure.objects.unfinished().filter(person_id=person_id).exists():
            raise Conflict("The erasure of this person is under way already.")
        erasure: Erasure = Erasure.objects.create(
            organization_id=actor.organization_id,
            scope=scope,
            person_id=person_id,
            requested_by_id=actor.user_id,
            texts=texts,
            pseudonym=f"erased-{secrets.token_hex(6)}",
            request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        )
        erasure.refresh_from_db()
        audit.record(actor, "privacy.erasure_requested", erasure, scope=scope, texts=texts)
        jobs.ring(WAKE)
    return erasure


def _permitted(actor: Actor, scope: Scope, person_id: UUID | None) -> UUID:
    if scope == Scope.ORGANIZATION:
        raise InvalidRequest("An organization is deleted on its settings page, not erased.", param="scope")
    person_id = authorized_person(actor, scope, person_id)
    if person_id is None:
        raise InvalidRequest("Say who is to be erased.", param="person")
    if scope == Scope.MEMBER:
        _permit_member(actor, person_id)
    else:
        _refuse_only_owner(person_id)
    return person_id


def _permit_member(actor: Actor, person_id: UUID) -> None:
    if person_id == actor.user_id:
        raise InvalidRequest("Erase your own account on the page “Your data”.", param="person")
    with tenancy.scope(actor.organization_id):
        require_known(person_id)
        is_owner = Membership.objects.filter(user_id=person_id, role=Role.OWNER).exists()
    if is_owner and "ownership:transfer" not in actor.permissions:
        raise PermissionDenied("Only an owner can erase an owner.")


def _refuse_only_owner(person_id: UUID, organization_id: UUID | None = None) -> None:
    """Raises Conflict where nobody would own an organization any more: this one, or without it any of theirs."""
    left_behind = []
    for membership in memberships_of(User.objects.get(pk=person_id)):
        if membership.role != Role.OWNER or organization_id not in {None, membership.organization_id}:
            continue
        with tenancy.scope(membership.organization_id):
            if not Membership.objects.filter(role=Role.OWNER).exclude(user_id=person_id).exists():
                left_behind.append(membership.organization.name)
    if left_behind:
        names = ", ".join(left_behind)
        raise Conflict(
            "This account is the only owner of %(names)s. Hand it to somebody else, or delete it, first.",
            values={"names": names},
        )


def _give_up_ownership(person_id: UUID, organization_id: UUID | None = None) -> None:
    """Makes an owner who is about to be erased an ordinary member, under the lock that other owners leave under.

    Otherwise an owner could leave between the check and the end of this membership, each counting on the other.
    """
    for membership in memberships_of(User.objects.get(pk=person_id)):
        if organization_id not in {None, membership.organization_id}:
            continue
        with tenancy.scope(membership.organization_id):
            locked(membership.organization_id)
            own = Membership.objects.filter(pk=membership.pk, role=Role.OWNER).first()
            if own is None:
                continue
            refuse_for_last_owner(own)
            own.role = Role.MEMBER
            own.save(update_fields=["role"])
            system = audit.system(membership.organization_id)
            roles = {"before": {"role": Role.OWNER.value}, "after": {"role": Role.MEMBER.value}}
            audit.record(system, "membership.role_changed", own, **roles)
            revocation.announce(membership.organization_id, person_id)


def get_erasure(actor: Actor, id: UUID) -> Erasure:
    """One erasure that the actor may see; NotFound for anybody else's alike."""
    with tenancy.scope(actor.organization_id):
        found: Erasure | None = (
            Erasure.objects.visible_to(actor.user_id, MANAGE in actor.permissions).filter(pk=id).first()
        )
    if found is None:
        raise NotFound("There is no erasure with this id.")
    return found


# ---------------------------------------------------------------- doing it
def carry_out(erasure: Erasure, keep: Callable[[], None]) -> dict[str, int]:
    """Erases, and may be run again from the start; `keep` is called between batches and may raise to break off.

    The register has it before the first row is touched: what has begun is completed after any crash or restore.
    """
    if erasure.person_id is None:
        return {}
    organization_id = erasure.organization_id if erasure.scope == Scope.MEMBER else None
    # Other owners may have left since it was asked for.
    _refuse_only_owner(erasure.person_id, organization_id)
    _give_up_ownership(erasure.person_id, organization_id)
    line = register.Line(
        register.digest(erasure.person_id),
        register.digest(organization_id),
        Texts(erasure.texts),
        erasure.pseudonym,
        erasure.created_at.isoformat(),
    )
    register.note(line)
    return erase(register.Known(erasure.person_id, organization_id, line), keep)


def erase_account(person_id: UUID, texts: Texts, pseudonym: str, now: datetime) -> dict[str, int]:
    """Erases an account at once, for the operator; raises Conflict for the only owner of an organization."""
    _refuse_only_owner(person_id)
    _give_up_ownership(person_id)
    line = register.Line(register.digest(person_id), "", texts, pseudonym, now.isoformat())
    register.note(line)
    return erase(register.Known(person_id, None, line), lambda: None)


def erase(known: register.Known, keep: Callable[[], None]) -> dict[str, int]:
    """Takes a person out of one organization, or out of all of them and out of the account as well; rows by kind."""
    counts: dict[str, int] = {}
    whole = known.organization_id is None
    for organization_id in [known.organization_id] if known.organization_id else organizations_about(known.person_id):
        erasing = Erasing(known.person_id, organization_id, known.line.pseudonym, known.line.texts, whole_account=whole)
        _erase_kinds(kinds_about_people(of_organizations=True), erasing, counts, keep)
    if whole:
        erasing = Erasing(known.person_id, None, known.line.pseudonym, known.line.texts, whole_account=True)
        _erase_kinds(kinds_about_people(of_organizations=False), erasing, counts, keep)
    return counts


def _erase_kinds(found: list[DataKind], erasing: Erasing, counts: dict[str, int], keep: Callable[[], None]) -> None:
    """Memberships and sessions first, so that nothing new comes; what stays under a pseudonym last."""
    order = sorted(found, key=lambda kind: (kind.erasure in _LAST, kind.erasure != OnErasure.DELETE))
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        for kind in order:
            keep()
            counts[kind.name] = counts.get(kind.name, 0) + _erase_kind(kind, erasing)
        if not _left(order, erasing):
            return
        if time.monotonic() > until:
            raise StillRunning
        time.sleep(LOOK_SECONDS)


def _erase_kind(kind: DataKind, erasing: Erasing) -> int:
    if kind.erase:
        return kind.erase(erasing)
    if kind.erasure not in {OnErasure.DELETE, OnErasure.DETACH}:
        return 0
    total = 0
    while True:
        with _scope_of(erasing):
            ids = list(kind.rows_of(erasing.person_id).values_list("pk", flat=True)[:BATCH])
            batch = kind.rows().filter(pk__in=ids)
            if kind.erasure == OnErasure.DELETE:
                batch.delete()
            else:
                for name in kind.people:
                    batch.filter(**{name: erasing.person_id}).update(**{name: None})
        total += len(ids)
        if len(ids) < BATCH:
            return total


def _scope_of(erasing: Erasing) -> AbstractContextManager[None]:
    return tenancy.scope(erasing.organization_id) if erasing.organization_id else transaction.atomic()


def _left(found: list[DataKind], erasing: Erasing) -> bool:
    """Whether something that must not name the person any more still does: work that has not stopped yet."""
    gone = [kind for kind in found if kind.erasure in {OnErasure.DELETE, OnErasure.DETACH, OnErasure.CHOICE}]
    with _scope_of(erasing):
        return any(_remaining(kind, erasing).exists() for kind in gone)


def _remaining(kind: DataKind, erasing: Erasing) -> models.QuerySet[models.Model]:
    rows: models.QuerySet[models.Model] = kind.rows_of(erasing.person_id)
    # The requests themselves name the person until they end.
    return rows.exclude(status__in=[Status.QUEUED, Status.RUNNING]) if issubclass(kind.table, Erasure) else rows


def finish_erasure(erasure: Erasure, counts: dict[str, int]) -> bool:
    """Ends the current attempt; from here on the request names the pseudonym alone."""
    with tenancy.scope(erasure.organization_id):
        mine = Erasure.objects.filter(pk=erasure.pk, attempt=erasure.attempt, status=Status.RUNNING)
        requested_by = models.F("requested_by") if erasure.scope == Scope.MEMBER else None
        finished = mine.update(
            status=Status.SUCCEEDED,
            counts=counts,
            person=None,
            requested_by=requested_by,
            finished_at=Now(),
            lease_until=None,
        )
        if finished:
            audit.record(audit.system(erasure.organization_id), "privacy.person_erased", erasure, scope=erasure.scope)
            events.record("privacy.person_erased", erasure.pk, {"scope": erasure.scope})
    return bool(finished)


def fail_erasure(erasure: Erasure, code: str, message: str) -> bool:
    """Ends the current attempt; what was erased stays so, and asking again goes on."""
    with tenancy.scope(erasure.organization_id):
        mine = Erasure.objects.filter(pk=erasure.pk, attempt=erasure.attempt, status=Status.RUNNING)
        failed = mine.update(
            status=Status.FAILED, error_code=code, error_message=message, finished_at=Now(), lease_until=None
        )
    return bool(failed)


def erase_requests(erasing: Erasing) -> int:
    """Exports about the person go at once; that they and erasures were asked for stays, without the name."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    changed = 0
    with tenancy.scope(erasing.organization_id):
        mine = models.Q(person_id=erasing.person_id) | models.Q(requested_by_id=erasing.person_id)
        Export.objects.unfinished().filter(mine).update(status=Status.CANCELLED, finished_at=Now(), lease_until=None)
        Export.objects.filter(person_id=erasing.person_id).update(expires_at=Now())
        for model in (Export, Erasure):
            ended = model.objects.exclude(status__in=[Status.QUEUED, Status.RUNNING])
            for name in ("person", "requested_by"):
                changed += ended.filter(**{name: erasing.person_id}).update(**{name: None})
    return changed


def reapply(told: Callable[[str], None] = lambda text: None) -> int:
    """Erases again whoever the register knows and this database, restored from a backup, has back; how many."""
    count = 0
    for known in register.known(register.lines()):
        if not _is_back(known):
            continue
        register.note(known.line)
        erase(known, lambda: None)
        log.warning("erasure applied again", pseudonym=known.line.pseudonym)
        told(known.line.pseudonym)
        count += 1
    return count


def reapply_removals(told: Callable[[UUID], None] = lambda id: None) -> int:
    """Has the worker remove again the organizations that a backup has brought back; how many."""
    back = [id for id in register.removed_organizations() if remove_again(id)]
    for id in back:
        log.warning("removed organization is back, and will be removed again", organization=str(id))
        told(id)
    return len(back)


def _is_back(known: register.Known) -> bool:
    """Whether anything here names the person again that an erasure takes away."""
    erasing = Erasing(known.person_id, known.organization_id, "", known.line.texts, known.organization_id is None)
    if known.organization_id is None:
        account = User.objects.get(pk=known.person_id)
        return not account.email.startswith(known.line.pseudonym)
    with tenancy.scope(known.organization_id):
        # Somebody who was erased may have been invited anew since.
        since = datetime.fromisoformat(known.line.erased_at)
        if Membership.objects.filter(user_id=known.person_id, created_at__gt=since).exists():
            return False
    return _left(kinds_about_people(of_organizations=True), erasing)
