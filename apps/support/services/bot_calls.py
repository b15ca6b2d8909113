"""What programs that answer in inboxes are to be told, written down in the transaction in which it happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Max

from apps.core.jobs import ring
from apps.support.models import (
    BotCall,
    ContactSession,
    Conversation,
    ConversationStatus,
    Inbox,
    Message,
    MessageKind,
)

# The bell of those who send it.
BELL = "support.tell_bots"
OF_STATUS = {
    ConversationStatus.OPEN: "conversation_opened",
    ConversationStatus.RESOLVED: "conversation_resolved",
}


def bot_of(conversation: Conversation) -> UUID | None:
    """The program that answers where the conversation came in, if there is one.

    Where the inbox was read without one, that is believed: a program connected since is told by whoever takes the turn.
    """
    if conversation.inbox.agent_bot_id is None:
        return None
    # It may be gone since, and then nothing can be written down for it.
    rows = Inbox.objects.filter(pk=conversation.inbox_id)
    found: UUID | None = rows.values_list("agent_bot_id", flat=True).first()
    return found


def said(conversation: Conversation, message: Message, event: str = "message_created") -> None:
    """While the conversation is the bot's; its row is held."""
    if not conversation.bot_owns or message.kind not in (MessageKind.INCOMING, MessageKind.OUTGOING):
        return
    if (bot := bot_of(conversation)) is not None:
        _tell(bot, conversation, event, message)


def pass_on(conversation: Conversation, first_sequence: int) -> bool:
    """What the contact has written from there on, and nobody has answered, is the program's where there is one.

    Its row is held. False where no program answers; what was told already is not told again.
    """
    bot = bot_of(conversation)
    if bot is None:
        return False
    if not conversation.bot_owns:
        return True
    spoken = Message.objects.filter(conversation=conversation, sequence__gte=first_sequence)
    answered = spoken.filter(kind=MessageKind.OUTGOING).aggregate(last=Max("sequence"))["last"] or 0
    told = BotCall.objects.filter(conversation=conversation, bot=bot, message__isnull=False).values("message")
    unread = spoken.filter(kind=MessageKind.INCOMING, sequence__gt=answered).exclude(pk__in=told)
    for message in unread.order_by("sequence"):
        _tell(bot, conversation, "message_created", message)
    return True


def status_changed(conversation: Conversation, changes: Mapping[str, Any]) -> None:
    """That people have it, or that it is done; the row is held."""
    event = OF_STATUS.get(ConversationStatus(conversation.status)) if "status" in changes else None
    # Nobody is told of what began with people.
    if event is None or changes["status"][0] is None:
        return
    if (bot := bot_of(conversation)) is not None:
        _tell(bot, conversation, event, None, {"changes": {"status": list(changes["status"])}})


def opened(session: ContactSession, bot: UUID) -> None:
    """That a visitor has opened the window of an inbox where a program answers; told by itself, behind nothing else."""
    BotCall.objects.create(
        organization_id=session.organization_id, bot_id=bot, session=session, position=1, event="webwidget_triggered"
    )
    ring(BELL)


def _tell(
    bot: UUID, conversation: Conversation, event: str, message: Message | None, details: Mapping[str, Any] | None = None
) -> None:
    last = BotCall.objects.filter(conversation=conversation).aggregate(last=Max("position"))["last"] or 0
    BotCall.objects.create(
        organization_id=conversation.organization_id,
        bot_id=bot,
        conversation=conversation,
        message=message,
        position=last + 1,
        event=event,
        details=dict(details or {}),
    )
    ring(BELL)
