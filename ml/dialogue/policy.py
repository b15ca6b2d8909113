"""What the bot does next: a pure function of the state and of what was read from the customer's words.

Obligations are rules and come first: silence once a person has acted, handing over at once, and forms, which end as
they began. What is left to judge is ranked, by the order below or by a ranking learned from stories
(ml/dialogue/ranking.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from ml.dialogue.duties import duty_of
from ml.dialogue.flows.model import Flow, Flows, Slot
from ml.dialogue.slots import is_valid, read_slot
from ml.dialogue.state import Frame, State
from ml.dialogue.types import Entity, Reading

UNSURE, NO_VALID_ANSWER, CHANGED_AFTERWARDS, OUTSIDE_TOPIC = (
    "unsure",
    "no_valid_answer",
    "changed_afterwards",
    "outside",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """All messages of a burst, and what was read from them together."""

    text: str
    reading: Reading
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """From `accept` on an intent is acted on; two within `margin` of each other, the first at least `clarify`, are
    asked about. `duties` are intents that always hand over, with the reason. `looks_up` and `generates` say what there
    is.
    """

    accept: float = 0.5
    margin: float = 0.15
    clarify: float = 0.15
    digress: float = 0.7
    attempts: int = 3
    looks_up: bool = True
    generates: bool = False
    duties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Silent:
    """A person has the conversation."""


@dataclass(frozen=True, slots=True)
class Busy:
    """An action is under way, and nothing else is begun before it has returned: it might be done twice."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The fixed answer to an intent."""

    intent: str


@dataclass(frozen=True, slots=True)
class Start:
    """A flow begins, perhaps on top of another; `values` were said already."""

    flow: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fill:
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Correct:
    slot: str
    value: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The slot that is waited for is asked again; `invalid` if something was said for it that will not do."""

    slot: str
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """The flow on top is left."""


@dataclass(frozen=True, slots=True)
class Disambiguate:
    options: tuple[str, str]


@dataclass(frozen=True, slots=True)
class LookUp:
    query: str


@dataclass(frozen=True, slots=True)
class Generate:
    """Like looking up, and a model writes the answer from the passages."""

    query: str


@dataclass(frozen=True, slots=True)
class HandOver:
    reason: str


Decision = (
    Silent | Busy | Reply | Start | Fill | Correct | Ask | Cancel | Disambiguate | LookUp | Generate | HandOver
)  # fmt: skip


class Ranking(Protocol):
    """Orders what may be done, the best first."""

    def order(self, state: State, turn: Turn, candidates: Sequence[Decision]) -> Sequence[Decision]: ...


_CANCEL = re.compile(
    r"^\s*(?:please )?(?:cancel(?: (?:that|this|it))?|stop(?: (?:that|this|it))?|never ?mind|forget (?:it|that)"
    r"|abort|quit|算了|取消|不用了|不办了|停止)(?:\s*(?:please|now))?\s*[.!。！]*\s*$",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"\b(?:i meant|i mean|meant to say|should (?:be|have been)|actually|instead|correction|rather|make (?:it|that)"
    r"|sorry|change (?:it|that|the \w+) to|not \S+ but)\b|^\s*no[,.]? |不对|我是说|应该是|改成|改为|说错|不是.+是",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"[?？]\s*$|^\s*(?:what|how|why|when|where|who|which|can|could|do|does|is|are|will|would|should)\b"
    r"|吗|什么|怎么|为什么|多少|哪",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"^\s*(?:1|one|(?:the )?first(?: one)?|(?:the )?former|第?一个?|前者)\s*[.!。)]*\s*$", re.IGNORECASE
)
_SECOND = re.compile(
    r"^\s*(?:2|two|(?:the )?second(?: one)?|(?:the )?latter|第?二个?|后者)\s*[.!。)]*\s*$", re.IGNORECASE
)


def decide(
    state: State, turn: Turn, flows: Flows, settings: Settings, today: date, ranking: Ranking | None = None
) -> Decision:
    """The next act of the bot."""
    if state.owner == "person":
        return Silent()
    if reason := _duty(turn, settings):
        return HandOver(reason)
    if state.called:
        return Busy()
    if state.clarifying and (chosen := _chosen(state.clarifying, turn, flows)):
        return _act_on(chosen, turn, flows, today)
    frame = state.frame
    if frame and state.asked:
        return _in_form(state, frame, turn, flows, settings, today, ranking)
    return _best(state, turn, candidates(state, turn, flows, settings, today), ranking)


def candidates(state: State, turn: Turn, flows: Flows, settings: Settings, today: date) -> list[Decision]:
    """What may be done where no form waits for an answer, in the order of the rules."""
    found: list[Decision] = []
    best, reading = turn.reading.best, turn.reading
    second = reading.ranked[1] if len(reading.ranked) > 1 else None
    sure = best.probability >= settings.accept and not reading.is_outside and _is_known(best.intent, flows)
    close = second is not None and best.probability - second.probability < settings.margin
    if sure and not (close and second and _is_known(second.intent, flows)):
        found.append(_act_on(best.intent, turn, flows, today))
    may_clarify = second is not None and best.probability >= settings.clarify and not reading.is_outside
    if (
        second
        and may_clarify
        and not state.unsure
        and _is_known(best.intent, flows)
        and _is_known(second.intent, flows)
    ):
        found.append(Disambiguate((best.intent, second.intent)))
    if not state.unsure and settings.generates:
        found.append(Generate(turn.text))
    if not state.unsure and settings.looks_up:
        found.append(LookUp(turn.text))
    found.append(HandOver(OUTSIDE_TOPIC if reading.is_outside and not state.unsure else UNSURE))
    return found


def _best(state: State, turn: Turn, found: Sequence[Decision], ranking: Ranking | None) -> Decision:
    return (ranking.order(state, turn, found) if ranking and len(found) > 1 else found)[0]


def _duty(turn: Turn, settings: Settings) -> str:
    """Words first, then the likeliest intent, however unsure."""
    return duty_of(turn.text) or settings.duties.get(turn.reading.best.intent, "")


def _is_known(intent: str, flows: Flows) -> bool:
    return intent in flows.answers or flows.for_intent(intent) is not None


def _act_on(intent: str, turn: Turn, flows: Flows, today: date) -> Decision:
    flow = flows.for_intent(intent)
    if flow is None:
        return Reply(intent) if intent in flows.answers else HandOver(UNSURE)
    return Start(flow.name, said_already(flow, {}, turn, today))


def said_already(flow: Flow, values: Mapping[str, str], turn: Turn, today: date) -> tuple[tuple[str, str], ...]:
    """Values for slots that were not asked for; none for two slots of one kind, for nobody knows which is meant."""
    found = []
    open_slots = [slot for slot in flow.slots.values() if slot.name not in values]
    for slot in open_slots:
        alike = [each for each in flow.slots.values() if each.kind == slot.kind and slot.kind != "choice"]
        filled = read_slot(slot, turn.text, turn.entities, is_asked=False) if len(alike) < 2 else None
        if filled and is_valid(slot, filled.value, today):
            found.append((slot.name, filled.value))
    return tuple(found)


def _chosen(options: Sequence[str], turn: Turn, flows: Flows) -> str:
    """Which of two was meant: by number, by its title, or because it is now the likeliest by far."""
    for pattern, option in zip((_FIRST, _SECOND), options, strict=False):
        if pattern.match(turn.text):
            return option
    titles = {option: _titles(option, flows) for option in options}
    named = [option for option, words in titles.items() if any(word in turn.text.lower() for word in words)]
    if len(named) == 1:
        return named[0]
    scores = {each.intent: each.probability for each in turn.reading.ranked if each.intent in options}
    best = max(scores, key=lambda intent: scores[intent], default="")
    others = [score for intent, score in scores.items() if intent != best]
    return best if best and scores[best] >= 0.2 and scores[best] >= 2 * max(others, default=0.0) else ""


def _titles(intent: str, flows: Flows) -> list[str]:
    flow = flows.for_intent(intent)
    found = [intent.replace("_", " ").lower()]
    return found + [text.lower() for text in flow.title.by_language.values()] if flow else found


def _in_form(
    state: State, frame: Frame, turn: Turn, flows: Flows, settings: Settings, today: date, ranking: Ranking | None
) -> Decision:
    flow = flows.named(frame.flow)
    slot = flow.slots[state.asked]
    if _CANCEL.match(turn.text):
        return Cancel()
    if correction := _correction(frame, flow, slot, turn, today):
        return correction
    filled = read_slot(slot, turn.text, turn.entities)
    digression = _digression(frame, flow, turn, flows, settings, today)
    asks_back = digression is not None and bool(_QUESTION.search(turn.text))
    if filled and not asks_back and not (digression and slot.kind == "text"):
        if is_valid(slot, filled.value, today):
            others = said_already(flow, {**frame.values, slot.name: filled.value}, turn, today)
            return Fill(((slot.name, filled.value), *others))
        return _again(state, slot, settings, invalid=True)
    if digression:
        return digression
    found: list[Decision] = [_again(state, slot, settings)]
    if settings.looks_up and _QUESTION.search(turn.text):
        found.insert(0, LookUp(turn.text))
    return _best(state, turn, found, ranking)


def _again(state: State, slot: Slot, settings: Settings, invalid: bool = False) -> Decision:
    return HandOver(NO_VALID_ANSWER) if state.attempt >= settings.attempts else Ask(slot.name, invalid)


def _correction(frame: Frame, flow: Flow, asked: Slot, turn: Turn, today: date) -> Decision | None:
    """“No, I meant 50”: the slot filled last that such a value fits. What was done with it cannot be taken back."""
    if not _CORRECTS.search(turn.text):
        return None
    for name in reversed(frame.filled):
        slot = flow.slots.get(name)
        if slot is None or slot.kind in {"text", "yes_no"}:
            continue
        filled = read_slot(slot, turn.text, turn.entities)
        if filled is None or filled.value == frame.values[name] or not is_valid(slot, filled.value, today):
            continue
        if read_slot(asked, turn.text, turn.entities, is_asked=False) and asked.kind != slot.kind:
            continue
        first = next(flow.asks(name), frame.position)
        return HandOver(CHANGED_AFTERWARDS) if first < frame.acted else Correct(name, filled.value)
    return None


def _digression(frame: Frame, flow: Flow, turn: Turn, flows: Flows, settings: Settings, today: date) -> Decision | None:
    """Another matter, surely: it is dealt with, and the form goes on where it was."""
    best = turn.reading.best
    if best.probability < settings.digress or turn.reading.is_outside or best.intent in flow.intents:
        return None
    if not _is_known(best.intent, flows):
        return None
    return _act_on(best.intent, turn, flows, today)
