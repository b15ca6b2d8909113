"""Group rules: which role a group of the provider or directory gives."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Role
from apps.accounts.services.grants import role_facts
from apps.accounts.services.organizations import locked
from apps.core import events, revocation, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.sso.models import GroupRule
from apps.sso.services.connections import GIVEN_ROLES, MANAGE, require_may_give

MOST_RULES = 200


def create_rule(actor: Actor, group: str, role: str) -> GroupRule:
    """Who is in `group` will have `role`, from the next sign-in or synchronization on."""
    actor.require(MANAGE)
    group = group.strip()
    if not 1 <= len(group) <= 200:
        raise InvalidRequest("Enter the group's name or id as the provider sends it.", param="group")
    if role not in GIVEN_ROLES:
        raise InvalidRequest("Choose another role.", param="role")
    require_may_give(actor, role)
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        if GroupRule.objects.filter(group__iexact=group).exists():
            raise Conflict("There is a rule for this group already.", param="group")
        if GroupRule.objects.count() >= MOST_RULES:
            raise Conflict("An organization can have %(most)s rules.", values={"most": MOST_RULES})
        rule: GroupRule = GroupRule.objects.create(organization_id=actor.organization_id, group=group, role=role)
        audit.record(actor, "sso.rule_created", rule, after={"group": group, "role": role})
    return rule


def delete_rule(actor: Actor, id: UUID) -> None:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        rule: GroupRule | None = GroupRule.objects.filter(pk=id).first()
        if rule is None:
            raise NotFound("There is no rule with this id.")
        audit.record(actor, "sso.rule_deleted", rule, before={"group": rule.group, "role": rule.role}, after={})
        rule.delete()


def role_for(groups: Iterable[str]) -> str | None:
    """The role of the first rule, in the order they were made, that one of the groups matches; None without one."""
    names = {group.casefold() for group in groups}
    rules = GroupRule.objects.order_by("id")
    return next((rule.role for rule in rules if rule.group.casefold() in names), None)


def apply_role(actor: Actor, membership: Membership, groups: Iterable[str], asked: str = "") -> None:
    """Gives a member the role that their groups, or the directory itself, ask for; owners stay owners.

    Whoever matches nothing keeps the role they have.
    """
    role = role_for(groups) or asked
    if role not in GIVEN_ROLES or membership.role in {Role.OWNER, role}:
        return
    # Somebody may be handing them the organization at this moment.
    locked(membership.organization_id)
    membership.refresh_from_db(fields=["role", "custom_role"])
    if membership.role in {Role.OWNER, role}:
        return
    before = role_facts(membership.role, membership.custom_role)
    membership.role, membership.custom_role = role, None
    membership.save(update_fields=["role", "custom_role"])
    audit.record(actor, "membership.role_changed", membership, before=before, after={"role": str(role)})
    events.record("membership.role_changed", membership.pk, {"user": str(membership.user_id), "role": str(role)})
    revocation.announce(actor.organization_id, membership.user_id)
