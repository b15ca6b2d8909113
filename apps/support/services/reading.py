"""Reading the desk: the list with its filters, the queue, one conversation, and its messages from any number on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, prefetch_related_objects

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.core.statements import TenantStatement
from apps.support.access import READ
from apps.support.models import Conversation, ConversationStatus, Message, MessageFile, MessageKind, OutgoingMail
from apps.support.services.indexing import is_searchable, matches
from apps.support.services.storing import NO_CONVERSATION

MOST_MESSAGES = 200
# What hangs on messages, by the name that they have for it.
PARTS: dict[str, Any] = {"files": MessageFile, "mails": OutgoingMail}
VISIBLE = (MessageKind.INCOMING, MessageKind.OUTGOING)
FILTERS = ("status", "assignee", "inbox", "team", "label", "priority", "contact", "search", "queue")
ME, NOBODY = "me", "none"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages behind a number, in their order; `last` is how far the conversation has got, and `has_more` says that
    not all of them are here.
    """

    messages: list[Message]
    last: int
    has_more: bool


def find(id: UUID) -> Conversation:
    """In scope; raises NotFound."""
    rows = Conversation.objects.select_related("inbox", "contact", "assignee__user", "team")
    found: Conversation | None = rows.filter(pk=id).first()
    if found is None:
        raise NotFound(NO_CONVERSATION)
    return found


def get(actor: Actor, id: UUID) -> Conversation:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return find(id)


def view(actor: Actor, id: UUID) -> Conversation:
    """The same for whoever opens it to read it, which the audit log tells."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found = find(id)
        audit.record(actor, "support_conversation.viewed", found)
        return found


def progress(id: UUID) -> tuple[UUID, int]:
    """Whose a conversation is, and how far it has got; in scope. Raises NotFound."""
    found: tuple[UUID, int] | None = _PROGRESS.first(id)
    if found is None:
        raise NotFound(NO_CONVERSATION)
    return found


# Asked for every frame of every open page, as is what stands behind a number.
_PROGRESS: TenantStatement[tuple[UUID, int]] = TenantStatement(
    lambda id: Conversation.objects.filter(pk=id).values_list("contact_id", "last_sequence"), UUID
)


def messages_after(actor: Actor, id: UUID, after: int = 0, limit: int = MOST_MESSAGES) -> Stretch:
    """What stands behind a number; whoever reads from the start has opened it, which the audit log tells."""
    found = get(actor, id) if after else view(actor, id)
    with tenancy.scope(actor.organization_id):
        return stretch(found, after, limit)


def stretch(conversation: Conversation, after: int, limit: int = MOST_MESSAGES, *, visible: bool = False) -> Stretch:
    """In scope; `visible` gives what the contact may see, whose numbers have gaps where notes and activities are."""
    last: int = Conversation.objects.values_list("last_sequence", flat=True).get(pk=conversation.pk)
    return stretch_to(conversation.pk, last, after, limit, visible=visible)


def stretch_to(id: UUID, last: int, after: int, limit: int = MOST_MESSAGES, *, visible: bool = False) -> Stretch:
    """The same where it has just been read how far the conversation has got.

    That is read before the messages: of those there may then be more, and never fewer.
    """
    if last <= after:
        return Stretch([], last, False)
    found = _with_parts(_stretch(limit, visible).ask(id, after), _parts(visible))
    return Stretch(found[:limit], max(last, found[-1].sequence if found else 0), len(found) > limit)


@lru_cache(maxsize=16)
def _stretch(limit: int, visible: bool) -> TenantStatement[Message]:
    """One message more than `limit`, which says that there are more."""

    def build(id: UUID, after: int) -> Any:
        rows = Message.objects.filter(conversation=id, sequence__gt=after)
        rows = rows.filter(kind__in=VISIBLE) if visible else rows
        return _with_signs(rows.select_related("user", "contact").order_by("sequence"), _parts(visible))[: limit + 1]

    return TenantStatement(build, UUID, int)


def _parts(visible: bool) -> tuple[str, ...]:
    return ("files",) if visible else tuple(PARTS)


def _with_signs(rows: Any, parts: Sequence[str]) -> Any:
    """Says of each message whether it has such parts."""
    return rows.annotate(
        **{f"has_{part}": Exists(PARTS[part].objects.filter(message=OuterRef("pk"))) for part in parts}
    )


def _with_parts(found: list[Message], parts: Sequence[str]) -> list[Message]:
    """Files and mails are asked for where there are any: most messages have none."""
    for part in parts:
        having = [each for each in found if getattr(each, f"has_{part}")]
        for each in found:
            if not getattr(each, f"has_{part}"):
                each.assume_none(part)
        prefetch_related_objects(having, part)
    return found


def newest(conversation: Conversation, limit: int) -> Any:
    """The last messages, the newest first, as a query for `in_order`; in scope."""
    rows = Message.objects.filter(conversation=conversation).select_related("user", "contact")
    return _with_signs(rows.order_by("-sequence"), tuple(PARTS))[:limit]


def in_order(found: Sequence[Message]) -> list[Message]:
    """What `newest` has given, in the messages' order, with their files and mails; in scope."""
    return _with_parts(list(found)[::-1], tuple(PARTS))


def listed(actor: Actor, filters: Mapping[str, str], mine: UUID | None = None) -> Any:
    """Conversations as a query, in scope, the latest first, or the queue in order of arrival."""
    actor.require(READ)
    rows = Conversation.objects.filter(merged_into=None).select_related("inbox", "contact", "assignee__user", "team")
    rows = rows.filter(_wanted(filters, mine))
    if search := filters.get("search", ""):
        rows = rows.filter(pk__in=list(matches(search))) if is_searchable(search) else rows.none()
    if filters.get("queue"):
        return rows.filter(status=ConversationStatus.OPEN, assignee=None, waiting_since__isnull=False).order_by(
            "waiting_since", "id"
        )
    return rows.order_by("-active_at", "-id")


def _wanted(filters: Mapping[str, str], mine: UUID | None) -> Q:
    wanted = Q()
    if status := filters.get("status"):
        if status not in ConversationStatus.values:
            raise InvalidRequest("There is no such status.", param="status")
        wanted &= Q(status=status)
    if assignee := filters.get("assignee"):
        who = mine if assignee == ME else None if assignee == NOBODY else _id(assignee, "assignee")
        wanted &= Q(pk=None) if assignee == ME and mine is None else Q(assignee=who)
    for name in ("inbox", "team", "contact"):
        if value := filters.get(name):
            wanted &= Q(**{name: None if value == NOBODY else _id(value, name)})
    if label := filters.get("label"):
        wanted &= Q(labels__contains=[label])
    if priority := filters.get("priority"):
        if not priority.isdigit() or int(priority) > 4:
            raise InvalidRequest("There is no such priority.", param="priority")
        wanted &= Q(priority=int(priority))
    return wanted


def _id(text: str, param: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest("This is no id.", param=param) from None
