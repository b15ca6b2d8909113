"""The console: the list with its filters, and one conversation with everything that is done in it."""

from __future__ import annotations

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
from apps.accounts.models import Membership, Team
from apps.support.access import MANAGE, READ, UNMASK, WRITE
from apps.support.access_bot import READ as READ_BOT
from apps.support.access_bot import WRITE as WRITE_BOT
from apps.support.canned import fill
from apps.support.models import (
    Agent,
    CannedReply,
    Contact,
    Conversation,
    Inbox,
    Label,
    Message,
    Priority,
    SlaTimer,
)
from apps.support.services import assignment, drafts, reading, setup
from apps.support.services.canned import values_of
from apps.support.services.cursors import cursors_of
from apps.support.services.flows.settings import settings_of
from apps.support.services.learning import intents, turns_of

ROWS, SHOWN, MOST_CHOICES = 50, 60, 200
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


@require_GET
@never_cache
@organization_page
def desk(request: HttpRequest) -> HttpResponse:
    """The list; where nothing is chosen, what waits."""
    return render(request, "support/desk.html", list_context(request) | choices(_actor(request)))


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
    found = reading.stretch(row, after)
    context = conversation_context(request, row, found.messages) | {
        "last": found.messages[-1].sequence if found.has_more else found.last,
        "more": found.has_more,
    }
    return render(request, "support/fresh.html", context)


def shown(request: HttpRequest, row: Conversation, **more: Any) -> HttpResponse:
    """The page of a conversation; `more` holds what went wrong with what was sent."""
    canned = _canned(row, row.contact, _actor(request))
    context = list_context(request) | conversation_context(request, row) | {"canned": canned, "intents": intents()}
    context |= more
    return render(request, "support/conversation.html", context, status=more.get("status", 200))


def list_context(request: HttpRequest) -> dict[str, Any]:
    actor = _actor(request)
    actor.require(READ)
    tab = request.GET.get("tab", "queue")
    tab = tab if tab in TABS else "queue"
    mine = assignment.membership_of(actor)
    chosen = {name: request.GET.get(name, "") for name in ("search", "inbox", "label")}
    filters = TABS[tab][1] | {name: value for name, value in chosen.items() if value}
    rows = list(reading.listed(actor, filters, mine)[: ROWS + 1])
    due = _due(rows)
    return {
        "tab": tab,
        "tabs": [(name, label) for name, (label, _filters) in TABS.items()],
        "rows": [(row, due.get(row.pk)) for row in rows[:ROWS]],
        "has_more": len(rows) > ROWS,
        # Where nobody waits, what one has oneself must not be overlooked.
        "own": 0 if rows or tab != "queue" or not mine else reading.listed(actor, TABS["mine"][1], mine).count(),
        "chosen": chosen,
        "inboxes": list(Inbox.objects.filter(archived_at=None).order_by("name")),
        "labels": list(Label.objects.order_by("title")),
        "me": Agent.objects.filter(membership=mine).first() if mine else None,
        "may_write": WRITE in actor.permissions,
        "may_manage": MANAGE in actor.permissions,
    }


def choices(actor: Actor) -> dict[str, Any]:
    """What a conversation, or several of them, can be given."""
    return {
        "agents": _agents(),
        "teams": list(Team.objects.order_by("name")[:MOST_CHOICES]),
        "priorities": Priority.choices,
        "macros": list(setup.listing(actor, "macro")),
    }


def _due(rows: list[Conversation]) -> dict[UUID, SlaTimer]:
    """The promise of each that is due first, or was missed."""
    running = SlaTimer.objects.filter(conversation__in=[row.pk for row in rows], met_at=None, called_off=False)
    found: dict[UUID, SlaTimer] = {}
    for timer in running.order_by("-due_at"):
        found[timer.conversation_id] = timer
    return found


def conversation_context(
    request: HttpRequest, row: Conversation, messages: list[Message] | None = None
) -> dict[str, Any]:
    """What stands around the messages, and those, which are the last ones unless others are given."""
    actor = _actor(request)
    messages = reading.latest(row, SHOWN) if messages is None else messages
    contact: Contact = row.contact
    earlier = Conversation.objects.filter(contact=contact, merged_into=None).exclude(pk=row.pk)
    mine = assignment.membership_of(actor)
    return {
        "conversation": row,
        "contact": contact,
        "messages_shown": messages,
        "earlier_messages": row.last_sequence > SHOWN,
        "timers": _timers(row),
        "now": timezone.now(),
        "place": assignment.queue_place(row),
        "cursors": [each for each in cursors_of(row) if each.membership_id != mine],
        "history": list(earlier.order_by("-active_at")[:10]),
        "all_labels": list(Label.objects.order_by("title")),
        "turns": turns_of(row, messages) if READ_BOT in actor.permissions else {},
        "may_teach": WRITE_BOT in actor.permissions,
        "client_id": str(uuid4()),
        "mine": mine,
        "has_writer": bool(settings_of(actor.organization_id).writer),
        "summary": drafts.latest_summary(row),
        "suggestion": drafts.latest_reply(row) if WRITE in actor.permissions else None,
        "may_write": WRITE in actor.permissions,
        "may_manage": MANAGE in actor.permissions,
        "may_unmask": UNMASK in actor.permissions,
    } | choices(actor)


def _timers(row: Conversation) -> list[SlaTimer]:
    return list(SlaTimer.objects.filter(conversation=row, met_at=None, called_off=False).order_by("due_at"))


def _agents() -> list[Membership]:
    """Members who may answer, by their addresses."""
    rows = Membership.objects.select_related("user", "custom_role").order_by("user__email")
    return [row for row in rows if WRITE in row.permissions][:MOST_CHOICES]


def _canned(row: Conversation, contact: Contact, actor: Actor) -> list[tuple[str, str]]:
    """Ready texts as they would be sent here."""
    texts = list(CannedReply.objects.order_by("code")[:MOST_CHOICES])
    values = values_of(row, contact, actor) if texts else {}
    return [(text.code, fill(text.content, values).text) for text in texts]


def message_of(row: Conversation, sequence: str) -> Message | None:
    if not sequence.isdigit() or len(sequence) > 9:
        return None
    found: Message | None = Message.objects.filter(conversation=row, sequence=int(sequence)).first()
    return found


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
