"""What the bot knows of a conversation: the fold of its events, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.core.statements import TenantStatement
from apps.support.models import BotTurn, Conversation, DialogueEvent, Message, MessageKind, TurnRecord
from apps.support.models.conversations import Author
from ml.dialogue.state import Event, FlowEnded, GivenBack, PersonActed, State, fold, from_json, to_json


@dataclass(frozen=True, slots=True)
class Remembered:
    """The state with the number of its events; `through` is the last message that was read."""

    state: State
    count: int
    through: int


def remembered(conversation: Conversation) -> Remembered:
    """In scope."""
    bodies = _BODIES.ask(conversation.pk)
    return Remembered(fold(map(from_json, bodies)), len(bodies), _READ.first(conversation.pk) or 0)


# These are asked in every turn.
_BODIES: TenantStatement[str] = TenantStatement(
    lambda id: DialogueEvent.objects.filter(conversation=id).order_by("position").values_list("body", flat=True), UUID
)
_READ: TenantStatement[int] = TenantStatement(
    lambda id: TurnRecord.objects.filter(conversation=id).order_by("-through").values_list("through", flat=True)[:1],
    UUID,
)


def since_people(conversation: Conversation) -> int:
    """Behind this message the contact writes to the bot: what stands before was written to people, or is over."""
    return _SINCE_PEOPLE.first(conversation.pk) or 0


def _by_people(id: UUID) -> Any:
    answered = Q(kind=MessageKind.OUTGOING, author=Author.AGENT)
    given = Q(kind=MessageKind.ACTIVITY, details__why__in=("reopened", "returned_to_bot"))
    rows = Message.objects.filter(answered | given, conversation=id)
    return rows.order_by("-sequence").values_list("sequence", flat=True)[:1]


_SINCE_PEOPLE: TenantStatement[int] = TenantStatement(_by_people, UUID)


def happened_meanwhile(conversation: Conversation, known: Remembered, people: int) -> list[Event]:
    """What the bot has to be told before it goes on: that people had the conversation, and that a matter was over.

    `people` is what `since_people` says.
    """
    if people <= known.through and known.state.owner != "person":
        return []
    since = Message.objects.filter(conversation=conversation, sequence__gt=known.through)
    told: list[Event] = []
    acted = since.filter(author=Author.AGENT, kind=MessageKind.OUTGOING).exists()
    if known.state.owner == "person" or acted:
        told += [] if known.state.owner == "person" else [PersonActed()]
        told.append(GivenBack())
    if known.state.stack and since.filter(kind=MessageKind.ACTIVITY, details__why="reopened").exists():
        told += [FlowEnded("cancelled") for _ in known.state.stack]
    return told


def write_events(turn: BotTurn, first: int, events: Sequence[Event]) -> None:
    """In the transaction that stores what they say; two that wrote at once would meet at the positions."""
    DialogueEvent.objects.bulk_create(
        DialogueEvent(
            organization_id=turn.organization_id,
            conversation_id=turn.conversation_id,
            turn=turn,
            position=first + place,
            body=to_json(event),
        )
        for place, event in enumerate(events)
    )
