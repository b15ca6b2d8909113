"""Promises of answers: started, kept or missed. How much business time passes is `apps.support.hours`' arithmetic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Case, F, When
from django.utils import timezone

from apps.core import events
from apps.support import hours
from apps.support.models import BusinessHours, Conversation, Inbox, Message, MessageKind, SlaKind, SlaPolicy, SlaTimer


def hours_of(row: BusinessHours | None) -> hours.Hours | None:
    """None means always."""
    return hours.parsed(row.time_zone, row.weekly, row.holidays) if row else None


def _policy_of(conversation: Conversation) -> tuple[SlaPolicy, hours.Hours | None] | None:
    inbox: Inbox = Inbox.objects.select_related("sla", "hours").get(pk=conversation.inbox_id)
    if inbox.sla is None:
        return None
    return inbox.sla, hours_of(inbox.hours) if inbox.sla.in_hours else None


def start(conversation: Conversation, kind: SlaKind, at: datetime) -> None:
    """Begins a promise, unless it runs already or none was made."""
    policy = _policy_of(conversation)
    seconds = getattr(policy[0], kind.value) if policy else None
    if policy is None or seconds is None:
        return
    running = SlaTimer.objects.filter(conversation=conversation, kind=kind, met_at=None, called_off=False)
    if running.exists():
        return
    SlaTimer.objects.create(
        organization_id=conversation.organization_id,
        conversation=conversation,
        policy=policy[0],
        kind=kind,
        started_at=at,
        due_at=hours.due(policy[1], at, seconds),
    )


def meet(conversation: Conversation, kinds: list[SlaKind], at: datetime) -> None:
    """What was promised has been done; late is late, also where nobody has noted it yet."""
    running = SlaTimer.objects.filter(conversation=conversation, kind__in=kinds, met_at=None, called_off=False)
    is_late = When(due_at__lt=at, breached_at=None, then=F("due_at"))
    running.update(met_at=at, breached_at=Case(is_late, default=F("breached_at")))


def call_off(conversation: Conversation) -> None:
    SlaTimer.objects.filter(conversation=conversation, met_at=None).update(called_off=True)


def opened(conversation: Conversation, at: datetime) -> None:
    """People have it from now on."""
    start(conversation, SlaKind.RESOLUTION, at)


def asked(conversation: Conversation, at: datetime) -> None:
    """The contact has written to people."""
    kind = SlaKind.FIRST_REPLY if conversation.first_reply_at is None else SlaKind.NEXT_REPLY
    start(conversation, kind, at)


def taken_from_bot(conversation: Conversation, at: datetime) -> None:
    """A person has from now on what was the bot's: whoever has written waits for them. The row is held."""
    opened(conversation, at)
    if Message.objects.filter(conversation=conversation, kind=MessageKind.INCOMING).exists():
        conversation.waiting_since = conversation.waiting_since or at
        conversation.save(update_fields=["waiting_since"])
        asked(conversation, at)


def answered(conversation: Conversation, at: datetime) -> None:
    meet(conversation, [SlaKind.FIRST_REPLY, SlaKind.NEXT_REPLY], at)


def resolved(conversation: Conversation, at: datetime) -> None:
    """Nobody waits for an answer any more; whether one was late by then is noted first."""
    meet(conversation, [SlaKind.RESOLUTION], at)
    waiting = SlaTimer.objects.filter(conversation=conversation, met_at=None, called_off=False)
    waiting.filter(due_at__lt=at, breached_at=None).update(breached_at=F("due_at"))
    waiting.update(called_off=True)


def note_breaches(now: datetime | None = None) -> int:
    """Notes, in scope, what has become late, with an event each; returns how many."""
    moment = now or timezone.now()
    late = SlaTimer.objects.filter(met_at=None, breached_at=None, called_off=False, due_at__lt=moment)
    rows: list[Any] = list(late.select_for_update(skip_locked=True, of=("self",)).select_related("conversation")[:200])
    for row in rows:
        SlaTimer.objects.filter(pk=row.pk).update(breached_at=row.due_at)
    for row in rows:
        facts = {"kind": str(row.kind), "number": row.conversation.number, "due_at": row.due_at.isoformat()}
        events.record("support_conversation.sla_missed", row.conversation_id, facts)
    return len(rows)
