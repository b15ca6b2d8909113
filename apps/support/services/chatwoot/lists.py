"""Chatwoot's lists, page by page, with their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q

from apps.accounts.access import Actor
from apps.core.errors import InvalidRequest
from apps.support.access import READ
from apps.support.models import Contact, Conversation, ConversationStatus, Message, MessageFile, MessageKind
from apps.support.models.conversations import Scan
from apps.support.services import assignment, contacts, reading
from apps.support.services.indexing import is_searchable, matches

CONVERSATIONS_A_PAGE, CONTACTS_A_PAGE, MESSAGES_A_PAGE, FILES_A_PAGE = 25, 15, 20, 100
MOST_PAGES, MOST_OF_CONTACT = 10_000, 20
SORTS = {
    "name": "name",
    "email": "email",
    "phone_number": "phone",
    "last_activity_at": "last_seen_at",
    "created_at": "created_at",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations: `whose` is me, unassigned, assigned or all; without a status, or with all, of every one."""

    status: str = ""
    whose: str = "all"
    inbox: UUID | None = None
    team: UUID | None = None
    labels: Sequence[str] = ()
    words: str = ""


def conversations(actor: Actor, wanted: Wanted) -> tuple[Any, dict[str, int]]:
    """As a query, in scope, the latest first, and how many there are of each kind of `whose`."""
    actor.require(READ)
    if wanted.status not in ("", "all", *ConversationStatus.values):
        raise InvalidRequest("There is no such status.", param="status")
    asked = Q()
    if wanted.status not in ("", "all"):
        asked &= Q(status=wanted.status)
    if wanted.inbox:
        asked &= Q(inbox=wanted.inbox)
    if wanted.team:
        asked &= Q(team=wanted.team)
    if wanted.labels:
        asked &= Q(labels__overlap=list(wanted.labels))
    if wanted.words:
        asked &= Q(pk__in=list(matches(wanted.words)) if is_searchable(wanted.words) else [])
    rows = Conversation.objects.filter(asked, merged_into=None)
    mine = assignment.membership_of(actor)
    return _of(rows, wanted.whose, mine).order_by("-active_at", "-id"), counts(rows, mine)


def filtered_conversations(actor: Actor, condition: Q) -> tuple[Any, dict[str, int]]:
    actor.require(READ)
    rows = Conversation.objects.filter(condition, merged_into=None)
    return rows.order_by("-active_at", "-id"), counts(rows, assignment.membership_of(actor))


def _of(rows: Any, whose: str, mine: UUID | None) -> Any:
    match whose:
        case "all" | "":
            return rows
        case "unassigned":
            return rows.filter(assignee=None)
        case "assigned":
            return rows.exclude(assignee=None)
        case "me":
            return rows.filter(assignee=mine) if mine else rows.none()
    raise InvalidRequest("`assignee_type` is me, unassigned, assigned or all.", param="assignee_type")


def counts(rows: Any, mine: UUID | None) -> dict[str, int]:
    held = Q(assignee=mine) if mine else Q(pk=None)
    found = rows.order_by().aggregate(
        mine_count=Count("pk", filter=held),
        assigned_count=Count("pk", filter=Q(assignee__isnull=False)),
        unassigned_count=Count("pk", filter=Q(assignee=None)),
        all_count=Count("pk"),
    )
    return {name: int(count) for name, count in found.items()}


def contacts_by(actor: Actor, search: str = "", labels: Sequence[str] = (), sort: str = "") -> Any:
    """As a query, in scope; by `sort`, which a minus turns round, and otherwise newest first."""
    rows = contacts.listing(actor, search)
    if labels:
        rows = rows.filter(labels__overlap=list(labels))
    return sorted_by(rows, sort)


def filtered_contacts(actor: Actor, condition: Q, sort: str = "") -> Any:
    actor.require(READ)
    return sorted_by(Contact.objects.filter(condition, merged_into=None).order_by("-created_at", "-id"), sort)


def sorted_by(rows: Any, sort: str) -> Any:
    if not sort:
        return rows
    column = SORTS.get(sort.removeprefix("-"))
    if column is None:
        raise InvalidRequest("This is nothing to sort by.", param="sort")
    order = F(column).desc(nulls_last=True) if sort.startswith("-") else F(column).asc(nulls_last=True)
    return rows.order_by(order, "-id")


def of_contact(actor: Actor, contact: Contact) -> list[Conversation]:
    """The latest conversations of a contact."""
    actor.require(READ)
    rows = Conversation.objects.filter(contact=contact, merged_into=None)
    return list(rows.order_by("-active_at", "-id")[:MOST_OF_CONTACT])


def said(conversation: Conversation, before: int | None, after: int | None, *, all: bool) -> list[Message]:
    """Messages in their order, in scope: the last, those before a place, or those behind one. Activities are left out,
    and `all` gives no fewer than the desk's own API does.
    """
    kinds = (MessageKind.INCOMING, MessageKind.OUTGOING, MessageKind.NOTE)
    rows = Message.objects.filter(conversation=conversation, kind__in=kinds).select_related("user", "contact")
    rows = rows.prefetch_related("files")
    if before is not None:
        rows = rows.filter(sequence__lt=before)
    if after is not None:
        return list(rows.filter(sequence__gt=after).order_by("sequence")[: reading.MOST_MESSAGES])
    most = reading.MOST_MESSAGES if all else MESSAGES_A_PAGE
    return list(rows.order_by("-sequence")[:most])[::-1]


def files_of(conversation: Conversation) -> Any:
    """The files of a conversation's messages that may be fetched, as a query, in scope, the latest first."""
    may_be_fetched = MessageFile.objects.filter(message__conversation=conversation, scan__in=("", Scan.CLEAN))
    return may_be_fetched.select_related("message").order_by("-message__sequence", "position")


def page_of(rows: Any, page: int, size: int) -> list[Any]:
    return list(rows[(page - 1) * size : page * size])


def page_in(given: Mapping[str, Any]) -> int:
    """Which page is asked for; the first where nothing else is."""
    text = str(given.get("page") or 1)
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= MOST_PAGES:
        raise InvalidRequest("A page is a number from 1 to %(most)s.", values={"most": MOST_PAGES}, param="page")
    return int(text)
