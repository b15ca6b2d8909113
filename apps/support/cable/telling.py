"""The desk's events as Chatwoot's sockets tell them, made of the rows as they are now, and who may hear them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.core.models import Event
from apps.support import chatwoot, compat
from apps.support.models import Author, Contact, ContactSession, Conversation, Message, MessageKind, Numbered
from apps.support.services import reading
from apps.support.services.numbers import Numbers

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that is told, as JSON that is written once for all who hear it. `for_contact` goes to the browsers in
    `sessions`, and to nobody where there is none.

    Whoever is `by` knows already: somebody who types.
    """

    position: int
    for_desk: str
    for_contact: str = ""
    sessions: frozenset[UUID] = field(default_factory=frozenset)
    by: str = ""


def message(name: str, data: Body) -> str:
    """What a frame says beside its room."""
    return json.dumps({"event": name, "data": data}, ensure_ascii=False, default=str)


def _told(
    event: Event, name: str, body: Body, theirs: Body | None = None, sessions: frozenset[UUID] = frozenset()
) -> Told:
    return Told(event.position, message(name, body), message(name, theirs) if theirs and sessions else "", sessions)


def told_of(event: Event, numbers: Numbers) -> list[Told]:
    """In scope; nothing where sockets tell nothing of it, or where what it was about is gone."""
    write = _OF.get(event.type)
    return write(event, numbers) if write else []


def typing(facts: Mapping[str, Any], numbers: Numbers) -> list[Told]:
    """Of a hint that somebody has begun to type, or has stopped, in scope. Of a note the contact hears nothing."""
    row = _conversation(UUID(facts["conversation"]))
    author, person = facts["author"], UUID(facts["person"]) if facts["person"] else None
    if row is None or (author == Author.CONTACT and row.contact.blocked_at is not None):
        return []
    who, private = chatwoot.typist_body(author, person, numbers), bool(facts["private"])
    beside = {"account_id": numbers.account, "is_private": private}
    body = beside | {"conversation": chatwoot.conversation_body(row, numbers), "user": who}
    theirs = None
    if author != Author.CONTACT and not private:
        mine = {"conversation": _for_contact(row, numbers), "user": {"name": who["name"], "type": who["type"]}}
        theirs = beside | mine
    by = str(person) if person else facts["who"]
    name = f"conversation.typing_{facts['state']}"
    sessions = sessions_of(row) if theirs else frozenset[UUID]()
    return [Told(0, message(name, body), message(name, theirs) if theirs else "", sessions, by)]


# ---------------------------------------------------------------- who may hear
def sessions_of(row: Conversation) -> frozenset[UUID]:
    """The browsers in which the conversation's contact reads it, by the rule of their history (`visiting.find`)."""
    from_where = Q(inbox=row.inbox_id) | Q(
        inbox__in=Conversation.objects.filter(merged_into=row, contact=row.contact_id).values("inbox")
    )
    live = ContactSession.objects.filter(contact=row.contact_id, ended_at=None, inbox__archived_at=None)
    mine = live.filter(from_where, Q(verified=True) | Q(pk=row.session_id))
    return frozenset(mine.values_list("pk", flat=True))


# ---------------------------------------------------------------- what they hear
def _conversation(id: UUID) -> Conversation | None:
    rows = Conversation.objects.select_related("inbox__agent_bot", "contact", "assignee__user", "team", "session")
    found: Conversation | None = rows.filter(pk=id).first()
    return found


def _for_contact(row: Conversation, numbers: Numbers) -> Body:
    """A conversation as the public API tells of it, without what is said there."""
    place = compat.place_of(row.inbox.token, "me")
    return compat.conversation_body(row, [], row.contact, place, numbers) | {"account_id": numbers.account}


def _messages(name: str, event: Event, numbers: Numbers) -> list[Told]:
    if event.data.get("kind") == MessageKind.ACTIVITY:
        return []
    rows = Message.objects.select_related("user", "contact").prefetch_related("files")
    said: Message | None = rows.filter(pk=event.object_id).first()
    row = _conversation(said.conversation_id) if said else None
    if said is None or row is None or said.kind == MessageKind.ACTIVITY:
        return []
    conversation = chatwoot.conversation_body(row, numbers)
    assignee = conversation["meta"]["assignee"]
    about = {name: conversation[name] for name in ("unread_count", "last_activity_at", "contact_inbox")}
    about["assignee_id"] = assignee["id"] if assignee else None
    body = chatwoot.said_body(said, row, numbers) | {"conversation": about}
    if said.kind not in reading.VISIBLE:
        return [_told(event, name, body)]
    place = f"{compat.place_of(row.inbox.token, 'me')}/{row.number}"
    mine = compat.message_body(said, row, place) | {"account_id": numbers.account, "inbox_id": body["inbox_id"]}
    mine |= {"private": False, "sender_type": body["sender_type"], "conversation": {"id": row.number}}
    return [_told(event, name, body, mine, sessions_of(row))]


def _conversations(names: Mapping[str, str], to_contact: bool, event: Event, numbers: Numbers) -> list[Told]:
    """`names` are those to tell it by, each where such a field has changed, or always."""
    row = _conversation(event.object_id)
    if row is None:
        return []
    changed = event.data.get("changed", ())
    body = chatwoot.conversation_body(row, numbers)
    theirs, sessions = (_for_contact(row, numbers), sessions_of(row)) if to_contact else (None, frozenset[UUID]())
    wanted = [name for name, field in names.items() if not field or field in changed]
    return [_told(event, name, body, theirs, sessions) for name in wanted]


def _contacts(name: str, event: Event, numbers: Numbers) -> list[Told]:
    row: Contact | None = Contact.objects.filter(pk=event.object_id).first()
    if row is None:
        return []
    return [_told(event, name, chatwoot.contact_body(row, numbers) | {"account_id": numbers.account})]


def _merged(event: Event, numbers: Numbers) -> list[Told]:
    gone = {"id": numbers(Numbered.CONTACT, UUID(event.data["merged"])), "account_id": numbers.account}
    return [*_contacts("contact.updated", event, numbers), _told(event, "contact.deleted", gone)]


def _erased(event: Event, numbers: Numbers) -> list[Told]:
    gone = {"id": numbers(Numbered.CONTACT, event.object_id), "account_id": numbers.account}
    return [_told(event, "contact.deleted", gone)]


_CHANGED = {"conversation.updated": "", "assignee.changed": "assignee", "team.changed": "team"}
_OF: dict[str, Callable[[Event, Numbers], list[Told]]] = {
    "support_message.created": partial(_messages, "message.created"),
    "support_message.changed": partial(_messages, "message.updated"),
    "support_conversation.created": partial(_conversations, {"conversation.created": ""}, True),
    "support_conversation.changed": partial(_conversations, _CHANGED, False),
    "support_conversation.status_changed": partial(_conversations, {"conversation.status_changed": ""}, True),
    "support_conversation.handed_over": partial(_conversations, {"conversation.bot_handoff": ""}, False),
    "support_contact.created": partial(_contacts, "contact.created"),
    "support_contact.changed": partial(_contacts, "contact.updated"),
    "support_contact.merged": _merged,
    "support_contact.erased": _erased,
}
