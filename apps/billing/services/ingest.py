"""Usage events into the ledger: claimed, written and summed up in one transaction, each exactly once.

Usage is a fact: it is never refused for want of an allowance. What is wrong refuses the whole batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.access import Actor
from apps.billing.cloudevents import UsageEvent, invalid
from apps.billing.entitlements import Terms, charge, month_of
from apps.billing.ingest_statements import KNOWN, LOCK_MONTHS, OPEN_MONTHS, WRITE
from apps.billing.services.ledger import Purpose, state_of
from apps.billing.services.subjects import Counted, counted_for, counted_for_caller, plain
from apps.billing.services.terms import limits_of
from apps.core import ratelimit, tenancy
from apps.core.errors import ServiceUnavailable, UsageEventConflict
from apps.core.ids import uuid7
from apps.core.ratelimit import Bucket, Level
from apps.core.tenancy import current_organization

WRITE_USAGE = "usage:write"
FUTURE, PAST = timedelta(minutes=5), timedelta(days=35)
# So many of the events that say something else than before are named.
NAMED_CONFLICTS = 5
TRIES = 3


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one event: whether it was known already, and its own month where that is closed."""

    event: UsageEvent
    duplicate: bool
    late_from: date | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch, in its order."""

    receipts: tuple[Receipt, ...]
    levels: list[Level] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        return sum(receipt.duplicate for receipt in self.receipts)

    @property
    def accepted(self) -> int:
        return len(self.receipts) - self.duplicates


@dataclass(frozen=True, slots=True)
class _Line:
    """An event about to be a line of the ledger: for whom it counts, when, and what tells it from another."""

    event: UsageEvent
    counted: Counted
    digest: bytes
    counted_at: datetime
    late_from: date | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.event.source, self.event.id


class _Raced(Exception):
    """Somebody has written one of the events between the question for it and the answer."""


def report_usage(actor: Actor, events: Sequence[UsageEvent]) -> Written:
    """Takes in what a program or a person reports for their organization: all of it, or nothing and an error."""
    actor.require(WRITE_USAGE)
    bucket = Bucket("events", settings.USAGE_EVENTS_PER_MINUTE, len(events))
    levels = ratelimit.charge(f"usage:{actor.organization_id}", [bucket])
    with tenancy.scope(actor.organization_id):
        written = write_usage(events, Purpose(actor.user_id, actor.api_key_id))
    return replace(written, levels=levels)


def write_usage(events: Sequence[UsageEvent], by: Purpose | None = None, now: datetime | None = None) -> Written:
    """Writes events of the organization in scope; the same event again changes nothing, whoever else sends it.

    Events without a subject count for whoever is behind the call. Raises UsageEventInvalid for a time out of bounds or
    an unknown subject, and UsageEventConflict for an id that another event has.
    """
    by, now = by or Purpose(), now or timezone.now()
    lines = _lines(events, by, now)
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _written(lines, by, now)
        except _Raced:
            continue
    raise ServiceUnavailable("The same events are being written by others; try again.", retry_after=1)


def _lines(events: Sequence[UsageEvent], by: Purpose, now: datetime) -> list[_Line]:
    subjects = {subject: plain(subject) for subject in {event.subject for event in events}}
    named = counted_for(subjects.keys() - {""})
    if "" in subjects:
        named[""] = counted_for_caller(by.user_id, by.api_key_id)
    first, last, lines = now - PAST, now + FUTURE, []
    for index, event in enumerate(events):
        if not first <= event.occurred_at <= last:
            raise invalid(index, "time", f"must be at most {PAST.days} days ago and not in the future.")
        counted = named.get(subjects[event.subject])
        if counted is None:
            raise invalid(index, "subject", "names no member or service account.")
        lines.append(_Line(event, counted, _digest(event, counted), event.occurred_at))
    return lines


def _digest(event: UsageEvent, counted: Counted) -> bytes:
    """What the event says. A person stands in it by their spender's id: an address would outlive their erasure."""
    who = str(counted.spender_id) if event.subject else ""
    said = (event.meter, str(event.quantity), event.occurred_at.isoformat(), who, event.model)
    return hashlib.sha256("\0".join(said).encode()).digest()


def _written(lines: list[_Line], by: Purpose, now: datetime) -> Written:
    this = month_of(now)
    closed = _lock_months({this, *(month_of(line.event.occurred_at) for line in lines)})
    known = _known(lines)
    conflicts, fresh, duplicates = [], dict[tuple[str, str], _Line](), list[bool]()
    for index, line in enumerate(lines):
        first = fresh.get(line.key)
        before = known.get(index, first.digest if first else None)
        duplicates.append(before is not None)
        if before is None:
            month = month_of(line.event.occurred_at)
            fresh[line.key] = replace(line, counted_at=now, late_from=month) if month in closed else line
        elif before != line.digest:
            conflicts.append(index)
    if conflicts:
        raise _conflict(lines, conflicts)
    if fresh:
        _insert(list(fresh.values()), by, now)
    late = {key: line.late_from for key, line in fresh.items()}
    return Written(
        tuple(
            Receipt(line.event, duplicate, late.get(line.key))
            for line, duplicate in zip(lines, duplicates, strict=True)
        )
    )


def _lock_months(months: set[date]) -> set[date]:
    """Locks the months, and this one with them, so that batches of one organization never overlap; those closed."""
    this: dict[str, Any] = {"organization": current_organization(), "months": sorted(months)}
    with connection.cursor() as cursor:
        cursor.execute(LOCK_MONTHS, this)
        found = cursor.fetchall()
        if len(found) < len(months):
            cursor.execute(OPEN_MONTHS, this)
            cursor.execute(LOCK_MONTHS, this)
            found = cursor.fetchall()
    return {month for month, is_closed in found if is_closed}


def _known(lines: list[_Line]) -> dict[int, bytes]:
    """The digests of those that are in the ledger already, by their place."""
    keys = {"sources": [line.event.source for line in lines], "event_ids": [line.event.id for line in lines]}
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, {"organization": current_organization(), **keys})
        return {place: bytes(digest) for place, digest in cursor.fetchall()}


def _conflict(lines: list[_Line], conflicts: list[int]) -> UsageEventConflict:
    names = ", ".join(lines[index].event.id for index in conflicts[:NAMED_CONFLICTS])
    return UsageEventConflict(
        "%(count)s of these events have the id and source of another event with another content: %(ids)s.",
        values={"count": len(conflicts), "ids": names + (", …" if len(conflicts) > NAMED_CONFLICTS else "")},
        param=f"{conflicts[0]}.id",
    )


def _insert(lines: list[_Line], by: Purpose, now: datetime) -> None:
    events, terms = [line.event for line in lines], limits_of(current_organization()).terms
    charges, applied = _charges(lines, terms)
    this: dict[str, Any] = {"organization": current_organization(), "key": by.api_key_id, "now": now}
    this["currency"] = terms.currency
    this |= {
        "ids": sorted(uuid7() for _ in lines),
        "meters": [event.meter for event in events],
        "quantities": [event.quantity for event in events],
        "charges": charges,
        "terms": applied,
        "sources": [event.source for event in events],
        "event_ids": [event.id for event in events],
        "digests": [line.digest for line in lines],
        "times": [event.occurred_at for event in events],
        "counted": [line.counted_at for line in lines],
        "late": [line.late_from for line in lines],
        "spenders": [line.counted.spender_id for line in lines],
        "models": [event.model for event in events],
        "teams": ["{" + ",".join(map(str, line.counted.team_ids)) + "}" for line in lines],
    }
    with connection.cursor() as cursor:
        cursor.execute(WRITE, this)
        [(count,)] = cursor.fetchall()
    if count != len(lines):
        raise _Raced


def _charges(lines: list[_Line], terms: Terms) -> tuple[list[int], list[str]]:
    """What each line is charged, in micros: what exceeds the allowance and is charged, or credits pay for.

    Beside it, as JSON, the terms by which it was: what was included, the rate beyond, and what had been used before.
    """
    months = {month_of(line.counted_at) for line in lines}
    states = {month: state_of(month, terms.currency, []) for month in sorted(months)}
    used = {(month, name): found.used for month, state in states.items() for name, found in state.meters.items()}
    # Less what all open months have charged; it is the same balance, whichever month a line counts in.
    left = [state.purse.credits - sum(found.charged for found in state.meters.values()) for state in states.values()]
    credits = min(left, default=0)
    charges, applied = [], []
    for line in lines:
        month, meter, quantity = month_of(line.counted_at), line.event.meter, line.event.quantity
        term, before = terms.of(meter), used.get((month, meter), 0)
        full = charge(term, before, quantity)
        charges.append(full if term.charged else max(0, min(full, credits)))
        credits -= charges[-1]
        used[month, meter] = before + quantity
        applied.append(json.dumps({meter: [term.included, str(term.rate or 0), before]}))
    return charges, applied
