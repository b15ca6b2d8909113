"""The console: the list with its filters, and one conversation with everything that is done in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import Membership, Organization
from apps.core.together import fetch_together
from apps.support.access import MANAGE, READ, UNMASK, WRITE
from apps.support.access_bot import READ as READ_BOT
from apps.support.access_bot import WRITE as WRITE_BOT
from apps.support.canned import fill
from apps.support.models import Conversation, Message, Priority, SlaTimer
from apps.support.services import assignment, console, drafts, reading
from apps.support.services.canned import values_with
from apps.support.services.learning import records_of, turns_of

ROWS, SHOWN = 50, 60
# What a page has asked for, by name (`apps.support.services.console`).
Found = dict[str, list[Any]]
# What the list shows, by the name in its address.
TABS: dict[str, tuple[Any, dict[str, str]]] = {
    "queue": (_("Queue"), {"queue": "1"}),
    "mine": (_("Mine"), {"assignee": "me", "status": "open"}),
    "open": (pgettext_lazy("conversations", "Open"), {"status": "open"}),
    "pending": (_("With the bot"), {"status": "pending"}),
    "snoozed": (_("Snoozed"), {"status": "snoozed"}),
    "resolved": (_("Resolved"), {"status": "resolved"}),
    "all": (_("All"), {}),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which list is shown: its tab, and what was chosen beside it."""

    tab: str
    chosen: dict[str, str]


@require_GET
@never_cache
@organization_page
def desk(request: HttpRequest) -> HttpResponse:
    """The list; where nothing is chosen, what waits."""
    actor, wanted = _actor(request), _wanted(request)
    found = fetch_together(**_list_queries(actor, wanted), **console.of_choices(actor))
    due = console.running_timers(found["rows"])
    return render(request, "support/desk.html", list_context(actor, wanted, found, due) | choices(found))


@require_GET
@never_cache
@organization_page
def conversation(request: HttpRequest, id: UUID) -> HttpResponse:
    """One conversation beside the list; that it was opened stands in the audit log."""
    return shown(request, reading.view(_actor(request), id))


@require_GET
@never_cache
@organization_page
def fresh(request: HttpRequest, id: UUID) -> HttpResponse:
    """What has come behind a number, and what stands around it, for a page that is open already."""
    actor = _actor(request)
    said = request.GET.get("after", "0")
    after = int(said) if said.isdigit() and len(said) < 10 else 0
    row = reading.get(actor, id) if after else reading.view(actor, id)
    new = reading.stretch_to(row.pk, row.last_sequence, after)
    found = fetch_together(
        **console.around(row), **console.of_choices(actor), records=_records(actor, row, new.messages)
    )
    context = conversation_context(actor, row, new.messages, found) | {
        "tab": _wanted(request).tab,
        "last": new.messages[-1].sequence if new.has_more else new.last,
        "more": new.has_more,
    }
    return render(request, "support/fresh.html", context)


def shown(request: HttpRequest, row: Conversation, **more: Any) -> HttpResponse:
    """The page of a conversation; `more` holds what went wrong with what was sent."""
    actor, wanted = _actor(request), _wanted(request)
    found = fetch_together(
        **_list_queries(actor, wanted),
        **console.of_choices(actor),
        **console.around(row),
        **console.of_composer(actor),
        messages=reading.newest(row, SHOWN),
    )
    messages = reading.in_order(found["messages"])
    found |= fetch_together(due=console.running_timers(found["rows"]), records=_records(actor, row, messages))
    organization: Organization = request.organization  # type: ignore[attr-defined]
    context = list_context(actor, wanted, found, found["due"]) | conversation_context(actor, row, messages, found)
    context |= {"canned": _canned(row, found, organization), "intents": found["intents"]} | more
    return render(request, "support/conversation.html", context, status=more.get("status", 200))


def _wanted(request: HttpRequest) -> Wanted:
    tab = request.GET.get("tab", "queue")
    chosen = {name: request.GET.get(name, "") for name in ("search", "inbox", "label")}
    return Wanted(tab if tab in TABS else "queue", chosen)


def _list_queries(actor: Actor, wanted: Wanted) -> console.Queries:
    actor.require(READ)
    filters = TABS[wanted.tab][1] | {name: value for name, value in wanted.chosen.items() if value}
    return console.of_list(actor, filters, ROWS + 1) | {"own": console.own(actor, TABS["mine"][1])}


def list_context(actor: Actor, wanted: Wanted, found: Found, due: Iterable[SlaTimer]) -> dict[str, Any]:
    rows, first = found["rows"], _first_due(due)
    return {
        "tab": wanted.tab,
        "tabs": [(name, label) for name, (label, _filters) in TABS.items()],
        "rows": [(row, first.get(row.pk)) for row in rows[:ROWS]],
        "has_more": len(rows) > ROWS,
        # Where nobody waits, what one has oneself must not be overlooked.
        "own": 0 if rows or wanted.tab != "queue" else sum(found["own"]),
        "chosen": wanted.chosen,
        "inboxes": found["inboxes"],
        "labels": found["labels"],
        "me": next(iter(found["me"]), None),
        "may_write": WRITE in actor.permissions,
        "may_manage": MANAGE in actor.permissions,
    }


def choices(found: Found) -> dict[str, Any]:
    """What a conversation, or several of them, can be given; of members those who may answer, by their addresses."""
    members: list[Membership] = found["members"]
    return {
        "agents": [row for row in members if WRITE in row.permissions][: console.MOST_CHOICES],
        "teams": found["teams"],
        "priorities": Priority.choices,
        "macros": found["macros"],
    }


def _first_due(timers: Iterable[SlaTimer]) -> dict[UUID, SlaTimer]:
    """The promise of each that is due first, or was missed."""
    by_moment = sorted(timers, key=lambda timer: timer.due_at, reverse=True)
    return {timer.conversation_id: timer for timer in by_moment}


def conversation_context(actor: Actor, row: Conversation, messages: list[Message], found: Found) -> dict[str, Any]:
    """What stands around the messages, and those."""
    mine = assignment.membership_of(actor)
    participants, chosen = [each.membership for each in found["participants"]], choices(found)
    return {
        "conversation": row,
        "contact": row.contact,
        "messages_shown": messages,
        "earlier_messages": row.last_sequence > SHOWN,
        "timers": found["timers"],
        "now": timezone.now(),
        "place": assignment.queue_place(row, found["ahead"]),
        "cursors": [each for each in found["cursors"] if each.membership_id != mine],
        "history": found["history"],
        "notes": found["notes"],
        "participants": participants,
        "others": [each for each in chosen["agents"] if each not in participants],
        "all_labels": found["labels"],
        "turns": turns_of(found["records"], messages),
        "may_teach": WRITE_BOT in actor.permissions,
        "client_id": str(uuid4()),
        "mine": mine,
        "has_writer": any(found["writers"]),
        "summary": drafts.latest_summary(found["drafts"]),
        "suggestion": drafts.latest_reply(found["drafts"]) if WRITE in actor.permissions else None,
        "may_write": WRITE in actor.permissions,
        "may_manage": MANAGE in actor.permissions,
        "may_unmask": UNMASK in actor.permissions,
    } | chosen


def _records(actor: Actor, row: Conversation, messages: list[Message]) -> Any:
    """How the bot has read the messages, for whoever may see that."""
    return records_of(row, messages if READ_BOT in actor.permissions else [])


def _canned(row: Conversation, found: Found, organization: Organization) -> list[tuple[str, str]]:
    """Ready texts as they would be sent here."""
    values = values_with(row, row.contact, next(iter(found["person"]), None), organization.name)
    return [(text.code, fill(text.content, values).text) for text in found["ready"]]


def message_of(row: Conversation, sequence: str) -> Message | None:
    if not sequence.isdigit() or len(sequence) > 9:
        return None
    found: Message | None = Message.objects.filter(conversation=row, sequence=int(sequence)).first()
    return found


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
