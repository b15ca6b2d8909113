"""Telling people that a budget is nearly or wholly used: an event, an audit entry and mails, once each in a month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.accounts.models import Membership, Role, Team
from apps.accounts.services.notices import tell
from apps.billing.entitlements import month_of
from apps.billing.models import Budget, BudgetPeriod, Spender
from apps.core import events, tenancy
from apps.core.tenancy import Across, across_tenants

MAIL = "budget_alert"
NEARLY, WHOLLY = 80, 100
# One look takes no more than this; the rest is found by the next.
BATCH = 500
_DUE = f"""
SELECT organization_id, id, budget_id, level FROM (
    SELECT period.organization_id, period.id, period.alerted, budget.id AS budget_id, CASE
        WHEN period.refused_at IS NOT NULL OR period.used_tokens >= budget.monthly_tokens THEN {WHOLLY}
        WHEN period.used_tokens * 100 >= budget.monthly_tokens * {NEARLY} THEN {NEARLY} ELSE 0
    END AS level
    FROM billing_budgetperiod period
    CROSS JOIN LATERAL (
        SELECT id, monthly_tokens FROM billing_budget budget WHERE budget.organization_id = period.organization_id
            AND (budget.spender_id = period.owner_id OR budget.team_id = period.owner_id OR (budget.kind = 'default'
                AND EXISTS (SELECT FROM billing_spender spender
                    WHERE spender.id = period.owner_id AND spender.user_id IS NOT NULL)))
        ORDER BY budget.kind = 'default' LIMIT 1
    ) budget
    WHERE period.month = %(month)s AND period.alerted < {WHOLLY}
) found WHERE level > alerted ORDER BY id LIMIT {BATCH}
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A month's use that people are to be told of; `level` is the share in percent that it has reached."""

    organization_id: UUID
    period_id: UUID
    budget_id: UUID
    level: int


def tell_of_budgets() -> int:
    """Tells of what has reached a level since the last look; returns how many."""
    return sum(_tell(due) for due in _due(month_of(timezone.now())))


def _due(month: date) -> list[Due]:
    with across_tenants(Across.HOUSEKEEPING), connection.cursor() as cursor:
        cursor.execute(_DUE, {"month": month})
        return [Due(*row) for row in cursor.fetchall()]


def _tell(due: Due) -> bool:
    """Tells of one, unless another worker has by now; the level is marked in the same transaction."""
    with tenancy.scope(due.organization_id):
        rows = BudgetPeriod.objects.filter(pk=due.period_id, alerted__lt=due.level)
        budget = Budget.objects.filter(pk=due.budget_id).first()
        if budget is None or not rows.update(alerted=due.level):
            return False
        period = BudgetPeriod.objects.get(pk=due.period_id)
        spender = Spender.objects.select_related("user", "service_account").filter(pk=period.owner_id).first()
        owner = spender or Team.objects.filter(pk=period.owner_id).first()
        if owner is None:
            return False
        facts = {"used": period.used_tokens, "monthly_tokens": budget.monthly_tokens}
        facts |= {"month": period.month.strftime("%Y-%m")}
        for address in _recipients(spender):
            tell(MAIL, address, period.pk)
        by = system(due.organization_id)
        audit.record(by, "budget.used_up" if due.level == WHOLLY else "budget.nearly_used", owner, **facts)
        events.record("budget.used_up" if due.level == WHOLLY else "budget.nearly_used", owner.pk, facts)
    return True


def _recipients(spender: Spender | None) -> list[str]:
    """The organization's owners, and the member whose budget it is; each once."""
    people = Membership.objects.select_related("user").filter(role=Role.OWNER, user__is_active=True)
    addresses = {member.user.email for member in people.order_by("id")}
    if spender and spender.user and Membership.objects.filter(user=spender.user, user__is_active=True).exists():
        addresses.add(spender.user.email)
    return sorted(addresses)
