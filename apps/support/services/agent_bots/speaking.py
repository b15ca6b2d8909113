"""What a program does in the conversations of its inboxes: it speaks while they are its own, and hands them over.

From the moment a person acts it is silent, whatever it sends; the row of the conversation decides, and not the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import Organization
from apps.core import ratelimit
from apps.core.errors import DeletionPending, InvalidRequest, NotAuthenticated, NotFound
from apps.core.ratelimit import Bucket
from apps.core.tenancy import Across, across_tenants
from apps.support.errors import BotSilent
from apps.support.models import (
    AgentBot,
    Author,
    Conversation,
    ConversationStatus,
    Inbox,
    Message,
    MessageKind,
    Priority,
)
from apps.support.services import assignment, conversations, files, keystrokes, presence, visitors
from apps.support.services.agent_bots.setting import digest_of
from apps.support.services.conversations import hand_over
from apps.support.services.keystrokes import Typist
from apps.support.services.storing import NO_CONVERSATION, By, Draft, append, checked, locked, sent_before

CALLS_A_MINUTE = 600
SILENT = gettext_noop("People have this conversation: what a bot says there is not taken.")
# What the widget and Chatwoot's own senders know how to show.
CONTENT_TYPES = frozenset({"text", "input_select", "cards", "form", "article", "input_email", "input_csat"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A program that has shown its token."""

    organization_id: UUID
    bot: AgentBot

    @property
    def by(self) -> By:
        return By(Author.BOT, name=self.bot.name)

    @property
    def actor(self) -> Actor:
        """For the audit log; it may do nothing by it."""
        return Actor(self.organization_id, frozenset(), name=self.bot.name, kind=ActorKind.SERVICE_ACCOUNT)


def admit(token: str) -> Caller:
    """Whoever holds a bot's token; raises NotAuthenticated."""
    digest = digest_of(token)
    with across_tenants(Across.SIGN_IN):
        bot: AgentBot | None = AgentBot.objects.filter(digest=digest).first() if token else None
    if bot is None:
        raise NotAuthenticated("Send the bot's token: `api_access_token: TOKEN`.")
    ratelimit.charge(f"support:bot:{bot.pk}", [Bucket("requests", CALLS_A_MINUTE, 1)])
    return Caller(bot.organization_id, bot)


# ---------------------------------------------------------------- reading


def find(caller: Caller, id: UUID) -> Conversation:
    """A conversation of the bot's inboxes, in scope."""
    found: Conversation | None = Conversation.objects.filter(pk=id, inbox__agent_bot=caller.bot.pk).first()
    if found is None:
        raise NotFound(NO_CONVERSATION)
    return found


# ---------------------------------------------------------------- speaking


def say(caller: Caller, id: UUID, draft: Draft, *, private: bool = False) -> tuple[Conversation, Message]:
    """An answer to the contact, or a note for people; what is sent twice is there once."""
    require_known_type(draft)
    files.inspected(draft.files)
    held = _held(caller, id)
    kind = MessageKind.NOTE if private else MessageKind.OUTGOING
    known = sent_before(held, draft.client_id, kind, caller.by)
    if known is not None:
        return held, known
    if private:
        _require_quiet(held)
    else:
        _require_own(held)
    checked(draft)
    # Of files that go nowhere nothing is charged.
    visitors.charge_stored(caller.organization_id, sum(len(each.data) for each in draft.files))
    return held, append(held, kind, caller.by, draft)


def require_known_type(draft: Draft) -> None:
    if draft.content_type not in CONTENT_TYPES:
        raise InvalidRequest("There is no such type of content.", param="content_type")


def typing(caller: Caller, id: UUID, *, typing: bool, private: bool = False) -> None:
    """Of a note the contact hears nothing."""
    row = find(caller, id)
    _require_own(row)
    who = f"bot:{caller.bot.pk}"
    presence.say_once(row, who=who, name=caller.bot.name, typing=typing and not private)
    keystrokes.tell(Typist(row.organization_id, row.pk, who, Author.BOT, caller.bot.pk), typing=typing, private=private)


# ---------------------------------------------------------------- handing over, and the like


def set_status(caller: Caller, id: UUID, status: str | None, snoozed_until: datetime | None = None) -> Conversation:
    """`open` gives the conversation to people; without a status it is toggled as Chatwoot does."""
    held = _held(caller, id)
    before = held.status
    wanted = status or _toggled(held)
    if wanted == ConversationStatus.OPEN:
        if held.status in (ConversationStatus.RESOLVED, ConversationStatus.SNOOZED):
            raise BotSilent(SILENT)
        hand_over(held, "agent_bot", {"bot": caller.bot.name}, caller.by)
        held.refresh_from_db()
    elif wanted == ConversationStatus.PENDING:
        _require_own(held)
    elif wanted in (ConversationStatus.RESOLVED, ConversationStatus.SNOOZED):
        _require_own(held)
        conversations.to_status(held, caller.by, wanted, snoozed_until)
    else:
        raise InvalidRequest("There is no such status.", param="status")
    if held.status != before:
        states = {"before": {"status": str(before)}, "after": {"status": str(held.status)}}
        audit.record(caller.actor, "support_conversation.status_changed", held, **states)
    return held


def _toggled(held: Conversation) -> str:
    return ConversationStatus.RESOLVED if held.status == ConversationStatus.OPEN else ConversationStatus.OPEN


def assign(caller: Caller, id: UUID, changes: Mapping[str, UUID | None]) -> Conversation:
    """To a `team`, or to an `agent`, who has it from then on."""
    held = _held(caller, id)
    _require_quiet(held)
    before = {"assignee": str(held.assignee_id or ""), "team": str(held.team_id or "")}
    if "team" in changes:
        assignment.to_team(held, caller.by, changes["team"])
    if "agent" in changes:
        assignment.to_agent(held, caller.by, changes["agent"])
    after = {"assignee": str(held.assignee_id or ""), "team": str(held.team_id or "")}
    if before != after:
        audit.record(caller.actor, "support_conversation.assigned", held, before=before, after=after)
    return held


def mark(caller: Caller, id: UUID, changes: Mapping[str, Any]) -> Conversation:
    """Labels, attributes and priority, each as it shall be."""
    held = _held(caller, id)
    _require_quiet(held)
    conversations.mark(held, caller.by, changes)
    audit.record(caller.actor, "support_conversation.changed", held, changed=sorted(changes))
    return held


def priority_of(name: str | None) -> int:
    names = [each.lower() for each in Priority.names]
    if (name or "none") not in names:
        raise InvalidRequest("There is no such priority.", param="priority")
    return int(Priority.values[names.index(name or "none")])


# ---------------------------------------------------------------- what it may


def _held(caller: Caller, id: UUID) -> Conversation:
    """The conversation, held; looked at again once it is, since the bot may have lost the inbox."""
    if Organization.objects.filter(pk=caller.organization_id, deletes_at__isnull=False).exists():
        raise DeletionPending("This organization is about to be deleted; it takes on no new work.")
    held = locked(find(caller, id).pk)
    if not Inbox.objects.filter(pk=held.inbox_id, agent_bot=caller.bot.pk).exists():
        raise NotFound(NO_CONVERSATION)
    return held


def _require_own(held: Conversation) -> None:
    if not held.bot_owns:
        raise BotSilent(SILENT)


def _require_quiet(held: Conversation) -> None:
    """Its own, or handed over and nobody has acted yet: so long it may leave notes, labels and the like."""
    if not held.bot_owns and (held.status != ConversationStatus.OPEN or held.acted_at is not None):
        raise BotSilent(SILENT)
