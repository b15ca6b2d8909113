"""Budgets: setting and removing them, noting the first refusal, and telling people before and when one is used up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, ServiceAccount, Team
from apps.accounts.services.members import NO_MEMBER
from apps.accounts.services.service_accounts import NO_ACCOUNT
from apps.accounts.services.teams import NO_TEAM
from apps.billing.entitlements import month_of
from apps.billing.models import Budget, BudgetKind, BudgetPeriod, Spender
from apps.billing.services.ledger import Purpose, lock_month
from apps.core import events, tenancy
from apps.core.errors import BudgetExceeded, Conflict, InvalidRequest, NotFound

MANAGE = "budgets:manage"
NO_BUDGET = gettext_noop("There is no budget with this id.")
# More than any plan sells; a bigint holds it.
MOST_TOKENS = 10**15


@dataclass(frozen=True, slots=True)
class BudgetFor:
    """Whose budget is meant: a membership's, a team's or a service account's id, none for the default."""

    kind: BudgetKind
    id: UUID | None = None


def create_budget(actor: Actor, owner: BudgetFor, monthly_tokens: int) -> Budget:
    """Sets a budget where there is none; it counts what was used earlier in the month as well."""
    actor.require(MANAGE)
    _check(monthly_tokens)
    with tenancy.scope(actor.organization_id):
        _lock()
        whose = _whose(actor.organization_id, owner)
        if Budget.objects.filter(kind=owner.kind, **whose).exists():
            raise Conflict("There is a budget for this already: change that one.")
        budget: Budget = Budget.objects.create(
            organization_id=actor.organization_id, kind=owner.kind, monthly_tokens=monthly_tokens, **whose
        )
        _record(actor, "budget.created", budget, before={}, after={"monthly_tokens": monthly_tokens})
    return budget


def change_budget(actor: Actor, id: UUID, monthly_tokens: int) -> Budget:
    """Changes a budget from the next call on; people are told again when the new one is nearly used up."""
    actor.require(MANAGE)
    _check(monthly_tokens)
    with tenancy.scope(actor.organization_id):
        _lock()
        budget = _budget(id)
        before = budget.monthly_tokens
        if before != monthly_tokens:
            budget.monthly_tokens = monthly_tokens
            budget.save(update_fields=["monthly_tokens"])
            _forget_alerts(budget)
            after = {"monthly_tokens": monthly_tokens}
            _record(actor, "budget.changed", budget, before={"monthly_tokens": before}, after=after)
    return budget


def remove_budget(actor: Actor, id: UUID) -> None:
    """Removes a budget: a member then has the default one, if there is one."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        _lock()
        budget = _budget(id)
        _record(actor, "budget.deleted", budget, before={"monthly_tokens": budget.monthly_tokens}, after={})
        budget.delete()


def get_budget(actor: Actor, id: UUID) -> Budget:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        return _budget(id)


def note_refusal(organization_id: UUID, refusal: BudgetExceeded, purpose: Purpose) -> None:
    """Remembers a budget's first refusal in a month, so that people are told; later ones ask nothing.

    The caller's spender went with the transaction that was refused, if this was their first call: it gets another id.
    """
    if refusal.told:
        return
    with tenancy.scope(organization_id):
        locked = lock_month(refusal.month, purpose)
        known = refusal.owner_id in {owner.id for owner in locked.owners}
        row, created = BudgetPeriod.objects.get_or_create(
            month=refusal.month,
            owner_id=refusal.owner_id if known or locked.spender_id is None else locked.spender_id,
            defaults={"organization_id": organization_id, "refused_at": Now()},
        )
        if not created:
            BudgetPeriod.objects.filter(pk=row.pk).update(refused_at=Coalesce("refused_at", Now()))


def _lock() -> date:
    """What changes a budget waits for holds and they for it: the month's row first, then budgets."""
    month = month_of(timezone.now())
    lock_month(month, Purpose())
    return month


def _check(monthly_tokens: int) -> None:
    if not 0 <= monthly_tokens <= MOST_TOKENS:
        raise InvalidRequest("A budget has 0 to %(most)s tokens.", values={"most": MOST_TOKENS}, param="monthly_tokens")


def _whose(organization_id: UUID, owner: BudgetFor) -> dict[str, Any]:
    """The columns that name the owner; NotFound also for another organization's member or team."""
    if owner.kind == BudgetKind.MEMBER:
        user_id = Membership.objects.filter(pk=owner.id).values_list("user_id", flat=True).first()
        if user_id is None:
            raise NotFound(NO_MEMBER, param="id")
        spender, _ = Spender.objects.get_or_create(user_id=user_id, defaults={"organization_id": organization_id})
        return {"spender": spender, "team": None}
    if owner.kind == BudgetKind.SERVICE_ACCOUNT:
        if not ServiceAccount.objects.filter(pk=owner.id).exists():
            raise NotFound(NO_ACCOUNT, param="id")
        spender, _ = Spender.objects.get_or_create(
            service_account_id=owner.id, defaults={"organization_id": organization_id}
        )
        return {"spender": spender, "team": None}
    if owner.kind == BudgetKind.TEAM:
        team = Team.objects.filter(pk=owner.id).first()
        if team is None:
            raise NotFound(NO_TEAM, param="id")
        return {"spender": None, "team": team}
    return {"spender": None, "team": None}


def _budget(id: UUID) -> Budget:
    budget: Budget | None = Budget.objects.for_pages().filter(pk=id).first()
    if budget is None:
        raise NotFound(NO_BUDGET)
    return budget


def _forget_alerts(budget: Budget) -> None:
    """What was told about the old amount says nothing about the new one."""
    rows = BudgetPeriod.objects.filter(month=month_of(timezone.now()))
    if budget.kind == BudgetKind.DEFAULT:
        own = Budget.objects.filter(kind=BudgetKind.MEMBER).values("spender_id")
        rows = rows.filter(owner_id__in=Spender.objects.filter(user__isnull=False).exclude(pk__in=own).values("id"))
    else:
        rows = rows.filter(owner_id=budget.spender_id or budget.team_id)
    rows.update(alerted=0, refused_at=None)


def _record(actor: Actor, action: str, budget: Budget, *, before: dict[str, Any], after: dict[str, Any]) -> None:
    audit.record(actor, action, budget, before=before, after=after)
    events.record(action, budget.pk, {"kind": budget.kind, **(after or before)})
