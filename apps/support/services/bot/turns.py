"""A turn made ready for thinking: what was said, what is known, and by which flows and model it is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.core import tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import SealedValueUnreadable
from apps.core.statements import TenantStatement
from apps.support.models import (
    BotSettings,
    BotTurn,
    Contact,
    Conversation,
    DialogueModel,
    FlowVersion,
    InboxKind,
    Message,
    MessageKind,
    Original,
)
from apps.support.services import bot_calls
from apps.support.services.bot.memory import Remembered, happened_meanwhile, remembered, since_people
from apps.support.services.flows.settings import is_in_plan, settings_of
from ml.dialogue.flows import Flows, parse_flows
from ml.dialogue.policy import Settings
from ml.dialogue.state import Event
from ml.dialogue.turns import Heard, text_of
from ml.safety.masking import PLACEHOLDER

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What of a contact systems are told: the organization's own id for them, and whether it was proved.
MOST_MESSAGES = 50


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a turn takes, so that thinking needs no database. `flows` is None where the bot is off."""

    turn: BotTurn
    conversation: Conversation
    known: Remembered
    meanwhile: tuple[Event, ...]
    text: str
    through: int
    language: str
    settings: BotSettings
    flows: Flows | None
    version: FlowVersion | None
    model: DialogueModel | None
    about: Mapping[str, Any]

    @property
    def policy(self) -> Settings:
        return Settings(accept=self.settings.accept, margin=self.settings.margin, duties=self.settings.duties)


def prepare(turn: BotTurn) -> Prepared | None:
    """The turn with what belongs to it; None where the bot may not speak, or nothing was said that it has not read."""
    with tenancy.scope(turn.organization_id):
        conversation = _CONVERSATION.first(turn.conversation_id)
        if conversation is None or not conversation.bot_owns or bot_calls.bot_of(conversation) is not None:
            return None
        known = remembered(conversation)
        people = since_people(conversation)
        messages = _unread(conversation, max(known.through, people))
        if not messages and known.state.called is None:
            return None
        settings = settings_of(turn.organization_id)
        version = _version_for(known, settings) if settings.is_on and is_in_plan(turn.organization_id) else None
        contact: Contact = conversation.contact
        text = text_of([Heard(each.content, each.created_at.timestamp()) for each in messages])
        meanwhile = tuple(happened_meanwhile(conversation, known, people))
    return Prepared(
        turn,
        conversation,
        known,
        meanwhile,
        text,
        messages[-1].sequence if messages else known.through,
        _language(text, contact),
        settings,
        _parsed(version.pk, version.number, version.text) if version else None,
        version,
        settings.model,
        _about(conversation, contact),
    )


def _unread(conversation: Conversation, after: int) -> list[Message]:
    """What the contact has written since, in order; of more than can be read at once, the newest."""
    return _UNREAD.ask(conversation.pk, after)[::-1]


_CONVERSATION: TenantStatement[Conversation] = TenantStatement(
    lambda id: Conversation.objects.select_related("inbox", "contact").filter(pk=id), UUID
)
_UNREAD: TenantStatement[Message] = TenantStatement(
    lambda id, after: Message.objects.filter(conversation=id, kind=MessageKind.INCOMING, sequence__gt=after).order_by(
        "-sequence"
    )[:MOST_MESSAGES],
    UUID,
    int,
)


def inputs_restored(prepared: Prepared, inputs: Mapping[str, str]) -> dict[str, str]:
    """Inputs of a call with what was masked in them put back: the system asked needs the number, nobody else does.

    A placeholder stands for one thing in a conversation, which the contact has said themselves. What is not kept any
    more stays masked, and so does what would stand for two things, as after a merge.
    """
    wanted = {found.group() for value in inputs.values() for found in PLACEHOLDER.finditer(value)}
    if not wanted:
        return dict(inputs)
    with tenancy.scope(prepared.turn.organization_id):
        known = _originals(prepared.conversation, wanted)
    return {name: PLACEHOLDER.sub(lambda each: known.get(each.group(), each.group()), value)
            for name, value in inputs.items()}  # fmt: skip


def _originals(conversation: Conversation, wanted: Set[str]) -> dict[str, str]:
    """What the contact has said where these placeholders stand now."""
    holding = reduce(or_, (Q(content__contains=each) for each in wanted))
    said = Message.objects.filter(holding, conversation=conversation, kind=MessageKind.INCOMING)
    places = [moved_from or id for id, moved_from in said.values_list("pk", "moved_from")]
    found: dict[str, set[str]] = {}
    for row in Original.objects.filter(message__in=places, expires_at__gt=timezone.now()):
        try:
            opened = json.loads(unseal_from(row, "content"))
        except (SealedValueUnreadable, ValueError):
            continue
        for each in wanted & opened.keys():
            found.setdefault(each, set()).add(str(opened[each]))
    return {each: values.pop() for each, values in found.items() if len(values) == 1}


def _version_for(known: Remembered, settings: BotSettings) -> FlowVersion | None:
    """A flow under way is ended by the version that it began with."""
    if known.state.stack and (number := known.state.stack[-1].version).isdecimal():
        begun: FlowVersion | None = FlowVersion.objects.filter(number=int(number)).first()
        if begun is not None:
            return begun
    live: FlowVersion | None = settings.flows
    return live


@lru_cache(maxsize=256)
def _parsed(id: UUID, number: int, text: str) -> Flows:
    """A version never changes; its flows are known by its number, whatever the file says."""
    return replace(parse_flows(text), version=str(number))


def _language(text: str, contact: Contact) -> str:
    if _CHINESE.search(text):
        return "zh"
    return "en" if text.isascii() and text else (contact.language or "en")


def _about(conversation: Conversation, contact: Contact) -> dict[str, Any]:
    return {
        "conversation": {"id": str(conversation.pk), "number": conversation.number},
        "contact": {
            "id": str(contact.pk),
            "identifier": contact.identifier,
            # An address in a mail proves nothing.
            "verified": contact.verified_at is not None and conversation.inbox.kind != InboxKind.EMAIL,
        },
    }
