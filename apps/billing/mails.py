"""Mails about budgets and use, composed by the worker that sends them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q, Sum
from django.template.loader import render_to_string
from django.urls import reverse

from apps.accounts.models import Organization
from apps.billing import units
from apps.billing.entitlements import next_month
from apps.billing.models import (
    AlertAbout,
    BillingAccount,
    Budget,
    BudgetKind,
    BudgetPeriod,
    Meter,
    Order,
    Payment,
    Spender,
    SubscriptionNotice,
    UsageAlert,
)
from apps.billing.standing import EXPORT, GRACE, SECOND, paid_for
from apps.core import tenancy
from apps.core.templatetags.ui import minor, money


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


def usage_alert(to: str, organization: str, id: str) -> EmailMessage | None:
    """How much of an allowance, the spending cap or credits is used."""
    with tenancy.scope(UUID(organization)):
        alert: UsageAlert | None = UsageAlert.objects.filter(pk=UUID(id)).first()
        if alert is None or not alert.level:
            return None
        of_money = alert.subject in AlertAbout.values
        parts = {"used": alert.used, "whole": alert.whole, "left": alert.whole - alert.used}
        context: dict[str, Any] = {
            name: money(value, alert.currency) if of_money else units.quantity(alert.subject, value)
            for name, value in parts.items()
        }
        context |= {
            "organization": Organization.objects.get(pk=UUID(organization)),
            "about": alert.subject if of_money else "allowance",
            "meter": "" if of_money else Meter(alert.subject).label,
            "percent": alert.level,
            "percent_left": 100 - alert.level,
            "used_up": alert.level >= 100,
            "renews_on": next_month(alert.month) if alert.month else None,
            "url": f"{settings.BASE_URL}{reverse('usage')}",
        }
        subject = " ".join(render_to_string("billing/email/usage_subject.txt", context).split())
        text = render_to_string("billing/email/usage_message.txt", context).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])


def subscription_notice(to: str, organization: str, id: str) -> EmailMessage | None:
    """What is about to happen to the subscription, or has, and what helps."""
    with tenancy.scope(UUID(organization)):
        rows = SubscriptionNotice.objects.select_related("subscription__plan", "subscription__price")
        notice: SubscriptionNotice | None = rows.filter(pk=UUID(id)).first()
        if notice is None:
            return None
        row = notice.subscription
        paid = paid_for(row) if notice.kind == SECOND else (0, "")
        context = {
            "organization": Organization.objects.get(pk=UUID(organization)),
            "kind": notice.kind,
            "plan": row.plan.name,
            "trial_end": row.trial_end,
            "read_only_at": row.past_due_since + GRACE if row.past_due_since else None,
            "paid": minor(*paid) if paid[0] else "",
            "export_until": row.ended_at + EXPORT if row.ended_at else None,
            "url": f"{settings.BASE_URL}{reverse('privacy' if notice.kind == 'ended' else 'billing')}",
            "pay_url": f"{settings.BASE_URL}{reverse('billing-pay')}",
        }
        subject = " ".join(render_to_string("billing/email/subscription_subject.txt", context).split())
        text = render_to_string("billing/email/subscription_message.txt", context).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])


def credit_given_back(to: str, organization: str, id: str) -> EmailMessage | None:
    """Which credit was paid for in a currency in which nothing could be used, and what has gone back."""
    with tenancy.scope(UUID(organization)):
        order: Order | None = Order.objects.filter(pk=UUID(id)).first()
        account = BillingAccount.objects.first()
        if order is None or account is None:
            return None
        given = Payment.objects.filter(order=order).aggregate(minor=Sum("refunded_minor", default=0))["minor"]
        context = {
            "organization": Organization.objects.get(pk=UUID(organization)),
            "pack": order.name,
            "given": minor(given, order.currency),
            "currency": account.currency,
            "url": f"{settings.BASE_URL}{reverse('billing-order', args=[order.pk])}",
        }
        subject = " ".join(render_to_string("billing/email/credit_subject.txt", context).split())
        text = render_to_string("billing/email/credit_message.txt", context).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])
