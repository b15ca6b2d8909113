"""What holds for the whole desk: what is masked, and how long originals are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import F

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import InvalidRequest
from apps.core.statements import TenantStatement
from apps.support.access import MANAGE, READ
from apps.support.masking import DEFAULT_KINDS
from apps.support.models import DeskSettings
from ml.safety import KINDS

LONGEST_ORIGINAL_DAYS, LONGEST_RESOLVE_DAYS = 365, 365
# A bank may mask more than these, and never less.
ALWAYS_MASKED = frozenset({"card"})


def settings_of(organization_id: UUID) -> DeskSettings:
    """The one row, made when it is first asked for; in the organization's scope."""
    found: DeskSettings | None = _SETTINGS.first()
    if found is None:
        found, _ = DeskSettings.objects.get_or_create(
            organization_id=organization_id, defaults={"masked": list(DEFAULT_KINDS)}
        )
    return found


# Asked with every message.
_SETTINGS: TenantStatement[DeskSettings] = TenantStatement(lambda: DeskSettings.objects.all()[:1])


def read_settings(actor: Actor) -> DeskSettings:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return settings_of(actor.organization_id)


def follow(actor: Actor) -> None:
    """From now on the actor is told what is said in all conversations, which the audit log tells."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        audit.record(actor, "support_desk.followed", settings_of(actor.organization_id))


def change_settings(actor: Actor, changes: Mapping[str, Any]) -> DeskSettings:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found = settings_of(actor.organization_id)
        found.refresh_from_db(from_queryset=DeskSettings.objects.select_for_update())
        before = {name: getattr(found, name) for name in ("masked", "original_days", "resolve_after_days")}
        values = _checked(before | dict(changes))
        changed = {name: value for name, value in values.items() if value != before[name]}
        if changed:
            for name, value in changed.items():
                setattr(found, name, value)
            found.save(update_fields=list(changed))
            audit.record(
                actor, "support_desk.changed", found, before={name: before[name] for name in changed}, after=changed
            )
            events.record("support_desk.changed", found.pk, {"changed": sorted(changed)})
    return found


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    masked, kept, resolved = values["masked"], values["original_days"], values["resolve_after_days"]
    if unknown := sorted(set(masked) - set(KINDS)):
        raise InvalidRequest("Nothing of the kind %(kind)s can be masked.", values={"kind": unknown[0]}, param="masked")
    if not set(masked) >= ALWAYS_MASKED:
        raise InvalidRequest("Numbers of cards are always masked.", param="masked")
    if not 0 <= kept <= LONGEST_ORIGINAL_DAYS:
        raise InvalidRequest(
            "Originals are kept for up to %(most)s days.",
            values={"most": LONGEST_ORIGINAL_DAYS},
            param="original_days",
        )
    if not 0 <= resolved <= LONGEST_RESOLVE_DAYS:
        raise InvalidRequest(
            "Conversations are resolved after up to %(most)s days.",
            values={"most": LONGEST_RESOLVE_DAYS},
            param="resolve_after_days",
        )
    return {"masked": sorted(set(masked)), "original_days": kept, "resolve_after_days": resolved}


def next_number(organization_id: UUID) -> int:
    """The next conversation's number; whoever takes one holds the row until commit, and takes no other lock before."""
    found = settings_of(organization_id)
    DeskSettings.objects.filter(pk=found.pk).update(counted=F("counted") + 1)
    return int(DeskSettings.objects.values_list("counted", flat=True).get(pk=found.pk))
