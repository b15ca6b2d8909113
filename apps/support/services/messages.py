"""What is said in conversations: by contacts, by people of the desk, and by the bot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.core.jobs import Status, ring
from apps.core.statements import TenantStatement
from apps.support.access import READ, WRITE
from apps.support.errors import ContactBlocked, ConversationMoved
from apps.support.models import (
    Author,
    BotTurn,
    Contact,
    Conversation,
    ConversationStatus,
    Inbox,
    Mention,
    Message,
    MessageIndex,
    MessageKind,
)
from apps.support.services import (
    assignment,
    bot_calls,
    completing,
    conversations,
    cursors,
    files,
    notices,
    participants,
    resolutions,
    rules,
    timers,
)
from apps.support.services.mail import outbox
from apps.support.services.storing import (
    BOT,
    SYSTEM,
    By,
    Draft,
    append,
    by_actor,
    by_contact,
    change,
    checked,
    locked,
    message_changed,
    sent_before,
)

# The bell of the bot's worker.
BELL = "support.wake"
MOST_MENTIONS = 20


# ---------------------------------------------------------------- contacts


def receive(conversation: Conversation | UUID, contact: Contact, draft: Draft, *, automatic: bool = False) -> Message:
    """A message of the contact, in scope, in a conversation by its id, or that is held.

    What is sent twice is there once; what goes to a conversation that was merged goes on in the other one. What a
    program sent by itself (`automatic`) opens nothing, and nothing answers it.
    """
    checked(draft)
    require_welcome(contact)
    held = held_onward(conversation) if isinstance(conversation, UUID) else conversation
    known = sent_before(held, draft.client_id, MessageKind.INCOMING, by_contact(contact))
    if known is not None:
        return known
    if automatic:
        draft, earlier = completing.completed(held, draft)
        message = append(held, MessageKind.INCOMING, by_contact(contact), draft)
        completing.tell(held, earlier)
        return message
    if held.status in (ConversationStatus.RESOLVED, ConversationStatus.SNOOZED):
        # Blocking resolves under the same lock, and the contact may have been read before that.
        require_welcome(Contact.objects.only("blocked_at").get(pk=contact.pk))
        _reopen(held, by_contact(contact))
    draft, earlier = completing.completed(held, draft)
    message = append(held, MessageKind.INCOMING, by_contact(contact), draft)
    message.contact = contact
    completing.tell(held, earlier)
    if held.bot_owns:
        if bot_calls.bot_of(held) is None:
            request_turn(held, message.sequence)
        return message
    if held.status == ConversationStatus.OPEN and held.waiting_since is None:
        held.waiting_since = message.created_at
        held.save(update_fields=["waiting_since"])
        timers.asked(held, message.created_at)
    rules.run(held, "message_created", message)
    assignment.assign_waiting(held.organization_id)
    return message


def require_welcome(contact: Contact) -> None:
    """Raises ContactBlocked for somebody from whom the desk takes nothing."""
    if contact.blocked_at is not None:
        raise ContactBlocked("Nothing can be sent here any more.")


def held_onward(id: UUID) -> Conversation:
    """The conversation, held, or the one that it goes on in; one that was merged is not held."""
    return _UNMERGED.first(id) or locked(_where_it_went_on(id))


_UNMERGED: TenantStatement[Conversation] = TenantStatement(
    lambda id: (
        Conversation.objects.select_for_update(of=("self",)).select_related("inbox").filter(pk=id, merged_into=None)
    ),
    UUID,
)


def _where_it_went_on(id: UUID) -> UUID:
    for _ in range(10):
        into = Conversation.objects.filter(pk=id).values_list("merged_into_id", flat=True).first()
        if into is None:
            break
        id = into
    return id


def _reopen(held: Conversation, by: By) -> None:
    """A resolved conversation is the bot's again, where there is one; a snoozed one is with the people it was with."""
    now = timezone.now()
    has_bot = held.status == ConversationStatus.RESOLVED and resolutions.answers_in(Inbox.objects.get(pk=held.inbox_id))
    values: dict[str, Any] = {"snoozed_until": None, "resolved_at": None}
    if has_bot:
        values |= {"status": ConversationStatus.PENDING, "bot_owns": True, "assignee_id": None, "acted_at": None}
    else:
        values |= {"status": ConversationStatus.OPEN, "opened_at": held.opened_at or now}
    change(held, by, "reopened", **values)
    if not has_bot:
        timers.opened(held, now)


_WAITING: TenantStatement[BotTurn] = TenantStatement(
    lambda id: BotTurn.objects.filter(conversation=id, status=Status.QUEUED).order_by("id")[:1], UUID
)


def request_turn(held: Conversation, sequence: int) -> BotTurn:
    """The bot's turn that waits, one for all that comes until it is claimed; the conversation's row is held."""
    waiting = _WAITING.first(held.pk)
    if waiting is None:
        waiting = BotTurn.objects.create(
            organization_id=held.organization_id, conversation=held, first_sequence=sequence
        )
    ring(BELL)
    return waiting


def receive_for(actor: Actor, conversation_id: UUID, draft: Draft) -> Message:
    """A message of the contact that a program passes on, such as from another channel."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = held_onward(conversation_id)
        return receive(held, Contact.objects.get(pk=held.contact_id), draft)


# ---------------------------------------------------------------- people


def reply(
    actor: Actor, conversation_id: UUID, draft: Draft, *, seen_seq: int | None = None, force: bool = False
) -> Message:
    """An answer to the contact; from then on the bot is silent.

    `seen_seq` is the last number that the sender has seen. Where somebody else has answered since, ConversationMoved
    says so once; with `force` both answers are kept.
    """
    actor.require(WRITE)
    actor.require_open()
    checked(draft)
    with tenancy.scope(actor.organization_id):
        held = locked(conversation_id)
        known = sent_before(held, draft.client_id, MessageKind.OUTGOING, by_actor(actor))
        if known is not None:
            return known
        if seen_seq is not None and not force:
            _require_unmoved(held, actor, seen_seq)
        return answer(held, by_actor(actor), draft, actor)


def answer(held: Conversation, by: By, draft: Draft, actor: Actor | None = None) -> Message:
    """The same for whoever holds the row."""
    if held.status != ConversationStatus.OPEN:
        conversations.to_status(held, by, ConversationStatus.OPEN)
    conversations.open_for_people(held, by)
    if actor is not None and held.assignee_id is None:
        assignment.give_to_me(held, actor)
    message = append(held, MessageKind.OUTGOING, by, draft)
    held.waiting_since = None
    held.first_reply_at = held.first_reply_at or message.created_at
    held.save(update_fields=["waiting_since", "first_reply_at"])
    timers.answered(held, message.created_at)
    if actor is not None:
        cursors.note_seen(held, message.sequence, membership_id=assignment.membership_of(actor))
    notices.answer_unseen(held, message)
    return message


def _require_unmoved(held: Conversation, actor: Actor, seen_seq: int) -> None:
    newer = Message.objects.filter(conversation=held, kind=MessageKind.OUTGOING, sequence__gt=seen_seq)
    others = newer.exclude(author=Author.AGENT, user_id=actor.person_id) if actor.person_id else newer
    last: Message | None = others.exclude(author=Author.SYSTEM).select_related("user").order_by("sequence").last()
    if last is not None:
        raise ConversationMoved(author=author_name(last), sequence=held.last_sequence)


def author_name(message: Message) -> str:
    """Whoever wrote it, as colleagues call them."""
    if message.user is not None:
        return message.user.name or message.user.email.partition("@")[0]
    return str(message.details.get("by") or Author(message.author).label)


def note(actor: Actor, conversation_id: UUID, draft: Draft, mentions: Sequence[UUID] = ()) -> Message:
    """What only the desk reads; whoever is named in it is told."""
    actor.require(WRITE)
    checked(draft)
    if len(set(mentions)) > MOST_MENTIONS:
        raise InvalidRequest("A note names at most %(most)s members.", values={"most": MOST_MENTIONS}, param="mentions")
    with tenancy.scope(actor.organization_id):
        held = locked(conversation_id)
        known = sent_before(held, draft.client_id, MessageKind.NOTE, by_actor(actor))
        if known is not None:
            return known
        named = list(Membership.objects.filter(pk__in=set(mentions)).select_related("user", "custom_role"))
        if len(named) != len(set(mentions)):
            raise InvalidRequest("One of those who are named is no member.", param="mentions")
        details = {"mentions": [str(each.pk) for each in named]} if named else {}
        message = append(
            held,
            MessageKind.NOTE,
            by_actor(actor),
            Draft(draft.content, draft.client_id, details=details, files=draft.files),
        )
        for each in named:
            row = Mention.objects.create(organization_id=held.organization_id, message=message, membership=each)
            notices.mentioned(row, held, each)
        participants.join(held, [each.pk for each in named if READ in each.permissions])
    return message


# ---------------------------------------------------------------- bot and system


def post_by_bot(
    conversation: Conversation | UUID,
    content: str,
    *,
    client_id: str | None = None,
    content_type: str = "text",
    content_attributes: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    read_through: int | None = None,
) -> Message | None:
    """The bot's answer, in scope, in a conversation by its id, or that is held; None where it may not answer any more,
    and nothing is stored then.

    That is so from the moment a person acts, and where the contact has written behind `read_through`, the last number
    that the bot has read: another turn waits for that.
    """
    held = locked(conversation) if isinstance(conversation, UUID) else conversation
    known = sent_before(held, client_id, MessageKind.OUTGOING, BOT)
    if known is not None:
        return known
    if not held.bot_owns:
        return None
    if read_through is not None:
        newer = Message.objects.filter(conversation=held, kind=MessageKind.INCOMING, sequence__gt=read_through)
        if newer.exists():
            return None
    draft = Draft(content, client_id, content_type, content_attributes or {}, provenance=provenance or {})
    return append(held, MessageKind.OUTGOING, BOT, checked(draft))


def post_by_system(held: Conversation, draft: Draft) -> Message:
    """What the product says by itself; the row is held."""
    return append(held, MessageKind.OUTGOING, SYSTEM, draft)


def delete_message(actor: Actor, conversation_id: UUID, sequence: int) -> Message:
    """Takes the words out of a message that should not have been sent; its place stays, with who took them."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(conversation_id)
        found: Message | None = Message.objects.filter(conversation=held, sequence=sequence).first()
        mine = found is not None and found.author == Author.AGENT and found.kind != MessageKind.ACTIVITY
        if (
            found is None
            or not mine
            or (found.user_id != actor.person_id and "support:manage" not in actor.permissions)
        ):
            raise InvalidRequest("Only one's own answers and notes can be taken back.", param="sequence")
        files.remove_with([found])
        outbox.cancel(found)
        found.originals.all().delete()
        MessageIndex.objects.filter(message=found).delete()
        found.content, found.content_attributes = "", {"deleted": True}
        found.save(update_fields=["content", "content_attributes"])
        change(held, by_actor(actor), "message_deleted", {"message": found.sequence})
        message_changed(held, found, ["content"])
        audit.record(actor, "support_message.deleted", held, sequence=found.sequence)
    return found
