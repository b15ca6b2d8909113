"""What a turn comes to, in one transaction with the proof that the bot may still speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from apps.core import tenancy
from apps.core.errors import MillraceError
from apps.core.jobs import Status
from apps.core.statements import TenantStatement, prepared_cursor
from apps.support.models import BotTurn, Conversation, Message, MessageKind, TurnRecord
from apps.support.services import bot_calls
from apps.support.services.bot.memory import write_events
from apps.support.services.bot.turns import Prepared
from apps.support.services.conversations import hand_over
from apps.support.services.messages import post_by_bot
from apps.support.services.storing import locked
from ml.dialogue.phrases import PHRASES
from ml.dialogue.state import Clarified, Event, HandedOver, Said, State
from ml.dialogue.types import Reading


class NotMine(Exception):
    """The turn is another worker's by now."""


class Silenced(Exception):
    """A person has acted since the turn began: nothing of it is stored."""


class Superseded(Exception):
    """The visitor has gone on writing: the turn that waits answers all of it."""


@dataclass(frozen=True, slots=True)
class Cited:
    """An article's version that an answer was taken from."""

    version_id: UUID
    slug: str
    number: int
    locale: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Rests:
    """On what an answer rests: how the words were read, and which articles it was taken from.

    Where a model has written it, `writer` is the model's version and `generation` the work that was counted; `fault`
    says why its words were not said. With `offers` a person is offered with the answer.
    """

    reading: Reading = field(default_factory=Reading)
    cited: tuple[Cited, ...] = ()
    generation: UUID | None = None
    writer: str = ""
    fault: str = ""
    offers: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What is stored at once: events from the position `first` on, and the state after them.

    With `only_if_last` nothing is said once the visitor has written more. A step that is not the last of its turn has
    the outcome `acting`, and the turn stays open.
    """

    first: int
    events: Sequence[Event]
    state: State
    rests: Rests
    outcome: str
    reason: str = ""
    only_if_last: bool = False


ACTING = "acting"

_END = """
UPDATE support_botturn SET status = 'succeeded', finished_at = statement_timestamp(), lease_until = NULL
WHERE organization_id = %s AND id = %s AND attempt = %s AND status = 'running'
"""


def store(prepared: Prepared, step: Step) -> None:
    """Writes events, says what they say and hands over, all or nothing. Raises NotMine, Silenced and Superseded.

    With the first step the messages count as read: whoever goes on after a lost worker does not answer them again.
    """
    turn = prepared.turn
    with tenancy.scope(turn.organization_id):
        held = _held(turn, ending=step.outcome != ACTING)
        if step.only_if_last and _NEWER.first(held.pk, prepared.through):
            raise Superseded
        write_events(turn, step.first, step.events)
        _note(prepared, step)
        # Last: the organization's counter of events is held from the first word until commit, and others wait for it.
        for place, event in enumerate(step.events):
            if isinstance(event, Said) and event.text.strip():
                following = step.events[place + 1] if place + 1 < len(step.events) else None
                _say(held, prepared, event, following, step.rests, f"bot-{turn.pk}-{step.first + place}")
            elif isinstance(event, HandedOver):
                hand_over(held.pk, event.reason, _told_with(prepared, step.rests, step.state))
                held = locked(held.pk)


_NEWER: TenantStatement[int] = TenantStatement(
    lambda id, through: Message.objects.filter(
        conversation=id, kind=MessageKind.INCOMING, sequence__gt=through
    ).values_list("sequence", flat=True)[:1],
    UUID,
    int,
)


def end_silenced(turn: BotTurn) -> None:
    """Nothing is said by this bot; a program that has been connected is told what the turn was for."""
    if not pass_on(turn):
        end_turn(turn)


def end_turn(turn: BotTurn) -> bool:
    """The turn is over; False if another attempt has taken over."""
    with tenancy.scope(turn.organization_id):
        return _end(turn)


def _end(turn: BotTurn) -> bool:
    with prepared_cursor() as cursor:
        cursor.execute(_END, [turn.organization_id, turn.pk, turn.attempt])
        return bool(cursor.rowcount)


def _mine(turn: BotTurn) -> Any:
    return BotTurn.objects.filter(pk=turn.pk, attempt=turn.attempt, status=Status.RUNNING)


def _note(prepared: Prepared, step: Step) -> None:
    """What was read and what the reply rests on, kept for agents and for learning."""
    turn, rests = prepared.turn, step.rests
    came: dict[str, Any] = {"outcome": step.outcome[:20], "reason": (step.reason or rests.fault)[:64]}
    if rests.cited:
        came["article_id"] = rests.cited[0].version_id
    if rests.generation:
        came |= {"generation": rests.generation, "writer": rests.writer}
    record = TurnRecord(
        organization_id=turn.organization_id,
        turn=turn,
        conversation_id=turn.conversation_id,
        through=prepared.through,
        text=prepared.text,
        reading={each.intent: round(each.probability, 4) for each in rests.reading.ranked},
        model=prepared.model,
        flows=prepared.version,
        **came,
    )
    # A step before this one may have noted what was read, which stays.
    TurnRecord.objects.bulk_create(
        [record], update_conflicts=True, unique_fields=["organization", "turn"], update_fields=list(came)
    )


def pass_on(turn: BotTurn) -> bool:
    """Where a program was connected meanwhile the turn is over, and the program is told instead; False elsewhere."""
    with tenancy.scope(turn.organization_id):
        rows = Conversation.objects.filter(pk=turn.conversation_id, inbox__agent_bot__isnull=False)
        if not rows.exists():
            return False
        try:
            held = locked(turn.conversation_id)
        except MillraceError:
            # Merged into another one, or gone.
            return False
        if not bot_calls.pass_on(held, turn.first_sequence):
            return False
        _mine(turn).update(status=Status.CANCELLED, finished_at=Now(), lease_until=None)
    return True


def give_up(turn: BotTurn, reason: str) -> None:
    """The bot cannot answer: a person is called, so that nobody waits for nothing."""
    if pass_on(turn):
        return
    with tenancy.scope(turn.organization_id):
        ended = {"status": Status.FAILED, "finished_at": Now(), "lease_until": None, "error_code": reason}
        if not _mine(turn).update(**ended):
            return
        if Conversation.objects.filter(pk=turn.conversation_id, bot_owns=True).exists():
            hand_over(turn.conversation_id, reason, {})


def _held(turn: BotTurn, ending: bool) -> Conversation:
    """The conversation, locked; whoever acts in it afterwards waits, and whoever did before has silenced the bot.

    With `ending` the turn is over; it is another worker's if it could not be ended.
    """
    try:
        held = locked(turn.conversation_id)
    except MillraceError as error:
        # Merged into another one, or gone.
        raise Silenced from error
    # A program that was connected meanwhile answers instead: see `pass_on`.
    if not held.bot_owns or bot_calls.bot_of(held) is not None:
        raise Silenced
    if not (_end(turn) if ending else _mine(turn).exists()):
        raise NotMine
    return held


def _say(
    held: Conversation, prepared: Prepared, event: Said, following: Event | None, rests: Rests, client_id: str
) -> None:
    content_type, attributes = "text", dict[str, Any]()
    if isinstance(following, Clarified):
        content_type = "input_select"
        titles = [line.partition(". ")[2] for line in event.text.split("\n")[1:]]
        attributes["items"] = [{"title": title, "value": title} for title in titles]
    elif rests.offers and following is None:
        content_type = "input_select"
        wish = PHRASES["person"].say(prepared.language, {})
        attributes["items"] = [{"title": wish, "value": wish}]
    if cited := [_citation(each) for each in rests.cited if each.title in event.text]:
        attributes["citations"] = cited
    said = post_by_bot(
        held,
        event.text,
        client_id=client_id,
        content_type=content_type,
        content_attributes=attributes,
        provenance=_provenance(prepared, rests),
    )
    if said is None:
        raise Silenced


def _provenance(prepared: Prepared, rests: Rests) -> dict[str, Any]:
    """What every reply names: versions of model, flows and article, and what was read."""
    best = rests.reading.best
    return {
        "model": prepared.model.number if prepared.model else None,
        "flows": prepared.version.number if prepared.version else None,
        "articles": [_citation(each) for each in rests.cited],
        "intent": best.intent,
        "probability": round(best.probability, 4),
    } | ({"writer": rests.writer, "generation": str(rests.generation)} if rests.generation else {})


def _citation(cited: Cited) -> dict[str, Any]:
    return {
        "article": cited.slug,
        "version": cited.number,
        "locale": cited.locale,
        "title": cited.title,
        "url": cited.url,
    }


def _told_with(prepared: Prepared, rests: Rests, state: State) -> Mapping[str, Any]:
    """What whoever takes over should know: how the last words were read, and what was filled in."""
    frames = prepared.known.state.stack or state.stack
    return {
        "ranking": [[each.intent, round(each.probability, 4)] for each in rests.reading.ranked],
        "slots": dict(frames[-1].values) if frames else {},
        "flow": frames[-1].flow if frames else "",
        "said": prepared.text[:2_000],
    }
