"""Conversations: begun, given to the bot or to people, put off, resolved and marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest
from apps.support import hours
from apps.support.access import WRITE
from apps.support.masking import clean, clean_values
from apps.support.models import (
    AttributeOf,
    Contact,
    ContactSession,
    Conversation,
    ConversationStatus,
    Inbox,
    Label,
    Message,
    MessageKind,
    Priority,
)
from apps.support.services import assignment, ratings, resolutions, rules, timers
from apps.support.services import attributes as custom
from apps.support.services.desk import next_number, settings_of
from apps.support.services.flows.settings import FEATURE
from apps.support.services.indexing import index_conversation
from apps.support.services.storing import BOT, SYSTEM, By, Draft, append, by_actor, change, locked, state_of

LONGEST_SUBJECT, MOST_LABELS = 200, 20


def begin(
    inbox: Inbox,
    contact: Contact,
    by: By,
    *,
    session: ContactSession | None = None,
    subject: str = "",
    attributes: Mapping[str, Any] | None = None,
    with_bot: bool = True,
) -> Conversation:
    """A new conversation, in scope: the bot's where the inbox has one, otherwise people's. Its row is held."""
    number = next_number(inbox.organization_id)
    masked = settings_of(inbox.organization_id).masked
    bot = with_bot and resolutions.answers_in(inbox)
    now = timezone.now()
    made: Conversation = Conversation.objects.create(
        organization_id=inbox.organization_id,
        number=number,
        inbox=inbox,
        contact=contact,
        session=session,
        subject=clean(" ".join(subject.split())[:LONGEST_SUBJECT], masked).text,
        status=ConversationStatus.PENDING if bot else ConversationStatus.OPEN,
        bot_owns=bot,
        attributes=clean_values(custom.checked(attributes or {}, AttributeOf.CONVERSATION), masked),
        team=inbox.team,
        opened_at=None if bot else now,
        active_at=now,
        created_at=now,
    )
    index_conversation(made, contact)
    first = {name: [None, value] for name, value in state_of(made).items()}
    append(made, MessageKind.ACTIVITY, by, Draft(details={"changes": first, "why": "created"}))
    _follow_contact(made)
    facts = {"number": number, "inbox": str(inbox.pk), "contact": str(made.contact_id), "status": str(made.status)}
    events.record("support_conversation.created", made.pk, facts)
    if not bot:
        timers.opened(made, now)
    rules.run(made, "conversation_created")
    return made


def _follow_contact(made: Conversation) -> None:
    """To whom the contact was merged into meanwhile. Both are told of: whoever is the later one sees the other."""
    merged = Contact.objects.filter(pk=made.contact_id).values("merged_into")
    into: Contact | None = Contact.objects.filter(pk__in=merged).first()
    if into is not None:
        made.contact = into
        made.save(update_fields=["contact"])
        Message.objects.filter(conversation=made, contact__isnull=False).update(contact=into)
        index_conversation(made, into)


# ---------------------------------------------------------------- bot and people


def hand_over(
    conversation: Conversation | UUID, reason: str, told_with: Mapping[str, Any] | None = None, by: By = BOT
) -> bool:
    """The bot gives the conversation to people, in scope; False where it no longer owns it.

    `reason` is a short code, and `told_with` what the next one should know: ranking, slots, and the like.
    """
    held = locked(conversation if isinstance(conversation, UUID) else conversation.pk)
    if not held.bot_owns:
        return False
    now = timezone.now()
    values: dict[str, Any] = {"bot_owns": False, "status": ConversationStatus.OPEN}
    values |= {"opened_at": held.opened_at or now, "waiting_since": now}
    masked = settings_of(held.organization_id).masked
    more = clean_values(dict(told_with or {}), masked)
    change(held, by, "handed_over", {"reason": reason, "handover": more}, **values)
    timers.opened(held, now)
    timers.asked(held, now)
    _tell_of_absence(held, now)
    facts = {"number": held.number, "inbox": str(held.inbox_id), "reason": reason[:80]}
    events.record("support_conversation.handed_over", held.pk, facts)
    rules.run(held, "conversation_opened")
    assignment.assign_waiting(held.organization_id)
    return True


def _tell_of_absence(conversation: Conversation, now: datetime) -> None:
    """Out of hours the contact is told so, and until when."""
    inbox: Inbox = Inbox.objects.select_related("hours").get(pk=conversation.inbox_id)
    open_hours = timers.hours_of(inbox.hours)
    if open_hours is None or hours.is_open(open_hours, now) or not inbox.away_message:
        return
    opening = hours.next_opening(open_hours, now)
    details = {"why": "away", "next_opening": opening.isoformat() if opening else None}
    append(conversation, MessageKind.OUTGOING, SYSTEM, Draft(inbox.away_message, details=details))


def open_for_people(conversation: Conversation, by: By, why: str = "taken_over") -> None:
    """From now on the bot is silent; the conversation's row is held."""
    now = timezone.now()
    if conversation.status == ConversationStatus.PENDING or conversation.bot_owns:
        values: dict[str, Any] = {"bot_owns": False, "status": ConversationStatus.OPEN, "acted_at": now}
        change(conversation, by, why, opened_at=conversation.opened_at or now, **values)
        timers.taken_from_bot(conversation, now)
    else:
        conversation.acted_at = now
        conversation.save(update_fields=["acted_at"])


def take_over(actor: Actor, id: UUID) -> Conversation:
    """A person takes what the bot has."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(id)
        open_for_people(held, by_actor(actor))
        assignment.give_to_me(held, actor)
        audit.record(actor, "support_conversation.taken_over", held)
    return held


def return_to_bot(actor: Actor, id: UUID) -> Conversation:
    """The bot has it again, with all that was said; it speaks when the contact writes next."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(id)
        inbox: Inbox = Inbox.objects.get(pk=held.inbox_id)
        if not inbox.has_bot:
            raise Conflict("This inbox has no bot.")
        if inbox.agent_bot_id is None:
            billing.require_feature(actor.organization_id, FEATURE)
        timers.call_off(held)
        values: dict[str, Any] = {"bot_owns": True, "status": ConversationStatus.PENDING, "assignee_id": None}
        values["resolved_at"] = None
        change(
            held, by_actor(actor), "returned_to_bot", waiting_since=None, snoozed_until=None, acted_at=None, **values
        )
        audit.record(actor, "support_conversation.returned_to_bot", held)
    return held


# ---------------------------------------------------------------- status


def set_status(actor: Actor, id: UUID, status: str, snoozed_until: datetime | None = None) -> Conversation:
    """Opens, resolves or snoozes; `pending` gives it to the bot."""
    actor.require(WRITE)
    if status == ConversationStatus.PENDING:
        return return_to_bot(actor, id)
    with tenancy.scope(actor.organization_id):
        held = locked(id)
        before = held.status
        to_status(held, by_actor(actor), status, snoozed_until)
        if held.status != before:
            audit.record(
                actor,
                "support_conversation.status_changed",
                held,
                before={"status": before},
                after={"status": held.status},
            )
    return held


def to_status(held: Conversation, by: By, status: str, snoozed_until: datetime | None = None) -> None:
    """The same for whoever holds the row, as rules and macros do."""
    if status == ConversationStatus.OPEN:
        _open(held, by)
    elif status == ConversationStatus.RESOLVED:
        resolve(held, by)
    elif status == ConversationStatus.SNOOZED:
        if snoozed_until is None or snoozed_until <= timezone.now():
            raise InvalidRequest("Say until when, in the future.", param="snoozed_until")
        values: dict[str, Any] = {"bot_owns": False, "status": status, "snoozed_until": snoozed_until}
        values["resolved_at"] = None
        change(held, by, "snoozed", waiting_since=None, acted_at=timezone.now(), **values)
    else:
        raise InvalidRequest("There is no such status.", param="status")


def _open(held: Conversation, by: By) -> None:
    if held.status == ConversationStatus.OPEN:
        return
    now, from_bot = timezone.now(), held.bot_owns
    values: dict[str, Any] = {"bot_owns": False, "status": ConversationStatus.OPEN, "snoozed_until": None}
    values |= {"resolved_at": None, "opened_at": held.opened_at or now, "acted_at": now}
    if _last_word(held) == MessageKind.INCOMING:
        values["waiting_since"] = held.waiting_since or now
    change(held, by, "opened", **values)
    if from_bot:
        timers.taken_from_bot(held, now)
    else:
        timers.opened(held, now)
    rules.run(held, "conversation_opened")


def _last_word(held: Conversation) -> str | None:
    said = Message.objects.filter(conversation=held, kind__in=(MessageKind.INCOMING, MessageKind.OUTGOING))
    last: str | None = said.order_by("-sequence").values_list("kind", flat=True).first()
    return last


def resolve(held: Conversation, by: By) -> None:
    if held.status == ConversationStatus.RESOLVED:
        return
    now = timezone.now()
    by_bot = held.bot_owns
    values: dict[str, Any] = {"bot_owns": False, "status": ConversationStatus.RESOLVED, "snoozed_until": None}
    change(held, by, "resolved", waiting_since=None, resolved_at=now, **values)
    timers.resolved(held, now)
    if by_bot:
        resolutions.note(held, by, now)
    ratings.ask(held, by_bot=by_bot)
    rules.run(held, "conversation_resolved")


def close_again(held: Conversation, by: By, resolved_at: datetime) -> None:
    """Takes back that it was opened: resolved since it was, and the contact is asked for nothing a second time."""
    values: dict[str, Any] = {"bot_owns": False, "status": ConversationStatus.RESOLVED, "snoozed_until": None}
    change(held, by, "resolved", waiting_since=None, resolved_at=resolved_at, **values)
    timers.resolved(held, timezone.now())


def wake(held: Conversation) -> None:
    """A snoozed conversation whose time has come; its row is held."""
    if held.status == ConversationStatus.SNOOZED:
        _open(held, SYSTEM)


# ---------------------------------------------------------------- what it is marked with


def change_conversation(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> Conversation:
    """Priority, subject, labels, skills and attributes."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(id)
        before = state_of(held)
        mark(held, by_actor(actor), changes)
        after = state_of(held)
        changed = [name for name in after if after[name] != before[name]]
        if changed:
            audit.record(
                actor,
                "support_conversation.changed",
                held,
                before={name: before[name] for name in changed if name != "attributes"},
                after={name: after[name] for name in changed if name != "attributes"},
            )
    return held


def mark(held: Conversation, by: By, changes: Mapping[str, Any]) -> None:
    """The same for whoever holds the row."""
    masked = settings_of(held.organization_id).masked
    values: dict[str, Any] = {}
    if "priority" in changes:
        if changes["priority"] not in Priority.values:
            raise InvalidRequest("There is no such priority.", param="priority")
        values["priority"] = changes["priority"]
    if "subject" in changes:
        values["subject"] = clean(" ".join(str(changes["subject"]).split())[:LONGEST_SUBJECT], masked).text
    if "labels" in changes:
        values["labels"] = checked_labels(changes["labels"])
    if "skills" in changes:
        values["skills"] = sorted({" ".join(str(each).split())[:40] for each in changes["skills"]} - {""})
    if "attributes" in changes:
        wanted = custom.checked(changes["attributes"], AttributeOf.CONVERSATION, held.attributes)
        values["attributes"] = clean_values(wanted, masked)
    change(held, by, **values)
    if "subject" in values:
        index_conversation(held, Contact.objects.get(pk=held.contact_id))


def unmark(held: Conversation, by: By, titles: Set[str]) -> None:
    """Takes labels off, by their titles in lower case; the row is held."""
    # A label that is gone from the desk's list may still stand here.
    known = {title.casefold() for title in Label.objects.values_list("title", flat=True)} - titles
    mark(held, by, {"labels": [each for each in held.labels if each.casefold() in known]})


def checked_labels(titles: Sequence[str]) -> list[str]:
    """The titles as the labels have them; raises InvalidRequest for one that there is not."""
    known = {title.casefold(): title for title in Label.objects.values_list("title", flat=True)}
    wanted = {str(title).casefold() for title in titles}
    if unknown := sorted(wanted - set(known)):
        raise InvalidRequest("There is no label %(label)s.", values={"label": unknown[0]}, param="labels")
    if len(wanted) > MOST_LABELS:
        raise InvalidRequest(
            "A conversation has at most %(most)s labels.", values={"most": MOST_LABELS}, param="labels"
        )
    return sorted(known[each] for each in wanted)
