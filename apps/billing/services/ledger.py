"""The one ledger: hold an upper bound before the work, settle what was produced or release, each exactly once.

Whoever holds or settles locks the organization's row of the month first; the sums of members and teams and those of the
hour are written under that lock alone (docs/decisions/0027), so that no two of them wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.accounts.models import Team
from apps.billing import units
from apps.billing.entitlements import (
    Access,
    Limits,
    Metered,
    Owner,
    Purse,
    Refusal,
    Usage,
    fits,
    left,
    month_of,
    next_month,
    price_micros,
    refusal,
)
from apps.billing.models import BudgetKind, EntryKind, LedgerEntry, Meter, Spender
from apps.billing.statements import (
    CLOSE,
    HOLD,
    LOCK_BY_KEY,
    LOCK_BY_PERSON,
    OPEN,
    OPEN_KEY,
    OPEN_PERSON,
    STATE,
)
from apps.core.errors import BudgetExceeded, CapReached, InsufficientQuota, SubscriptionPastDue
from apps.core.ids import uuid7
from apps.core.statements import prepared_cursor, rows_of
from apps.core.tenancy import current_organization

Quantities = Mapping[str, int]
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
class State:
    """What a hold is measured against, read under the month's lock.

    `budgets` are what owners of budgets hold and have used, and whether a refusal has been noted.
    """

    meters: Mapping[str, Metered]
    budgets: Mapping[UUID, tuple[int, bool]]
    purse: Purse


@dataclass(frozen=True, slots=True)
class Charge:
    """What a piece of work really used: tokens, whose list prices are per 1,000, or `quantity` of its one meter."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    input_price: Decimal = Decimal(0)
    output_price: Decimal = Decimal(0)
    currency: str = "USD"
    quantity: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def amount_micros(self) -> int:
        return price_micros(self.prompt_tokens, self.input_price) + price_micros(
            self.completion_tokens, self.output_price
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
    found = _asked(lock, this)
    # A month's first work, or somebody's first.
    if not found or (found[0][3] is not None and not SPENDERS & {row[4] for row in found}):
        with connection.cursor() as cursor:
            cursor.execute(OPEN, this | {"id": uuid7()})
            cursor.execute(open_spender, this | {"id": uuid7()})
        found = _asked(lock, this)
    owners = tuple(Owner(BudgetKind(kind), id, limit) for *_, kind, id, limit in found if kind)
    spender_id = next((owner.id for owner in owners if owner.kind in SPENDERS), None)
    return Locked(Usage(month, *found[0][:3]), spender_id, owners)


def _asked(question: str, this: dict[str, Any]) -> list[Any]:
    """The answer to one of the questions of every hold, which take longer to plan than to answer."""
    with prepared_cursor() as cursor:
        cursor.execute(question, this)
        return cast("list[Any]", cursor.fetchall())


def tokens(prompt: int, completion: int) -> dict[str, int]:
    """The quantities of a text that is generated."""
    return {Meter.TOKENS_IN: prompt, Meter.TOKENS_OUT: completion}


def hold(
    job_id: UUID, asked: Quantities, limits: Limits, now: datetime | None = None, purpose: Purpose | None = None
) -> LedgerEntry:
    """Reserves the quantities for a job of the organization in scope, in every sum that they count in.

    They are the tokens of a text, or those of one other meter. Raises SubscriptionPastDue, InsufficientQuota,
    CapReached or BudgetExceeded, and then reserves nothing.
    """
    if limits.access == Access.READ_ONLY:
        raise SubscriptionPastDue(
            "The subscription is unpaid or paused. Nothing is lost, and what there is can be read and exported; new"
            " work begins once it is paid for or resumed."
        )
    purpose, now = purpose or Purpose(), now or timezone.now()
    month = month_of(now)
    locked = lock_month(month, purpose)
    state = state_of(month, limits.terms.currency, [owner.id for owner in locked.owners])
    _refuse_beyond_plan(asked, limits, state, month)
    total = asked.get(Meter.TOKENS_IN, 0) + asked.get(Meter.TOKENS_OUT, 0)
    _refuse_over_budget(locked, state, total)
    held = _as_line(asked, limits) | {
        "month": month,
        "day": now.date(),
        "at": now,
        "tokens": total,
        "owners": [owner.id for owner in locked.owners],
        "spender": locked.spender_id,
        "teams": sorted(owner.id for owner in locked.owners if owner.kind == BudgetKind.TEAM),
        "key": purpose.api_key_id,
        "model": purpose.model,
    }
    [entry] = rows_of(LedgerEntry, HOLD, _this(job_id) | held)
    return entry


def has_room(asked: Quantities, limits: Limits) -> bool:
    """Whether so much could be held now, in scope and as far as a look without a lock can tell."""
    if limits.access == Access.READ_ONLY:
        return False
    state = state_of(month_of(timezone.now()), limits.terms.currency, [])
    return refusal(limits.terms, asked, state.meters, state.purse) is None


def _as_line(asked: Quantities, limits: Limits) -> dict[str, Any]:
    """Quantities and what was agreed for them as columns of a line."""
    other = [name for name in asked if name not in (Meter.TOKENS_IN, Meter.TOKENS_OUT)]
    if other and len(asked) > 1:
        raise ValueError(f"One line counts tokens or one other meter, not {', '.join(asked)}.")
    terms = {name: limits.terms.of(name) for name in asked}
    return {
        "prompt": asked.get(Meter.TOKENS_IN, 0),
        "completion": asked.get(Meter.TOKENS_OUT, 0),
        "meter": str(other[0]) if other else "",
        "quantity": asked[other[0]] if other else 0,
        "meters": [str(name) for name in asked],
        "quantities": list(asked.values()),
        "currency": limits.terms.currency,
        "terms": json.dumps({str(name): [term.included, str(term.rate or 0)] for name, term in terms.items()}),
    }


def state_of(month: date, currency: str, owners: list[UUID]) -> State:
    """What has been used of a month that the caller has locked, and what may be spent beyond it."""
    this: dict[str, Any] = {"organization": current_organization(), "month": month}
    return state_in(_asked(STATE, this | {"currency": currency, "owners": owners}))


def state_in(rows: Sequence[Any]) -> State:
    """The state that rows of STATE tell of; others beside them are passed over."""
    return State(
        meters={name: Metered(used, held, charged) for kind, name, used, held, charged in rows if kind == "meter"},
        budgets={UUID(id): (taken, bool(told)) for kind, id, taken, told, _ in rows if kind == "budget"},
        purse=next(Purse(each, None if cap < 0 else cap) for kind, _, each, cap, _ in rows if kind == "purse"),
    )


def _refuse_beyond_plan(asked: Quantities, limits: Limits, state: State, month: date) -> None:
    found = refusal(limits.terms, asked, state.meters, state.purse)
    if found is None:
        return
    why, meter = found
    term = limits.terms.of(meter)
    name, day = Meter(meter).label, next_month(month)
    amounts = asked[meter], left(term, state.meters.get(meter, Metered())), term.included
    # Beside the name of a meter of time stand hours and minutes, as on pages.
    count, there, whole = (units.figures(meter, each) if meter == Meter.TRAINING_SECONDS else each for each in amounts)
    if why == Refusal.CAP:
        raise CapReached(
            "This needs up to %(count)s of “%(meter)s”, and could go beyond the spending cap of this month. Raise the"
            " cap, or wait until %(day)s.",
            values={"count": count, "meter": name, "day": day},
        )
    if why == Refusal.CREDITS:
        raise InsufficientQuota(
            "This needs up to %(count)s of “%(meter)s”; %(left)s of this month's %(whole)s are left, and the credits do"
            " not pay for the rest. The allowance renews on %(day)s.",
            values={"count": count, "meter": name, "left": there, "whole": whole, "day": day},
        )
    raise InsufficientQuota(
        "This needs up to %(count)s of “%(meter)s”, and %(left)s of this month's %(whole)s are left."
        " The allowance renews on %(day)s.",
        values={"count": count, "meter": name, "left": there, "whole": whole, "day": day},
    )


def _refuse_over_budget(locked: Locked, state: State, tokens: int) -> None:
    """Raises BudgetExceeded for the first budget that has no room."""
    for owner in locked.owners if tokens else ():
        taken, refused = state.budgets.get(owner.id, (0, False))
        if not fits(owner, taken, tokens):
            raise _exceeded(owner, locked.usage.month, taken, tokens, told=refused)


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
    return _close(job_id, EntryKind.RELEASE, Charge())


def _close(job_id: UUID, kind: EntryKind, charge: Charge) -> LedgerEntry:
    used = {"prompt": charge.prompt_tokens, "completion": charge.completion_tokens, "tokens": charge.tokens}
    used["quantity"] = charge.quantity
    money = {"amount": charge.amount_micros, "currency": charge.currency}
    for entry in rows_of(LedgerEntry, CLOSE, _this(job_id) | used | money | {"kind": kind.value}):
        return entry
    raise LedgerEntry.DoesNotExist(f"Nothing is held for {job_id}.")


def _this(job_id: UUID) -> dict[str, Any]:
    return {"id": uuid7(), "organization": current_organization(), "job": job_id}
