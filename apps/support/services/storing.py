"""Writing into a conversation: the one place that gives sequence numbers, masks, indexes and tells.

Whoever writes holds the conversation's row. After an event is recorded no other conversation is waited for: its counter
stays locked until commit, and two who did that in opposite orders would wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import events
from apps.core.crypto import seal_into
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.statements import TenantStatement, prepared_cursor
from apps.support.errors import ConversationMerged
from apps.support.masking import Span, clean, clean_values
from apps.support.models import Author, Contact, Conversation, Message, MessageKind, Original
from apps.support.services import bot_calls, files, hints, watching
from apps.support.services.desk import settings_of
from apps.support.services.files import Upload
from apps.support.services.indexing import index_message
from apps.support.services.mail import outbox
from ml.safety.masking import PLACEHOLDER

NO_CONVERSATION = gettext_noop("There is no conversation with this id.")
LONGEST_CONTENT, LONGEST_CLIENT_ID = 20_000, 100
# What a conversation is at any moment: the activities of its history add up to these.
STATE = (
    "status",
    "priority",
    "labels",
    "skills",
    "subject",
    "attributes",
    "assignee_id",
    "team_id",
    "bot_owns",
    "snoozed_until",
)


@dataclass(frozen=True, slots=True)
class By:
    """Whoever does something in a conversation."""

    author: Author
    user_id: UUID | None = None
    contact_id: UUID | None = None
    name: str = ""


BOT, SYSTEM = By(Author.BOT), By(Author.SYSTEM)


def by_actor(actor: Actor) -> By:
    """A person of the desk, or a program that works for it."""
    return By(Author.AGENT, user_id=actor.person_id, name=actor.name.partition("@")[0][:80])


def by_contact(contact: Contact) -> By:
    return By(Author.CONTACT, contact_id=contact.pk)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be said; `client_id` makes it the same message however often it is sent."""

    content: str = ""
    client_id: str | None = None
    content_type: str = "text"
    content_attributes: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    external_id: str = ""
    files: Sequence[Upload] = ()
    # Places of digits that are a part of a card's number, whose others stand in earlier messages.
    hidden: Sequence[Span] = ()
    # Places of a security code that only earlier messages show to be one.
    codes: Sequence[Span] = ()


def checked(draft: Draft) -> Draft:
    """The draft, if it can be sent; raises InvalidRequest naming what is wrong."""
    if not draft.content.strip() and not draft.files and not draft.content_attributes:
        raise InvalidRequest("Write something, or attach a file.", param="content")
    if len(draft.content) > LONGEST_CONTENT:
        raise InvalidRequest(
            "A message has at most %(most)s characters.", values={"most": LONGEST_CONTENT}, param="content"
        )
    if draft.client_id is not None and not 0 < len(draft.client_id) <= LONGEST_CLIENT_ID:
        raise InvalidRequest("A client id has 1 to 100 characters.", param="client_id")
    files.checked(draft.files)
    return draft


_LOCKED: TenantStatement[Conversation] = TenantStatement(
    lambda id: Conversation.objects.select_for_update(of=("self",)).select_related("inbox").filter(pk=id), UUID
)


def locked(id: UUID) -> Conversation:
    """The conversation's row with its inbox, held until commit; raises NotFound, or ConversationMerged for one that
    has moved.
    """
    found = _LOCKED.first(id)
    if found is None:
        raise NotFound(NO_CONVERSATION)
    if found.merged_into_id is not None:
        raise ConversationMerged(
            "This conversation goes on in %(id)s.", values={"id": found.merged_into_id}, param="conversation"
        )
    return found


_SENT: TenantStatement[Message] = TenantStatement(
    lambda id, client_id: Message.objects.filter(conversation=id, client_id=client_id), UUID, str
)


def is_repeated(conversation: Conversation, client_id: str | None) -> bool:
    """Whether a message with this id is there; its row is held, so that the answer stays right until commit."""
    return client_id is not None and _SENT.first(conversation.pk, client_id) is not None


def sent_before(conversation: Conversation, client_id: str | None, kind: MessageKind, by: By) -> Message | None:
    """The message that this one is a repetition of.

    Raises Conflict where the id is another message's, which whoever asks is not shown: it may be a note, or not theirs.
    """
    if client_id is None:
        return None
    found = _SENT.first(conversation.pk, client_id)
    if found is None:
        return None
    theirs = (found.kind, found.author, found.user_id, found.contact_id, found.details.get("by", ""))
    if theirs != (kind, by.author, by.user_id, by.contact_id, "" if by.user_id else by.name):
        raise Conflict("Another message has this client id: give yours another one.", param="client_id")
    return found


_GET_ON = """
UPDATE support_conversation SET last_sequence = %s, active_at = %s WHERE organization_id = %s AND id = %s
"""


def append(conversation: Conversation, kind: MessageKind, by: By, draft: Draft) -> Message:
    """Gives the draft its place, masked; the conversation's row is held, and saved with the number it has reached."""
    desk = settings_of(conversation.organization_id)
    said = clean(draft.content, desk.masked, parts=draft.hidden, codes=draft.codes)
    if said.kinds:
        used = texts_with_placeholders(conversation)
        said = clean(draft.content, desk.masked, used, draft.hidden, draft.codes)
    now = timezone.now()
    conversation.last_sequence += 1
    conversation.active_at = now
    with prepared_cursor() as cursor:
        cursor.execute(_GET_ON, [conversation.last_sequence, now, conversation.organization_id, conversation.pk])
    message: Message = Message.objects.create(
        organization_id=conversation.organization_id,
        conversation=conversation,
        sequence=conversation.last_sequence,
        client_id=draft.client_id,
        kind=kind,
        author=by.author,
        user_id=by.user_id,
        contact_id=by.contact_id,
        content=said.text,
        content_type=draft.content_type,
        content_attributes=clean_values(dict(draft.content_attributes), desk.masked),
        details=dict(draft.details) | ({"by": by.name} if by.name and not by.user_id else {}),
        provenance=dict(draft.provenance),
        masked=list(said.kinds),
        external_id=draft.external_id,
        created_at=now,
    )
    if said.originals and desk.original_days:
        keep_original(message, said.originals, desk.original_days)
    if draft.files:
        files.keep(message, draft.files, desk.masked)
    else:
        message.assume_none("files")
    if message.content:
        index_message(message)
    outbox.leave(conversation, message)
    hints.hint_changed(conversation.organization_id, conversation.pk)
    facts = {"conversation": str(conversation.pk), "number": conversation.number, "sequence": message.sequence}
    facts |= {"kind": str(kind), "author": str(by.author), "inbox": str(conversation.inbox_id)}
    bot_calls.said(conversation, message)
    watching.tell(conversation, message)
    events.record("support_message.created", message.pk, facts)
    return message


def message_changed(conversation: Conversation, message: Message, changed: Sequence[str]) -> None:
    """Tells that what was said there is not what it was; the conversation's row is held."""
    bot_calls.said(conversation, message, "message_updated")
    facts = {"conversation": str(conversation.pk), "number": conversation.number, "sequence": message.sequence}
    facts |= {"inbox": str(conversation.inbox_id), "changed": sorted(changed)}
    events.record("support_message.changed", message.pk, facts)
    hints.hint_event(conversation.organization_id)


def texts_with_placeholders(conversation: Conversation) -> list[str]:
    """Within a conversation a placeholder stands for one thing only: the bot passes on what it stands for."""
    rows = Message.objects.filter(conversation=conversation, content__regex=PLACEHOLDER.pattern)
    return list(rows.values_list("content", flat=True))


def keep_original(message: Message, originals: str, days: int) -> None:
    """What was masked in a message, sealed for so many days."""
    row = Original(
        organization_id=message.organization_id,
        message=message,
        expires_at=message.created_at + timedelta(days=days),
    )
    seal_into(row, "content", originals)
    row.save(force_insert=True)


def state_of(conversation: Conversation) -> dict[str, Any]:
    """The conversation's state as JSON, as activities tell it."""
    return {name.removesuffix("_id"): _plain(getattr(conversation, name)) for name in STATE}


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return list(value) if isinstance(value, list) else value


def change(
    conversation: Conversation, by: By, why: str = "", told_with: Mapping[str, Any] | None = None, **values: Any
) -> Message | None:
    """Sets fields of the state, and whatever else goes with them, with an activity that tells it; None where nothing
    of the state has changed. `why` is a short code that pages know a sentence for, `told_with` what that says.
    """
    before = state_of(conversation)
    for name, value in values.items():
        setattr(conversation, name, value)
    if values:
        conversation.save(update_fields=list(values))
    after = state_of(conversation)
    changes = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
    if not changes and not why:
        return None
    details: dict[str, Any] = {"changes": changes} | ({"why": why} if why else {}) | dict(told_with or {})
    bot_calls.status_changed(conversation, changes)
    told = append(conversation, MessageKind.ACTIVITY, by, Draft(details=details))
    facts = {"number": conversation.number, "sequence": told.sequence, "changed": sorted(changes)}
    facts |= {"status": str(conversation.status), "inbox": str(conversation.inbox_id)}
    events.record("support_conversation.changed", conversation.pk, facts)
    if "status" in changes:
        status = {"before": changes["status"][0], "after": changes["status"][1]}
        events.record("support_conversation.status_changed", conversation.pk, facts | status)
    return told


def found(model: type[Model], id: UUID | None, missing: str, param: str) -> Any:
    """A row in scope that somebody names, or InvalidRequest; None stays None."""
    if id is None:
        return None
    row = model._default_manager.filter(pk=id).first()
    if row is None:
        raise InvalidRequest(missing, param=param)
    return row
