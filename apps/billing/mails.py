"""Mails about budgets, composed by the worker that sends them."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse

from apps.accounts.models import Organization
from apps.billing.entitlements import next_month
from apps.billing.models import Budget, BudgetKind, BudgetPeriod, Spender
from apps.core import tenancy


def budget_alert(to: str, organization: str, id: str) -> EmailMessage | None:
    """How much of whose budget is used; nothing, if there is no such budget any more."""
    with tenancy.scope(UUID(organization)):
        period: BudgetPeriod | None = BudgetPeriod.objects.filter(pk=UUID(id)).first()
        budget = _budget(period) if period else None
        if period is None or budget is None:
            return None
        spender = Spender.objects.select_related("user", "service_account").filter(pk=period.owner_id).first()
        context = {
            "organization": Organization.objects.get(pk=UUID(organization)),
            "name": str(spender or budget.team),
            "used_up": period.alerted >= 100,
            "period": period,
            "budget": budget,
            "renews_on": next_month(period.month),
            "url": f"{settings.BASE_URL}{reverse('dashboard')}",
        }
        subject = " ".join(render_to_string("billing/email/budget_subject.txt", context).split())
        text = render_to_string("billing/email/budget_message.txt", context).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])


def _budget(period: BudgetPeriod) -> Budget | None:
    """The owner's own budget, else the default for members."""
    mine = Q(spender_id=period.owner_id) | Q(team_id=period.owner_id)
    if Spender.objects.filter(pk=period.owner_id, user__isnull=False).exists():
        mine |= Q(kind=BudgetKind.DEFAULT)
    found: list[Budget] = list(Budget.objects.for_pages().filter(mine))
    return min(found, key=lambda budget: budget.kind == BudgetKind.DEFAULT, default=None)
