"""Reports of a stretch of time: from the conversations' own columns where these hold it, else from their history.

A test reckons the same anew from raw messages. Several reports of the same time are of one reading.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q
from django.utils import timezone

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.support.access import READ
from apps.support.models import Conversation, ConversationStatus, Message, MessageKind, Rating, SlaTimer
from apps.support.reporting import Counted, Report, Told, Work, start_of, starts_between, summed, work_of

LONGEST = timedelta(days=400)
# More than these are not reckoned while somebody waits.
MOST = 50_000


@dataclass(frozen=True, slots=True)
class Where:
    """Of which conversations a report is: of all where nothing is said."""

    inbox: UUID | None = None
    agent: UUID | None = None
    team: UUID | None = None
    label: str = ""

    @property
    def condition(self) -> Q:
        given = {"inbox": self.inbox, "assignee": self.agent, "team": self.team}
        asked = Q(**{name: id for name, id in given.items() if id is not None})
        return asked & Q(labels__contains=[self.label]) if self.label else asked


@dataclass(frozen=True, slots=True)
class Part:
    """One conversation as reports count it."""

    created_at: datetime
    inbox: UUID
    agent: UUID | None
    team: UUID | None
    work: Work
    counted: Counted


@dataclass(frozen=True, slots=True)
class Standing:
    """How many conversations are open now, and how many of these wait for a first or another answer."""

    open: int = 0
    unattended: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """All of them in one report, apart for each of whom they are, and how many began in each stretch of time."""

    whole: Report
    groups: dict[UUID | None, Report]
    begun: dict[datetime, int]


EVERYWHERE = Where()
# Whose a conversation is; None is nobody's.
GROUPS: dict[str, Callable[[Part], UUID | None]] = {
    "agent": lambda part: part.agent,
    "team": lambda part: part.team,
    "inbox": lambda part: part.inbox,
}


def report(actor: Actor, start: datetime, end: datetime, where: Where = EVERYWHERE) -> Report:
    """Of the conversations that began from `start` on and before `end`; what was merged counts as one."""
    return _summed(_parts(actor, start, end, where))


def reports_by(
    actor: Actor, start: datetime, end: datetime, key: Callable[[Part], Hashable], where: Where = EVERYWHERE
) -> dict[Hashable, Report]:
    """The same, apart for each of what `key` says of a conversation; none of what there is no conversation of."""
    groups: dict[Hashable, list[Part]] = {}
    for part in _parts(actor, start, end, where):
        groups.setdefault(key(part), []).append(part)
    return {name: _summed(parts) for name, parts in groups.items()}


def overview(
    actor: Actor, start: datetime, end: datetime, by: str, where: Where = EVERYWHERE, unit: str = "day"
) -> Overview:
    """All that a page shows of a time, of one reading; `by` is one of GROUPS, `unit` one of reporting.UNITS."""
    parts, key = _parts(actor, start, end, where), GROUPS[by]
    groups: dict[UUID | None, list[Part]] = {}
    begun = dict.fromkeys(starts_between(start, end, unit), 0)
    for part in parts:
        groups.setdefault(key(part), []).append(part)
        begun[start_of(part.created_at.astimezone(start.tzinfo), unit)] += 1
    return Overview(_summed(parts), {name: _summed(each) for name, each in groups.items()}, begun)


def standing(actor: Actor) -> dict[UUID | None, Standing]:
    """What is open now, by whose it is; None is nobody's."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        rows = Conversation.objects.filter(status=ConversationStatus.OPEN, merged_into=None).order_by()
        waits = Q(first_reply_at=None) | Q(waiting_since__isnull=False)
        found = rows.values_list("assignee").annotate(open=Count("pk"), unattended=Count("pk", filter=waits))
        return {agent: Standing(all, unattended) for agent, all, unattended in found}


def _summed(parts: Iterable[Part]) -> Report:
    found = list(parts)
    return summed([each.work for each in found], [each.counted for each in found])


def _parts(actor: Actor, start: datetime, end: datetime, where: Where) -> list[Part]:
    actor.require(READ)
    if not start < end <= start + LONGEST:
        raise InvalidRequest("A report covers up to %(days)s days.", values={"days": LONGEST.days}, param="until")
    with tenancy.scope(actor.organization_id):
        rows = Conversation.objects.filter(where.condition, created_at__gte=start, created_at__lt=end, merged_into=None)
        if rows.count() > MOST:
            raise InvalidRequest("These are too many conversations for one report: choose a shorter time.")
        with_bot, counted = _with_bot(rows, timezone.now()), _counted(rows)
        columns = ("pk", "created_at", "inbox", "assignee", "team", "opened_at", "first_reply_at", "resolved_at")
        parts = []
        for pk, created_at, inbox, agent, team, opened, replied, resolved in rows.values_list(*columns):
            work = _work(opened, replied, resolved, with_bot.get(pk))
            parts.append(Part(created_at, inbox, agent, team, work, counted.get(pk, Counted())))
        return parts


def _work(opened: datetime | None, replied: datetime | None, resolved: datetime | None, bot: Work | None) -> Work:
    return Work(
        _seconds(opened, replied),
        _seconds(opened, resolved),
        bot.bot if bot else 0.0,
        bot is not None,
        bot.by_bot if bot else False,
        resolved is not None,
    )


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


def _counted(rows: Any) -> dict[UUID, Counted]:
    """Ratings, promises and messages, of the conversations that have any."""
    scores: dict[UUID, tuple[int, ...]] = {}
    answered = Rating.objects.filter(conversation__in=rows, score__isnull=False)
    for conversation, score in answered.values_list("conversation_id", "score"):
        scores[conversation] = (*scores.get(conversation, ()), score)
    late = Q(breached_at__isnull=False) | Q(met_at__gt=F("due_at"))
    in_time = Q(met_at__lte=F("due_at"), breached_at=None)
    promises = _by_conversation(SlaTimer.objects.filter(conversation__in=rows), kept=in_time, missed=late)
    spoken = Message.objects.filter(conversation__in=rows, kind__in=(MessageKind.INCOMING, MessageKind.OUTGOING))
    kinds = {"incoming": Q(kind=MessageKind.INCOMING), "outgoing": Q(kind=MessageKind.OUTGOING)}
    said = _by_conversation(spoken, **kinds)
    return {
        each: Counted(scores.get(each, ()), **promises.get(each, {}), **said.get(each, {}))
        for each in {*scores, *promises, *said}
    }


def _by_conversation(rows: Any, **conditions: Q) -> dict[UUID, dict[str, int]]:
    counts = {name: Count("pk", filter=condition) for name, condition in conditions.items()}
    found = rows.order_by().values("conversation_id").annotate(**counts)
    return {row["conversation_id"]: {name: row[name] for name in conditions} for row in found}


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start is not None and end is not None else None
