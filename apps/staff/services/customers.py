"""What staff does to an organization: its plan, its keys, and the models that names mean."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey, User
from apps.billing import services as billing
from apps.billing.models import Subscription
from apps.registry import services as registry
from apps.registry.models import ModelAlias
from apps.staff.abilities import Ability
from apps.staff.services.acting import by_installation, require, staff_actor
from apps.studio import services as studio
from apps.studio.models import Generation


def change_plan(staff: User, organization_id: UUID, plan: str, reason: str) -> Subscription:
    """Puts an organization on another plan, from its next request on."""
    require(staff, Ability.OPERATE)
    return billing.change_plan(staff_actor(staff, organization_id, "billing:manage"), plan, reason=reason)


def revoke_api_key(staff: User, organization_id: UUID, key_id: UUID) -> ApiKey:
    require(staff, Ability.OPERATE)
    return accounts.revoke_api_key(staff_actor(staff, organization_id, "keys:manage"), key_id)


def repeat_generation(staff: User, organization_id: UUID, id: UUID) -> Generation:
    """Has a customer's failed generation done again, within the customer's own limits and on the customer's ledger."""
    require(staff, Ability.RETRY)
    return studio.repeat_generation(staff_actor(staff, organization_id, "generations:write"), id)


@transaction.atomic
def move_alias(staff: User, alias: str, version: str) -> ModelAlias:
    """Points a name at another model for everybody; what waits keeps the model that it was accepted with."""
    require(staff, Ability.OPERATE)
    found = ModelAlias.objects.select_related("version").filter(name=alias).first()
    before = found.version.name if found else ""
    moved = registry.move_alias(alias, version)
    by_installation(
        staff,
        "alias.moved",
        moved.version,
        before={"alias": alias, "version": before},
        after={"alias": alias, "version": version},
    )
    return moved
