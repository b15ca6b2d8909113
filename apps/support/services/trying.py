"""Looking at a rule without carrying it out: which conditions hold for a conversation, and whether all do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.support import automation
from apps.support.access import MANAGE
from apps.support.models import Conversation, Message, MessageKind
from apps.support.services import reading, rules

# What was written is read in its conversation, where reading it stands in the audit log.
UNSAID = frozenset({"content", "subject"})


@dataclass(frozen=True, slots=True)
class Looked:
    """One condition: whether it holds, and what is known of its field; None where that is not told."""

    condition: Mapping[str, Any]
    holds: bool
    known: Any


@dataclass(frozen=True, slots=True)
class Tried:
    """What a rule would find; nothing has been changed."""

    conversation: Conversation
    conditions: Sequence[Looked]

    @property
    def holds(self) -> bool:
        return all(each.holds for each in self.conditions)


def tried(actor: Actor, id: UUID, event: str, conditions: Sequence[Mapping[str, Any]]) -> Tried:
    """As if the event came now; of what a contact writes, with the last that they wrote."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = reading.find(id)
        message: Message | None = None
        if event == "message_created":
            written = Message.objects.filter(conversation=row, kind=MessageKind.INCOMING)
            message = written.order_by("-sequence").first()
        facts = rules.facts_of(row, message)
        return Tried(row, [_look(each, facts) for each in conditions])


def _look(condition: Mapping[str, Any], facts: Mapping[str, Any]) -> Looked:
    name = str(condition["field"])
    if name.startswith(automation.ATTRIBUTE):
        known = facts["attributes"].get(name.removeprefix(automation.ATTRIBUTE), "")
    else:
        known = None if name in UNSAID else facts[name]
    return Looked(condition, automation.holds([condition], facts), known)
