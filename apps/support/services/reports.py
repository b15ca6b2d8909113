"""Reports of a stretch of time: from the conversations' own columns where these hold it, else from their history.

A test reckons the same anew from raw messages.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.support.access import READ
from apps.support.models import Conversation, Message, MessageKind, Rating, SlaTimer
from apps.support.reporting import Report, Told, Work, summed, work_of

LONGEST = timedelta(days=400)
# More than these are not reckoned while somebody waits.
MOST = 50_000


def report(actor: Actor, start: datetime, end: datetime, inbox: UUID | None = None) -> Report:
    """Of the conversations that began from `start` on and before `end`; what was merged counts as one."""
    actor.require(READ)
    if not start < end <= start + LONGEST:
        raise InvalidRequest("A report covers up to %(days)s days.", values={"days": LONGEST.days}, param="until")
    with tenancy.scope(actor.organization_id):
        rows = Conversation.objects.filter(created_at__gte=start, created_at__lt=end, merged_into=None)
        rows = rows.filter(inbox=inbox) if inbox else rows
        if rows.count() > MOST:
            raise InvalidRequest("These are too many conversations for one report: choose a shorter time.")
        now = timezone.now()
        with_bot = _with_bot(rows, now)
        columns = rows.values_list("pk", "opened_at", "first_reply_at", "resolved_at")
        work = [
            Work(
                _seconds(opened, replied),
                _seconds(opened, resolved),
                with_bot[pk].bot if pk in with_bot else 0.0,
                pk in with_bot,
                with_bot[pk].by_bot if pk in with_bot else False,
            )
            for pk, opened, replied, resolved in columns
        ]
        answers = Rating.objects.filter(conversation__in=rows, score__isnull=False)
        timers = SlaTimer.objects.filter(conversation__in=rows)
        late = Q(breached_at__isnull=False) | Q(met_at__gt=F("due_at"))
        missed = timers.filter(late).count()
        kept = timers.filter(met_at__lte=F("due_at"), breached_at=None).count()
        return summed(work, list(answers.values_list("score", flat=True)), kept, missed)


def _with_bot(rows: Any, now: datetime) -> dict[UUID, Work]:
    """What activities tell of the time with the bot, of those conversations that it had."""
    told = Message.objects.filter(
        conversation__in=rows, kind=MessageKind.ACTIVITY, details__changes__has_key="bot_owns"
    )
    history: dict[UUID, list[Told]] = {}
    values = told.order_by("conversation", "sequence").values_list("conversation_id", "created_at", "details")
    for conversation, at, details in values:
        history.setdefault(conversation, []).append(Told(at, "activity", "", details["changes"]))
    found = {conversation: work_of(each, now) for conversation, each in history.items()}
    return {conversation: work for conversation, work in found.items() if work.had_bot}


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start is not None and end is not None else None
