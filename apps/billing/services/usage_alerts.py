"""Telling people that an allowance, a spending cap or credits are being used up: each level once.

A task looks, not the settlement that crossed the line: that must not wait for the audit chain or for mails. A level is
told of again where it was left meanwhile, by a higher cap, a greater plan or new credits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.accounts.models import Membership, Organization, Role
from apps.accounts.services.notices import tell
from apps.billing.entitlements import month_of
from apps.billing.models import FREE_PLAN, AlertAbout, UsageAlert
from apps.core import events, tenancy
from apps.core.tenancy import Across, across_tenants

MAIL = "usage_alert"
LEVELS = (50, 80, 100)
# Of credits it is told what is left: a fifth, a tenth, nothing.
LEVELS_OF_CREDITS = (80, 90, 100)
ALLOWANCE, CAP, CREDITS = "allowance.reached", "spending_cap.reached", "credits.low"
# One look takes no more than this; the rest is found by the next.
BATCH = 500
# Meters against what the plan that applies now includes, where that is another level than people were told of.
_METERS = f"""
SELECT organization_id, subject, month, used, whole, level, found FROM (
    SELECT period.organization_id, period.meter AS subject, period.month, period.used, allowance.included AS whole,
        coalesce(alert.level, 0) AS level, CASE
            {{levels}}
        ELSE 0 END AS found
    FROM billing_meterperiod period
    LEFT JOIN billing_subscription subscription ON subscription.organization_id = period.organization_id
        AND subscription.is_live AND subscription.status <> 'incomplete'
    JOIN billing_plan plan ON plan.id = coalesce(subscription.plan_id,
        (SELECT free.id FROM billing_plan free WHERE free.code = '{FREE_PLAN}'))
    JOIN billing_planallowance allowance ON allowance.plan_id = plan.id AND allowance.meter = period.meter
    LEFT JOIN billing_usagealert alert ON alert.organization_id = period.organization_id
        AND alert.subject = period.meter AND alert.month = period.month
    WHERE period.month = %(month)s AND allowance.included > 0
) meter WHERE found <> level ORDER BY organization_id, subject LIMIT {BATCH}
""".format(
    levels=" ".join(
        f"WHEN period.used::numeric * 100 >= allowance.included::numeric * {level} THEN {level}"
        for level in reversed(LEVELS)
    )
)
# Credits and caps in the currency that the organization pays in, with what the month and other open months owe.
_MONEY = """
WITH known AS (
    SELECT organization_id, currency FROM billing_spendingcap
    UNION SELECT organization_id, currency FROM billing_creditentry
)
SELECT known.organization_id, known.currency, cap.cap_micros, credit.balance, credit.received, owed.this, owed.others
FROM known
LEFT JOIN billing_billingaccount account ON account.organization_id = known.organization_id
LEFT JOIN billing_spendingcap cap ON cap.organization_id = known.organization_id AND cap.currency = known.currency
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_micros), 0)::bigint AS balance,
        coalesce(sum(amount_micros) FILTER (WHERE kind IN ('purchase', 'grant')), 0)::bigint AS received
    FROM billing_creditentry entry
    WHERE entry.organization_id = known.organization_id AND entry.currency = known.currency
) credit
CROSS JOIN LATERAL (
    SELECT coalesce(sum(charged_micros) FILTER (WHERE meter.month = %(month)s), 0)::bigint AS this,
        coalesce(sum(charged_micros) FILTER (WHERE meter.month <> %(month)s), 0)::bigint AS others
    FROM billing_usageperiod period JOIN billing_meterperiod meter
        ON meter.organization_id = period.organization_id AND meter.month = period.month
    WHERE period.organization_id = known.organization_id AND period.closed_at IS NULL
) owed
WHERE known.currency = coalesce(nullif(account.currency, ''), 'USD')
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of a meter, a cap or credits; `told` is the level that people had been told of by then."""

    organization_id: UUID
    subject: str
    month: date | None
    used: int
    whole: int
    told: int
    found: int
    currency: str = ""
    received: int = 0


@dataclass(frozen=True, slots=True)
class Money:
    """What an organization has and owes, in micros; `others` is what other months owe that are not closed yet."""

    organization_id: UUID
    currency: str
    cap: int | None
    balance: int
    received: int
    this: int
    others: int

    @property
    def credits(self) -> int:
        """What this month may take of credits."""
        return self.balance - self.others


def level_of(used: int, whole: int, levels: tuple[int, ...]) -> int:
    """The highest of the levels, in percent, that is reached; 0 for none, and of nothing."""
    return max((level for level in levels if whole > 0 and used * 100 >= whole * level), default=0)


def tell_of_usage() -> int:
    """Tells of what has reached a level since the last look; returns how many."""
    return sum(_note(look) for look in _found(month_of(timezone.now())))


def _found(month: date) -> list[Look]:
    with across_tenants(Across.HOUSEKEEPING), connection.cursor() as cursor:
        cursor.execute(_METERS, {"month": month})
        looks = [Look(*row) for row in cursor.fetchall()]
        cursor.execute(_MONEY, {"month": month})
        money = [Money(*row) for row in cursor.fetchall()]
        alerts = UsageAlert.objects.filter(subject__in=AlertAbout.values).exclude(month__lt=month)
        told = {(alert.organization_id, alert.subject): alert for alert in alerts}
    for each in money:
        cap = _cap(each, month, told.get((each.organization_id, AlertAbout.CAP)))
        credits = _credits(each, told.get((each.organization_id, AlertAbout.CREDITS)))
        looks += [look for look in (cap, credits) if look]
    return looks[:BATCH]


def _cap(money: Money, month: date, told: UsageAlert | None) -> Look | None:
    """What is charged of a cap: what credits do not pay for."""
    used, whole = max(0, money.this - max(0, money.credits)), money.cap or 0
    found, level = level_of(used, whole, LEVELS), told.level if told else 0
    if found == level:
        return None
    return Look(money.organization_id, AlertAbout.CAP, month, used, whole, level, found, money.currency)


def _credits(money: Money, told: UsageAlert | None) -> Look | None:
    """What is used of credits since some last came in; with those, their whole is what there is from then on."""
    if told is not None and told.currency != money.currency:
        told = None
    left, level, before = money.credits - money.this, told.level if told else 0, told.received if told else 0
    whole = told.whole if told and before == money.received else max(left, money.received - before)
    used = max(0, whole - left)
    found = level_of(used, whole, LEVELS_OF_CREDITS)
    if (found, money.received) == (level, before):
        return None
    who, subject = money.organization_id, AlertAbout.CREDITS
    return Look(who, subject, None, used, whole, level, found, money.currency, money.received)


def _note(look: Look) -> bool:
    """Notes the level, and tells of it if it is a higher one; nothing, if another worker has noted one by now."""
    with tenancy.scope(look.organization_id):
        alert = _locked(look)
        if alert.level != look.told or alert.received > look.received:
            return False
        fresh = look.found > look.told or (look.received != alert.received and look.found > 0)
        for name in ("used", "whole", "currency", "received"):
            setattr(alert, name, getattr(look, name))
        alert.level, alert.told_at = look.found, Now()
        alert.save()
        if fresh:
            _tell(alert)
    return fresh


def _locked(look: Look) -> UsageAlert:
    whose: dict[str, Any] = {"subject": look.subject, "month": look.month}
    UsageAlert.objects.get_or_create(**whose, defaults={"organization_id": look.organization_id})
    alert: UsageAlert = UsageAlert.objects.select_for_update().get(**whose)
    return alert


def _tell(alert: UsageAlert) -> None:
    organization = Organization.objects.get(pk=alert.organization_id)
    owners = Membership.objects.select_related("user").filter(role=Role.OWNER, user__is_active=True)
    for address in sorted({member.user.email for member in owners}):
        tell(MAIL, address, alert.pk)
    action, facts = _words(alert)
    audit.record(system(alert.organization_id), action, organization, **facts)
    events.record(action, alert.pk, facts)


def _words(alert: UsageAlert) -> tuple[str, dict[str, Any]]:
    facts: dict[str, Any] = {"percent": alert.level}
    facts |= {"month": f"{alert.month:%Y-%m}"} if alert.month else {}
    if alert.subject == AlertAbout.CREDITS:
        return CREDITS, facts | {"left": amount(alert.whole - alert.used), "currency": alert.currency}
    if alert.subject == AlertAbout.CAP:
        return CAP, facts | {"charged": amount(alert.used), "cap": amount(alert.whole), "currency": alert.currency}
    return ALLOWANCE, facts | {"meter": alert.subject, "used": alert.used, "included": alert.whole}


def amount(micros: int) -> str:
    """Micros as units of the currency, with all their decimals."""
    return f"{Decimal(micros) / 1_000_000:.6f}"
