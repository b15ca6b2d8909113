"""Where budgets stand this month, for pages, the API and mails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TeamMembership
from apps.billing.entitlements import month_of, next_month
from apps.billing.models import Budget, BudgetKind, BudgetPeriod, Spender

EVERYBODY = _("Each member without a budget of their own")


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget and this month's use of it, in tokens; `used` and `held` are None where it is the default of many."""

    budget: Budget
    month: date
    used: int | None
    held: int | None

    @property
    def name(self) -> str | Promise:
        return EVERYBODY if self.budget.kind == BudgetKind.DEFAULT and self.used is None else self.budget.audit_name

    @property
    def remaining(self) -> int | None:
        if self.used is None or self.held is None:
            return None
        return max(0, self.budget.monthly_tokens - self.used - self.held)

    @property
    def percent(self) -> int:
        """The share that is used or reserved, at most 100."""
        taken, whole = (self.used or 0) + (self.held or 0), self.budget.monthly_tokens
        return min(100, taken * 100 // whole) if whole else 100

    @property
    def renews_on(self) -> date:
        return next_month(self.month)


def states_of(budgets: Iterable[Budget]) -> list[BudgetState]:
    """Each budget with this month's use, with one query for all of them."""
    rows, month = list(budgets), month_of(timezone.now())
    owners = [budget.spender_id or budget.team_id for budget in rows]
    used = _used(month, [id for id in owners if id])
    pairs = zip(rows, owners, strict=True)
    return [_state(budget, month, used.get(id) if id else None, owner=id) for budget, id in pairs]


def states_for(user_id: UUID | None) -> list[BudgetState]:
    """The budgets that a member's calls must fit into: their own or the default, and those of their teams."""
    if user_id is None:
        return []
    month = month_of(timezone.now())
    teams = TeamMembership.objects.filter(membership__user_id=user_id).values("team_id")
    # Whose use it is: the team's, or the member's own, also of the default that all have.
    owner = Coalesce("team_id", Subquery(Spender.objects.filter(user_id=user_id).values("pk")[:1]))
    period = BudgetPeriod.objects.filter(month=month, owner_id=OuterRef("counted_for"))
    found = (
        Budget.objects.for_pages()
        .filter(Q(kind=BudgetKind.DEFAULT) | Q(spender__user_id=user_id) | Q(team_id__in=teams))
        .annotate(counted_for=owner)
        .annotate(used=Subquery(period.values("used_tokens")), held=Subquery(period.values("held_tokens")))
    )
    rows = list(found)
    if any(budget.spender_id for budget in rows):
        rows = [budget for budget in rows if budget.kind != BudgetKind.DEFAULT]
    rows.sort(key=lambda budget: (budget.kind == BudgetKind.TEAM, str(budget.team)))
    return [BudgetState(budget, month, budget.used or 0, budget.held or 0) for budget in rows]


def _used(month: date, owners: list[Any]) -> dict[UUID, BudgetPeriod]:
    return {row.owner_id: row for row in BudgetPeriod.objects.filter(month=month, owner_id__in=owners)}


def _state(budget: Budget, month: date, period: BudgetPeriod | None, owner: UUID | None) -> BudgetState:
    if period is not None:
        return BudgetState(budget, month, period.used_tokens, period.held_tokens)
    return BudgetState(budget, month, *((0, 0) if owner else (None, None)))
