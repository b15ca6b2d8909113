"""What contacts do themselves: begin conversations, write, read their history, rate and resolve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.core.media import Media
from apps.core.statements import TenantStatement
from apps.support import hours
from apps.support.models import AttributeOf, Author, Conversation, Inbox, Label, Message, MessageFile, Rating
from apps.support.services import attributes as custom
from apps.support.services import (
    conversations,
    cursors,
    files,
    keystrokes,
    messages,
    presence,
    ratings,
    reading,
    submitting,
    timers,
    visitors,
)
from apps.support.services.keystrokes import Typist
from apps.support.services.storing import NO_CONVERSATION, Draft, by_contact, is_repeated, locked
from apps.support.services.submitting import Submitted
from apps.support.services.visitors import Visitor

MOST_LISTED, MOST_OPEN = 50, 20
NO_FILE = gettext_noop("There is no such file.")


def opening_of(inbox: Inbox) -> tuple[bool, str | None]:
    """Whether somebody is there now, and otherwise when."""
    with tenancy.scope(inbox.organization_id):
        row = Inbox.objects.select_related("hours").get(pk=inbox.pk)
        week, now = timers.hours_of(row.hours), timezone.now()
        if hours.is_open(week, now):
            return True, None
        opening = hours.next_opening(week, now)
        return False, opening.isoformat() if opening else None


def begin(visitor: Visitor, attributes: Mapping[str, Any]) -> Conversation:
    visitors.charge_message(visitor)
    messages.require_welcome(visitor.contact)
    with tenancy.scope(visitor.organization_id):
        mine = _mine(visitor).exclude(status="resolved")
        if mine.count() >= MOST_OPEN:
            raise InvalidRequest("At most %(most)s conversations at a time.", values={"most": MOST_OPEN})
        inbox = Inbox.objects.get(pk=visitor.inbox.pk)
        by, known = by_contact(visitor.contact), custom.fitting(attributes, AttributeOf.CONVERSATION)
        return conversations.begin(inbox, visitor.contact, by, session=visitor.session, attributes=known)


def listed(visitor: Visitor) -> list[tuple[Conversation, list[Message]]]:
    """The visitor's conversations, the latest first, each with its last message; more only where somebody is proved.

    Without proof a browser sees what was written in it, and not what others have been told for the same contact.
    """
    with tenancy.scope(visitor.organization_id):
        rows = list(_mine(visitor).filter(merged_into=None).order_by("-active_at", "-id")[:MOST_LISTED])
        last = _last_of(rows)
        return [(row, [last[row.pk]] if row.pk in last else []) for row in rows]


def shown(visitor: Visitor, number: int) -> tuple[Conversation, list[Message]]:
    """One of them, with its last message."""
    with tenancy.scope(visitor.organization_id):
        row = _find(visitor, number)
        return row, list(_last_of([row]).values())


def history(visitor: Visitor, number: int, after: int = 0) -> tuple[Conversation, list[Message]]:
    with tenancy.scope(visitor.organization_id):
        row = _find(visitor, number)
        return row, _said(row, after)


def say(visitor: Visitor, number: int, draft: Draft) -> tuple[Conversation, Message]:
    """The message with its contact and files, and where it was said."""
    visitors.charge_message(visitor)
    files.inspected(draft.files)
    with tenancy.scope(visitor.organization_id):
        row = _held(visitor, number)
        # Of files that go nowhere, or are there already, nothing is charged; the row is held, so that one who sends
        # the same twice at a time is charged once.
        if draft.files and not is_repeated(row, draft.client_id):
            messages.require_welcome(visitor.contact)
            visitors.charge_files(visitor, draft.files)
        message = messages.receive(row, visitor.contact, draft)
        # Of a message that was sent before nothing is known yet.
        prefetch_related_objects([message], "contact", "files")
        return row, message


def submit(visitor: Visitor, number: int, sequence: int, said: Submitted) -> tuple[Conversation, Message]:
    """What the visitor has chosen or filled in where a message asks for it."""
    visitors.charge_message(visitor)
    messages.require_welcome(visitor.contact)
    with tenancy.scope(visitor.organization_id):
        row = _held(visitor, number)
        return row, submitting.submit(row, visitor.contact, sequence, said)


def attachment(visitor: Visitor, number: int, sequence: int, position: int) -> Media:
    """A file of a message that the visitor may see; raises NotFound for every other."""
    with tenancy.scope(visitor.organization_id):
        said = Message.objects.filter(conversation=_find(visitor, number), sequence=sequence, kind__in=reading.VISIBLE)
        found: MessageFile | None = MessageFile.objects.filter(message__in=said, position=position).first()
        if found is None:
            raise NotFound(NO_FILE)
        return files.stored(found)


def typing(visitor: Visitor, number: int, *, typing: bool) -> None:
    """For programs and windows without an open line."""
    messages.require_welcome(visitor.contact)
    with tenancy.scope(visitor.organization_id):
        row, contact = _find(visitor, number), visitor.contact
        presence.say_once(row, who=str(contact.pk), name=str(contact), typing=typing, is_contact=True)
        typist = Typist(row.organization_id, row.pk, str(contact.pk), Author.CONTACT, contact.pk)
        keystrokes.tell(typist, typing=typing)


def label(visitor: Visitor, number: int, title: str, *, wanted: bool) -> Conversation:
    """Puts a label of the desk's on, or takes it off; one that the desk does not have changes nothing."""
    messages.require_welcome(visitor.contact)
    with tenancy.scope(visitor.organization_id):
        held = locked(_find(visitor, number).pk)
        known = {each.casefold(): each for each in Label.objects.values_list("title", flat=True)}
        meant = known.get(title.casefold())
        if meant is not None and (meant in held.labels) != wanted:
            left = [each for each in held.labels if each.casefold() in known and each != meant]
            conversations.mark(held, by_contact(visitor.contact), {"labels": [*left, meant] if wanted else left})
        return held


def set_attributes(
    visitor: Visitor, number: int, given: Mapping[str, Any], without: Sequence[str] = ()
) -> Conversation:
    """Attributes of the conversation, added to those that are there, or taken away; what is not as the desk says it
    is, is left out.
    """
    messages.require_welcome(visitor.contact)
    with tenancy.scope(visitor.organization_id):
        held = locked(_find(visitor, number).pk)
        told = custom.fitting(given, AttributeOf.CONVERSATION)
        wanted = {name: value for name, value in (held.attributes | told).items() if name not in without}
        conversations.mark(held, by_contact(visitor.contact), {"attributes": wanted})
        return held


def seen(visitor: Visitor, number: int) -> None:
    """Everything that is there."""
    with tenancy.scope(visitor.organization_id):
        row = _find(visitor, number)
        last = row.last_sequence
        cursors.acknowledge_by_contact(row, visitor.contact, acknowledged=last, seen=last)


def toggle(visitor: Visitor, number: int) -> Conversation:
    """The contact is done; what they write later opens it again."""
    with tenancy.scope(visitor.organization_id):
        held = locked(_find(visitor, number).pk)
        conversations.resolve(held, by_contact(visitor.contact))
        return held


def rate(visitor: Visitor, number: int, score: Any, comment: str) -> Rating:
    messages.require_welcome(visitor.contact)
    with tenancy.scope(visitor.organization_id):
        return ratings.rate(_find(visitor, number), visitor.contact, score, comment)


def find(visitor: Visitor, **which: Any) -> Conversation:
    """A conversation of the visitor's, in scope, or the one that it goes on in; raises NotFound."""
    found: Conversation | None = _mine(visitor).filter(**which).first()
    if found is None:
        raise NotFound(NO_CONVERSATION)
    for _ in range(10):
        onward = _theirs(visitor).filter(pk=found.merged_into_id).first() if found.merged_into_id else None
        if onward is None:
            break
        found = onward
    return found


def _held(visitor: Visitor, number: int) -> Conversation:
    """The conversation, held until commit."""
    browser = () if visitor.session.verified else (visitor.session.pk,)
    held = (_HELD if visitor.session.verified else _HELD_OF_BROWSER).first(
        visitor.contact.pk, visitor.inbox.pk, number, *browser
    )
    return held or messages.held_onward(_find(visitor, number).pk)


def _to_hold(contact: UUID, inbox: UUID, number: int) -> Any:
    rows = Conversation.objects.select_for_update(of=("self",)).select_related("inbox")
    return rows.filter(contact=contact, inbox=inbox, number=number, merged_into=None)


# Asked with every message; see `_theirs`.
_HELD: TenantStatement[Conversation] = TenantStatement(_to_hold, UUID, UUID, int)
_HELD_OF_BROWSER: TenantStatement[Conversation] = TenantStatement(
    lambda contact, inbox, number, session: _to_hold(contact, inbox, number).filter(session=session),
    UUID,
    UUID,
    int,
    UUID,
)


def _find(visitor: Visitor, number: int) -> Conversation:
    return find(visitor, number=number)


def _mine(visitor: Visitor) -> Any:
    return _theirs(visitor).filter(inbox=visitor.inbox)


def _theirs(visitor: Visitor) -> Any:
    rows = Conversation.objects.filter(contact=visitor.contact)
    # Where nobody was proved, only this browser's.
    return rows if visitor.session.verified else rows.filter(session=visitor.session)


def _said(row: Conversation, after: int = 0) -> list[Message]:
    return reading.stretch(row, after, visible=True).messages if after else _latest(row)


def _last_of(rows: list[Conversation]) -> dict[UUID, Message]:
    """The last message that each contact may see."""
    said = Message.objects.filter(conversation__in=rows, kind__in=reading.VISIBLE).select_related("user", "contact")
    last = said.order_by("conversation_id", "-sequence").distinct("conversation_id").prefetch_related("files")
    return {message.conversation_id: message for message in last}


def _latest(row: Conversation) -> list[Message]:
    rows = Message.objects.filter(conversation=row, kind__in=reading.VISIBLE).select_related("user", "contact")
    return list(rows.prefetch_related("files").order_by("-sequence")[: reading.MOST_MESSAGES])[::-1]
