"""Turning feature switches."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import User
from apps.core import switches, tenancy
from apps.core.errors import InvalidRequest
from apps.core.models import FeatureSwitch, SwitchScope
from apps.core.switches import SWITCHES
from apps.staff.abilities import Ability
from apps.staff.services.acting import by_installation, require, staff_actor


@transaction.atomic
def set_switch(
    staff: User,
    name: str,
    scope: str,
    *,
    on: bool | None,
    target: UUID | None = None,
    percentage: int = 100,
) -> None:
    """Turns a switch for a scope, or with `on` None takes the row away; other processes know it within seconds.

    It is written into the installation's chain, and for one organization into that one's audit log.
    """
    require(staff, Ability.OPERATE)
    if name not in SWITCHES or scope not in SWITCHES[name].scopes:
        raise InvalidRequest("There is no such switch for this scope.", param="scope")
    if scope != SwitchScope.ORGANIZATION:
        target = None
    elif target is None:
        raise InvalidRequest("Say for which organization.", param="target")
    if not 0 <= percentage <= 100:
        raise InvalidRequest("Give a percentage from 0 to 100.", param="percentage")
    found = FeatureSwitch.objects.select_for_update().filter(name=name, scope=scope, target=target).first()
    row = found or FeatureSwitch(name=name, scope=scope, target=target, on=False)
    before = {"on": found.on if found else None, "percentage": found.percentage if found else None}
    after = {"on": on, "percentage": percentage if on is not None else None, "scope": scope, "target": _text(target)}
    if on is None:
        FeatureSwitch.objects.filter(pk=row.pk).delete()
    else:
        row.on, row.percentage, row.changed_at = on, percentage, timezone.now()
        row.save()
    by_installation(staff, "switch.changed", row, before=dict(before), after=dict(after))
    if target is not None:
        _tell_organization(staff, target, row, on)
    transaction.on_commit(switches.forget)


def _tell_organization(staff: User, organization_id: UUID, row: FeatureSwitch, on: bool | None) -> None:
    with tenancy.scope(organization_id):
        audit.record(staff_actor(staff, organization_id), "switch.changed", row, after={"on": on})


def _text(target: UUID | None) -> str | None:
    return str(target) if target else None
