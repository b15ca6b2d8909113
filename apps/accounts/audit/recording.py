"""Writing the audit trail, in the transaction of the act."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.db import models

from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import AuditEntry, AuditHead, InstallationEntry, User
from apps.accounts.models.audit import LONGEST_NAME


def record(
    actor: Actor,
    action: str,
    target: models.Model,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **detail: Any,
) -> AuditEntry:
    """Appends who did what to which object.

    `action` reads like `api_key.created` and has its sentence in `sentences.py`; `before` and `after` hold the fields
    that changed, as JSON; `detail` whatever else the sentence says. Values are plain JSON, never secrets. The
    database gives the entry its place in the organization's chain, whose head stays locked until commit: call this
    late in the transaction.
    """
    context = structlog.contextvars.get_contextvars()
    entry: AuditEntry = AuditEntry.objects.create(
        organization_id=actor.organization_id,
        actor_kind=actor.kind,
        actor_name=actor.name[:LONGEST_NAME],
        user_id=actor.user_id,
        api_key_id=actor.api_key_id,
        impersonator_id=actor.impersonator_id,
        impersonator_name=_name_of_person(actor.impersonator_id),
        action=action,
        object_type=target._meta.label_lower,
        object_id=_id_of(target),
        object_name=name_of(target),
        before=before,
        after=after,
        detail=detail,
        address=context.get("address", ""),
        agent=context.get("agent", ""),
        request_id=context.get("request_id", ""),
    )
    return entry


def lock_heads(organization_ids: Iterable[UUID]) -> None:
    """Locks several organizations' chains until commit, in the order of their ids; in a scope that sees them all.

    Whoever records in two organizations calls this before the first entry and after every other lock: two that did so
    in opposite orders would wait for each other.
    """
    heads = AuditHead.objects.filter(organization_id__in=set(organization_ids)).order_by("organization_id")
    list(heads.select_for_update().values_list("organization_id", flat=True))


def record_installation(
    action: str,
    target: models.Model,
    *,
    before: dict[str, Any],
    after: dict[str, Any],
    by: str,
    kind: ActorKind = ActorKind.SYSTEM,
) -> InstallationEntry:
    """The same for what belongs to no organization; `by` is a command, a role or a person's id, never their name."""
    return InstallationEntry.objects.create(
        actor_kind=kind,
        actor_name=by,
        action=action,
        object_type=target._meta.label_lower,
        object_id=_id_of(target),
        object_name="" if isinstance(target, User) else name_of(target),
        address=structlog.contextvars.get_contextvars().get("address", ""),
        before=before,
        after=after,
    )


def name_of(target: models.Model) -> str:
    """What the object is called at this moment; a model may say it better than `str` with `audit_name`."""
    return str(getattr(target, "audit_name", None) or target)[:LONGEST_NAME]


def _name_of_person(id: Any) -> str:
    person = User.objects.filter(pk=id).first() if id else None
    return person.email[:LONGEST_NAME] if person else ""


def _id_of(target: models.Model) -> UUID:
    """The row's own id; the few libraries' tables that count their rows have the number in the id's last digits."""
    return target.pk if isinstance(target.pk, UUID) else UUID(int=target.pk)


def system(organization_id: UUID) -> Actor:
    """The product itself, acting by a rule that the organization has set."""
    return Actor(organization_id, frozenset(), name="Millrace", kind=ActorKind.SYSTEM)
