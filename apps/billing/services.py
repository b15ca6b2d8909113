"""The one ledger: hold an upper bound before the work, settle what was produced or release, each exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.billing.entitlements import Limits, Usage, may_hold, month_of, next_month, price_micros, remaining
from apps.billing.models import FREE_PLAN, EntryKind, LedgerEntry, Plan, UsagePeriod
from apps.core import tenancy
from apps.core.errors import InsufficientQuota
from apps.core.ids import uuid7
from apps.core.tenancy import current_organization

# Asked for every piece of work, and so without the models: building a query takes longer than answering it. Each of
# them names the organization, behind which row-level security stands.
_PLAN = """
SELECT * FROM billing_plan plan WHERE plan.id = coalesce(
    (SELECT plan_id FROM billing_subscription WHERE organization_id = %(organization)s),
    (SELECT free.id FROM billing_plan free WHERE free.code = %(free)s)
)
"""
_LOCK = """
SELECT used_tokens, held_tokens, spent_micros FROM billing_usageperiod
WHERE organization_id = %(organization)s AND month = %(month)s FOR UPDATE
"""
_OPEN = """
INSERT INTO billing_usageperiod (id, organization_id, month, held_tokens, used_tokens, spent_micros)
VALUES (%(id)s, %(organization)s, %(month)s, 0, 0, 0) ON CONFLICT (organization_id, month) DO NOTHING
"""
_ENTRY = """
INSERT INTO billing_ledgerentry
    (id, organization_id, job_id, kind, month, prompt_tokens, completion_tokens, tokens, amount_micros, currency)
"""
_HOLD = f"""
WITH period AS (
    UPDATE billing_usageperiod SET held_tokens = held_tokens + %(tokens)s
    WHERE organization_id = %(organization)s AND month = %(month)s
)
{_ENTRY} VALUES (%(id)s, %(organization)s, %(job)s, 'hold', %(month)s, 0, 0, %(tokens)s, 0, 'USD') RETURNING *
"""
# The month is that of the hold: work that runs over midnight of the first is charged where it was reserved.
_CLOSE = f"""
WITH held AS (
    SELECT month, tokens FROM billing_ledgerentry
    WHERE organization_id = %(organization)s AND job_id = %(job)s AND kind = 'hold'
), period AS (
    UPDATE billing_usageperiod period SET held_tokens = held_tokens - held.tokens,
        used_tokens = used_tokens + %(tokens)s, spent_micros = spent_micros + %(amount)s
    FROM held WHERE period.organization_id = %(organization)s AND period.month = held.month
    RETURNING period.month
)
{_ENTRY} SELECT %(id)s, %(organization)s, %(job)s, %(kind)s, month, %(prompt)s, %(completion)s, %(tokens)s, %(amount)s,
    %(currency)s FROM period RETURNING *
"""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a piece of work really used; prices are per 1,000 tokens."""

    prompt_tokens: int
    completion_tokens: int
    input_price: Decimal
    output_price: Decimal
    currency: str = "USD"

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def amount_micros(self) -> int:
        return price_micros(self.prompt_tokens, self.input_price) + price_micros(
            self.completion_tokens, self.output_price
        )


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """This month's allowance and use for pages and the API, in tokens; money in micros."""

    plan: str
    allowance: int
    used: int
    held: int
    remaining: int
    spent_micros: int
    currency: str
    month: date
    resets_on: date

    @property
    def percent(self) -> int:
        return min(100, round(100 * (self.used + self.held) / self.allowance)) if self.allowance else 100

    @property
    def spent(self) -> Decimal:
        return Decimal(self.spent_micros) / 1_000_000


def limits_of(organization_id: UUID) -> Limits:
    """The limits of the organization's plan, computed from its subscription; never stored."""
    with tenancy.scope(organization_id):
        [plan] = Plan.objects.raw(_PLAN, {"organization": organization_id, "free": FREE_PLAN})
    return Limits(
        plan=plan.name,
        monthly_tokens=plan.monthly_tokens,
        requests_per_minute=plan.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute,
        max_queued=plan.max_queued,
        weight=plan.weight,
        max_running=plan.max_running,
    )


def _locked_usage(month: date) -> Usage:
    """The month's sums, its row locked: whoever holds or settles for this organization waits here."""
    this: dict[str, Any] = {"organization": current_organization(), "month": month}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, this)
        if not (found := cursor.fetchone()):
            cursor.execute(_OPEN, this | {"id": uuid7()})
            cursor.execute(_LOCK, this)
            found = cursor.fetchone()
    return Usage(month, *found)


def hold(job_id: UUID, tokens: int, limits: Limits, now: datetime | None = None) -> LedgerEntry:
    """Reserves `tokens` for a job of the organization in scope, or raises InsufficientQuota and reserves nothing."""
    month = month_of(now or timezone.now())
    usage = _locked_usage(month)
    if not may_hold(limits, usage, tokens):
        raise InsufficientQuota(
            f"This needs up to {tokens} tokens, and {remaining(limits, usage)} of this month's {limits.monthly_tokens}"
            f" are left. The allowance renews on {next_month(month)}."
        )
    [entry] = LedgerEntry.objects.raw(_HOLD, _this(job_id) | {"month": month, "tokens": tokens})
    return cast(LedgerEntry, entry)


def settle(job_id: UUID, charge: Charge) -> LedgerEntry:
    """Closes a job's hold with what was really used; settling or releasing again raises IntegrityError."""
    return _close(job_id, EntryKind.SETTLE, charge)


def release(job_id: UUID) -> LedgerEntry:
    """Closes a job's hold without a charge."""
    return _close(job_id, EntryKind.RELEASE, Charge(0, 0, Decimal(0), Decimal(0)))


def _close(job_id: UUID, kind: EntryKind, charge: Charge) -> LedgerEntry:
    used = {"prompt": charge.prompt_tokens, "completion": charge.completion_tokens, "tokens": charge.tokens}
    money = {"amount": charge.amount_micros, "currency": charge.currency}
    for entry in LedgerEntry.objects.raw(_CLOSE, _this(job_id) | used | money | {"kind": kind.value}):
        return cast(LedgerEntry, entry)
    raise LedgerEntry.DoesNotExist(f"Nothing is held for {job_id}.")


def _this(job_id: UUID) -> dict[str, Any]:
    return {"id": uuid7(), "organization": current_organization(), "job": job_id}


def usage_summary(organization_id: UUID) -> UsageSummary:
    """This month's use of an organization."""
    limits = limits_of(organization_id)
    month = month_of(timezone.now())
    with tenancy.scope(organization_id):
        period = UsagePeriod.objects.filter(month=month).first() or UsagePeriod(month=month)
    usage = Usage(month, period.used_tokens, period.held_tokens, period.spent_micros)
    return UsageSummary(
        plan=limits.plan,
        allowance=limits.monthly_tokens,
        used=usage.used,
        held=usage.held,
        remaining=remaining(limits, usage),
        spent_micros=usage.spent_micros,
        currency="USD",
        month=month,
        resets_on=next_month(month),
    )
