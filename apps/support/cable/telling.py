"""The desk's events as Chatwoot's sockets tell them, made of the rows as they are now, and who may hear them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

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


def told_of(events: Sequence[Event], numbers: Numbers) -> list[Told]:
    """In scope and in their order; nothing where sockets tell nothing of one, or where what it was about is gone."""
    known = _Known([each for each in events if each.type in _OF], numbers)
    return [told for event in events if event.type in _OF for told in _OF[event.type](event, known)]


class _Known:
    """The rows that events are about, as they are now: asked for with as many questions as one event takes."""

    def __init__(self, events: Sequence[Event], numbers: Numbers) -> None:
        self.numbers = numbers
        about: dict[str, list[UUID]] = {"support_message": [], "support_conversation": [], "support_contact": []}
        for event in events:
            about[event.type.partition(".")[0]].append(event.object_id)
        self.contacts = Contact.objects.in_bulk(about["support_contact"])
        said = Message.objects.exclude(kind=MessageKind.ACTIVITY).select_related("user", "contact")
        self.messages = said.prefetch_related("files").in_bulk(about["support_message"])
        self.conversations = _conversations(
            [*about["support_conversation"], *(each.conversation_id for each in self.messages.values())]
        )
        numbers.want(Numbered.CONTACT, [*self.contacts, *(each.contact_id for each in self.messages.values())])
        numbers.want(Numbered.USER, [each.user_id for each in self.messages.values()])
        found = list(self.conversations.values())
        bodies = chatwoot.conversation_bodies(found, numbers) if found else []
        self.bodies = {UUID(body["uuid"]): body for body in bodies}
        self.sessions = sessions_of(found)


def typing(facts: Mapping[str, Any], numbers: Numbers) -> list[Told]:
    """Of a hint that somebody has begun to type, or has stopped, in scope. Of a note the contact hears nothing."""
    row = next(iter(_conversations([UUID(facts["conversation"])]).values()), None)
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
    sessions = sessions_of([row])[row.pk] if theirs else frozenset[UUID]()
    return [Told(0, message(name, body), message(name, theirs) if theirs else "", sessions, by)]


# ---------------------------------------------------------------- who may hear
def sessions_of(rows: Sequence[Conversation]) -> dict[UUID, frozenset[UUID]]:
    """The browsers in which each conversation's contact reads it, by the rule of their history (`visiting.find`)."""
    by_id = {row.pk: row for row in rows}
    inboxes = {row.pk: {row.inbox_id} for row in rows}
    merged = Conversation.objects.filter(merged_into__in=list(by_id)).values_list("merged_into", "contact", "inbox")
    for into, contact, inbox in merged:
        if contact == by_id[into].contact_id:
            inboxes[into].add(inbox)
    live = ContactSession.objects.filter(contact__in={row.contact_id for row in rows}, ended_at=None)
    live = live.filter(inbox__archived_at=None)
    of_contact: dict[UUID, list[tuple[UUID, UUID, bool]]] = {}
    for contact, *session in live.values_list("contact", "pk", "inbox", "verified"):
        of_contact.setdefault(contact, []).append(tuple(session))
    return {
        row.pk: frozenset(
            id
            for id, inbox, verified in of_contact.get(row.contact_id, ())
            if inbox in inboxes[row.pk] and (verified or id == row.session_id)
        )
        for row in rows
    }


# ---------------------------------------------------------------- what they hear
def _conversations(ids: Sequence[UUID]) -> dict[UUID, Conversation]:
    rows = Conversation.objects.select_related("inbox__agent_bot", "contact", "assignee__user", "team", "session")
    found: dict[UUID, Conversation] = rows.in_bulk(ids)
    return found


def _for_contact(row: Conversation, numbers: Numbers) -> Body:
    """A conversation as the public API tells of it, without what is said there."""
    place = compat.place_of(row.inbox.token, "me")
    return compat.conversation_body(row, [], row.contact, place, numbers) | {"account_id": numbers.account}


def _messages(name: str, event: Event, known: _Known) -> list[Told]:
    said, numbers = known.messages.get(event.object_id), known.numbers
    row = known.conversations.get(said.conversation_id) if said else None
    conversation = known.bodies.get(row.pk) if row else None
    if said is None or row is None or conversation is None:
        return []
    assignee = conversation["meta"]["assignee"]
    about = {name: conversation[name] for name in ("unread_count", "last_activity_at", "contact_inbox")}
    about["assignee_id"] = assignee["id"] if assignee else None
    body = chatwoot.said_body(said, row, numbers) | {"conversation": about}
    if said.kind not in reading.VISIBLE:
        return [_told(event, name, body)]
    place = f"{compat.place_of(row.inbox.token, 'me')}/{row.number}"
    mine = compat.message_body(said, row, place) | {"account_id": numbers.account, "inbox_id": body["inbox_id"]}
    mine |= {"private": False, "sender_type": body["sender_type"], "conversation": {"id": row.number}}
    return [_told(event, name, body, mine, known.sessions[row.pk])]


def _changes(names: Mapping[str, str], to_contact: bool, event: Event, known: _Known) -> list[Told]:
    """`names` are those to tell it by, each where such a field has changed, or always."""
    row, body = known.conversations.get(event.object_id), known.bodies.get(event.object_id)
    if row is None or body is None:
        return []
    changed = event.data.get("changed", ())
    sessions = known.sessions[row.pk] if to_contact else frozenset[UUID]()
    theirs = _for_contact(row, known.numbers) if sessions else None
    wanted = [name for name, field in names.items() if not field or field in changed]
    return [_told(event, name, body, theirs, sessions) for name in wanted]


def _contacts(name: str, event: Event, known: _Known) -> list[Told]:
    row = known.contacts.get(event.object_id)
    if row is None:
        return []
    body = chatwoot.contact_body(row, known.numbers) | {"account_id": known.numbers.account}
    return [_told(event, name, body)]


def _merged(event: Event, known: _Known) -> list[Told]:
    merged = known.numbers(Numbered.CONTACT, UUID(event.data["merged"]))
    gone = {"id": merged, "account_id": known.numbers.account}
    return [*_contacts("contact.updated", event, known), _told(event, "contact.deleted", gone)]


def _erased(event: Event, known: _Known) -> list[Told]:
    gone = {"id": known.numbers(Numbered.CONTACT, event.object_id), "account_id": known.numbers.account}
    return [_told(event, "contact.deleted", gone)]


_CHANGED = {"conversation.updated": "", "assignee.changed": "assignee", "team.changed": "team"}
_OF: dict[str, Callable[[Event, _Known], list[Told]]] = {
    "support_message.created": partial(_messages, "message.created"),
    "support_message.changed": partial(_messages, "message.updated"),
    "support_conversation.created": partial(_changes, {"conversation.created": ""}, True),
    "support_conversation.changed": partial(_changes, _CHANGED, False),
    "support_conversation.status_changed": partial(_changes, {"conversation.status_changed": ""}, True),
    "support_conversation.handed_over": partial(_changes, {"conversation.bot_handoff": ""}, False),
    "support_contact.created": partial(_contacts, "contact.created"),
    "support_contact.changed": partial(_contacts, "contact.updated"),
    "support_contact.merged": _merged,
    "support_contact.erased": _erased,
}
