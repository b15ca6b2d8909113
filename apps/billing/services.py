"""The one ledger: hold an upper bound before the work, settle what was produced or release, each exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Exists, Q, Subquery
from django.utils import timezone

from apps.billing.entitlements import Limits, Usage, may_hold, month_of, next_month, price_micros, remaining
from apps.billing.models import FREE_PLAN, EntryKind, LedgerEntry, Plan, Subscription, UsagePeriod
from apps.core import tenancy
from apps.core.errors import InsufficientQuota
from apps.core.ids import uuid7
from apps.core.tenancy import current_organization


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
        subscribed = Subscription.objects.values("plan_id")[:1]
        plan = Plan.objects.get(Q(pk=Subquery(subscribed)) | ~Exists(subscribed) & Q(code=FREE_PLAN))
    return Limits(
        plan=plan.name,
        monthly_tokens=plan.monthly_tokens,
        requests_per_minute=plan.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute,
        max_queued=plan.max_queued,
        weight=plan.weight,
        max_running=plan.max_running,
    )


def _locked_period(month: date) -> UsagePeriod:
    """The month's row, locked: whoever holds or settles for this organization waits here."""
    period: UsagePeriod | None
    for period in UsagePeriod.objects.select_for_update().filter(month=month):
        return period
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {UsagePeriod._meta.db_table}"
            " (id, organization_id, month, held_tokens, used_tokens, spent_micros) VALUES (%s, %s, %s, 0, 0, 0)"
            " ON CONFLICT (organization_id, month) DO NOTHING",
            [uuid7(), current_organization(), month],
        )
    period = UsagePeriod.objects.select_for_update().get(month=month)
    return period


def hold(job_id: UUID, tokens: int, limits: Limits, now: datetime | None = None) -> LedgerEntry:
    """Reserves `tokens` for a job of the organization in scope, or raises InsufficientQuota and reserves nothing."""
    month = month_of(now or timezone.now())
    period = _locked_period(month)
    usage = Usage(month, period.used_tokens, period.held_tokens, period.spent_micros)
    if not may_hold(limits, usage, tokens):
        raise InsufficientQuota(
            f"This needs up to {tokens} tokens, and {remaining(limits, usage)} of this month's {limits.monthly_tokens}"
            f" are left. The allowance renews on {next_month(month)}."
        )
    period.held_tokens += tokens
    period.save(update_fields=["held_tokens"])
    entry: LedgerEntry = LedgerEntry.objects.create(
        organization_id=current_organization(), job_id=job_id, kind=EntryKind.HOLD, month=month, tokens=tokens
    )
    return entry


def settle(job_id: UUID, charge: Charge) -> LedgerEntry:
    """Closes a job's hold with what was really used; settling or releasing again raises IntegrityError."""
    return _close(job_id, EntryKind.SETTLE, charge)


def release(job_id: UUID) -> LedgerEntry:
    """Closes a job's hold without a charge."""
    return _close(job_id, EntryKind.RELEASE, Charge(0, 0, Decimal(0), Decimal(0)))


def _close(job_id: UUID, kind: EntryKind, charge: Charge) -> LedgerEntry:
    held: LedgerEntry = LedgerEntry.objects.get(job_id=job_id, kind=EntryKind.HOLD)
    # The month of the hold: work that runs over midnight of the first is charged where it was reserved.
    period = _locked_period(held.month)
    period.held_tokens -= held.tokens
    period.used_tokens += charge.tokens
    period.spent_micros += charge.amount_micros
    period.save(update_fields=["held_tokens", "used_tokens", "spent_micros"])
    entry: LedgerEntry = LedgerEntry.objects.create(
        organization_id=current_organization(),
        job_id=job_id,
        kind=kind,
        month=held.month,
        prompt_tokens=charge.prompt_tokens,
        completion_tokens=charge.completion_tokens,
        tokens=charge.tokens,
        amount_micros=charge.amount_micros,
        currency=charge.currency,
    )
    return entry


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
