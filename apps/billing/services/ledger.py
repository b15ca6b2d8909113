"""The one ledger: hold an upper bound before the work, settle what was produced or release, each exactly once.

Whoever holds or settles locks the organization's row of the month first; the sums of members and teams and those of the
day are written under that lock alone (docs/decisions/0027), so that no two of them wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.accounts.models import Team
from apps.billing.entitlements import (
    Limits,
    Owner,
    Usage,
    fits,
    may_hold,
    month_of,
    next_month,
    price_micros,
    remaining,
)
from apps.billing.models import FREE_PLAN, BudgetKind, EntryKind, LedgerEntry, Plan, Spender, UsagePeriod
from apps.billing.statements import (
    CLOSE,
    HOLD,
    LOCK_BY_KEY,
    LOCK_BY_PERSON,
    OPEN,
    OPEN_KEY,
    OPEN_PERSON,
    PLAN,
    USED,
)
from apps.core import tenancy
from apps.core.errors import BudgetExceeded, InsufficientQuota
from apps.core.ids import uuid7
from apps.core.tenancy import current_organization

SPENDERS = frozenset({BudgetKind.MEMBER, BudgetKind.SERVICE_ACCOUNT})
WORDS = {BudgetKind.MEMBER: "member", BudgetKind.SERVICE_ACCOUNT: "service account", BudgetKind.TEAM: "team"}


@dataclass(frozen=True, slots=True)
class Purpose:
    """For whom and with which model work is done: a person, or a key and through it the member or program it is of."""

    user_id: UUID | None = None
    api_key_id: UUID | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Locked:
    """The organization's month, locked, and in whose sums the caller's work counts."""

    usage: Usage
    spender_id: UUID | None
    owners: tuple[Owner, ...]


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
        [plan] = Plan.objects.raw(PLAN, {"organization": organization_id, "free": FREE_PLAN})
    return Limits(
        plan=plan.name,
        monthly_tokens=plan.monthly_tokens,
        requests_per_minute=plan.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute,
        max_queued=plan.max_queued,
        weight=plan.weight,
        max_running=plan.max_running,
    )


def lock_month(month: date, purpose: Purpose) -> Locked:
    """Locks the month's row: whoever holds, settles or changes a budget of this organization waits here."""
    this: dict[str, Any] = {
        "organization": current_organization(),
        "month": month,
        "user": purpose.user_id,
        "key": purpose.api_key_id,
    }
    lock, open_spender = (LOCK_BY_KEY, OPEN_KEY) if purpose.api_key_id else (LOCK_BY_PERSON, OPEN_PERSON)
    with connection.cursor() as cursor:
        cursor.execute(lock, this)
        found = cursor.fetchall()
        # A month's first work, or somebody's first.
        if not found or (found[0][3] is not None and not SPENDERS & {row[4] for row in found}):
            cursor.execute(OPEN, this | {"id": uuid7()})
            cursor.execute(open_spender, this | {"id": uuid7()})
            cursor.execute(lock, this)
            found = cursor.fetchall()
    owners = tuple(Owner(BudgetKind(kind), id, limit) for *_, kind, id, limit in found if kind)
    spender_id = next((owner.id for owner in owners if owner.kind in SPENDERS), None)
    return Locked(Usage(month, *found[0][:3]), spender_id, owners)


def hold(
    job_id: UUID, tokens: int, limits: Limits, now: datetime | None = None, purpose: Purpose | None = None
) -> LedgerEntry:
    """Reserves `tokens` for a job of the organization in scope, in every sum that they count in.

    Raises InsufficientQuota or BudgetExceeded, and then reserves nothing.
    """
    purpose = purpose or Purpose()
    now = now or timezone.now()
    month = month_of(now)
    locked = lock_month(month, purpose)
    if not may_hold(limits, locked.usage, tokens):
        raise InsufficientQuota(
            "This needs up to %(tokens)s tokens, and %(left)s of this month's %(whole)s are left."
            " The allowance renews on %(day)s.",
            values={
                "tokens": tokens,
                "left": remaining(limits, locked.usage),
                "whole": limits.monthly_tokens,
                "day": next_month(month),
            },
        )
    _refuse_over_budget(locked, tokens)
    held = {
        "month": month,
        "day": now.date(),
        "tokens": tokens,
        "owners": [owner.id for owner in locked.owners],
        "spender": locked.spender_id,
        "teams": [owner.id for owner in locked.owners if owner.kind == BudgetKind.TEAM],
        "key": purpose.api_key_id,
        "model": purpose.model,
    }
    [entry] = LedgerEntry.objects.raw(HOLD, _this(job_id) | held)
    return cast(LedgerEntry, entry)


def _refuse_over_budget(locked: Locked, tokens: int) -> None:
    """Raises BudgetExceeded for the first budget that has no room; asks nothing where there is no budget."""
    limited = [owner for owner in locked.owners if owner.monthly_tokens is not None]
    if not limited:
        return
    month = locked.usage.month
    with connection.cursor() as cursor:
        owners: Any = [owner.id for owner in limited]
        cursor.execute(USED, {"organization": current_organization(), "month": month, "owners": owners})
        used = {id: (taken, refused) for id, taken, refused in cursor.fetchall()}
    for owner in limited:
        taken, refused = used.get(owner.id, (0, False))
        if not fits(owner, taken, tokens):
            raise _exceeded(owner, month, taken, tokens, told=refused)


def _exceeded(owner: Owner, month: date, taken: int, tokens: int, told: bool) -> BudgetExceeded:
    table: Any = Team if owner.kind == BudgetKind.TEAM else Spender
    left = max(0, (owner.monthly_tokens or 0) - taken)
    return BudgetExceeded(
        "This needs up to %(tokens)s tokens, and %(left)s are left of the monthly budget of %(whole)s of the %(kind)s"
        " %(name)s. It renews on %(day)s.",
        values={
            "tokens": tokens,
            "left": left,
            "whole": owner.monthly_tokens,
            "kind": WORDS[BudgetKind(owner.kind)],
            "name": table.objects.get(pk=owner.id),
            "day": next_month(month),
        },
        owner_id=owner.id,
        month=month,
        told=told,
    )


def settle(job_id: UUID, charge: Charge) -> LedgerEntry:
    """Closes a job's hold with what was really used; settling or releasing again raises IntegrityError."""
    return _close(job_id, EntryKind.SETTLE, charge)


def release(job_id: UUID) -> LedgerEntry:
    """Closes a job's hold without a charge."""
    return _close(job_id, EntryKind.RELEASE, Charge(0, 0, Decimal(0), Decimal(0)))


def _close(job_id: UUID, kind: EntryKind, charge: Charge) -> LedgerEntry:
    used = {"prompt": charge.prompt_tokens, "completion": charge.completion_tokens, "tokens": charge.tokens}
    money = {"amount": charge.amount_micros, "currency": charge.currency}
    for entry in LedgerEntry.objects.raw(CLOSE, _this(job_id) | used | money | {"kind": kind.value}):
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
