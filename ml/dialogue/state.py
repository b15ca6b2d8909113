"""The state of a dialogue: nothing but the fold of its events, so that it survives restarts and can be replayed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ml.dialogue.types import DialogueError

Owner = Literal["bot", "person"]


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """What the customer said, all messages of a burst together, and the intent that was read from it."""

    text: str
    intent: str = ""
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class FlowStarted:
    flow: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class FlowEnded:
    """`outcome` is done, cancelled or handed_over."""

    outcome: str = "done"


@dataclass(frozen=True, slots=True)
class Moved:
    """The flow on top goes on at this step."""

    position: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A slot is waited for; asked again after an answer that did not fit, `attempt` is more than one."""

    slot: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class SlotFilled:
    slot: str
    value: str


@dataclass(frozen=True, slots=True)
class SlotCorrected:
    """A slot that had a value gets another; the flow goes back to where it was asked for."""

    slot: str
    value: str
    position: int


@dataclass(frozen=True, slots=True)
class Said:
    """A reply of the bot; `key` names the step, so that going over it again does not repeat it."""

    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Called:
    """An action is asked for; the dialogue goes on when `Returned` says how it went."""

    action: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Returned:
    action: str
    succeeded: bool
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clarified:
    """The customer was asked which of these intents is meant."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sought:
    """An answer is looked up or generated from what is found; `how` is look_up or generate."""

    how: str
    query: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    reason: str


@dataclass(frozen=True, slots=True)
class PersonActed:
    """A person has taken the conversation: from here on the bot is silent."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The conversation is the bot's again; what it knows, it keeps."""


Event = (
    TurnTaken | FlowStarted | FlowEnded | Moved | Asked | SlotFilled | SlotCorrected | Said | Called | Returned
    | Clarified | Sought | HandedOver | PersonActed | GivenBack
)  # fmt: skip
_KINDS: dict[str, type[Any]] = {
    each.__name__: each
    for each in (
        TurnTaken, FlowStarted, FlowEnded, Moved, Asked, SlotFilled, SlotCorrected, Said, Called, Returned, Clarified,
        Sought, HandedOver, PersonActed, GivenBack,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """A flow under way. `acted` is the step behind the last call: what was done cannot be undone by a correction."""

    flow: str
    version: str = ""
    position: int = 0
    values: Mapping[str, str] = field(default_factory=dict)
    filled: tuple[str, ...] = ()
    said: frozenset[str] = frozenset()
    acted: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """`stack` holds the flows under way, the one that is spoken of last; `asked` is what its question waits for, and
    `called` the action that has not returned.
    """

    owner: Owner = "bot"
    turns: int = 0
    stack: tuple[Frame, ...] = ()
    asked: str = ""
    attempt: int = 0
    clarifying: tuple[str, ...] = ()
    unsure: int = 0
    called: Called | None = None
    language: str = "en"
    intents: tuple[str, ...] = ()
    reason: str = ""

    @property
    def frame(self) -> Frame | None:
        return self.stack[-1] if self.stack else None


# How many of the last intents are kept, for the ranking and for whoever takes over.
REMEMBERED = 6


def fold(events: Iterable[Event], state: State | None = None) -> State:
    """The state after the events, from the beginning or from a state that they follow."""
    state = state or State()
    for event in events:
        state = apply(state, event)
    return state


def apply(state: State, event: Event) -> State:
    """The state after one event."""
    match event:
        case TurnTaken():
            return replace(state, turns=state.turns + 1, intents=(*state.intents, event.intent)[-REMEMBERED:])
        case Asked():
            return replace(state, asked=event.slot, attempt=event.attempt, clarifying=())
        case Clarified():
            return replace(state, clarifying=event.options, unsure=state.unsure + 1, asked="", attempt=0)
        case Sought():
            return replace(state, clarifying=(), unsure=0)
        case Called():
            return replace(state, called=event, asked="", attempt=0)
        case HandedOver():
            return replace(_quiet(state), owner="person", reason=event.reason, stack=())
        case PersonActed():
            return replace(_quiet(state), owner="person")
        case GivenBack():
            return replace(state, owner="bot", reason="", unsure=0)
        case FlowStarted():
            frame = Frame(event.flow, event.version)
            return replace(_quiet(state), stack=(*state.stack, frame), unsure=0)
        case FlowEnded():
            return replace(_quiet(state), stack=state.stack[:-1], unsure=0)
        case Returned():
            return _with_frame(replace(state, called=None), event)
        case _:
            return _with_frame(state, event)


def _quiet(state: State) -> State:
    """Nothing is waited for."""
    return replace(state, asked="", attempt=0, clarifying=(), called=None)


def _with_frame(state: State, event: Event) -> State:
    """What concerns the flow on top; without one, there is nothing to change."""
    frame = state.frame
    if frame is None:
        return replace(state, clarifying=(), unsure=0) if isinstance(event, Said) else state
    match event:
        case Moved():
            frame = replace(frame, position=event.position)
        case SlotFilled():
            frame = _filled(frame, event.slot, event.value)
            state = replace(state, asked="", attempt=0, unsure=0) if state.asked == event.slot else state
        case SlotCorrected():
            frame = replace(_filled(frame, event.slot, event.value), position=event.position)
            state = replace(state, asked="", attempt=0, unsure=0)
        case Said():
            frame = replace(frame, said=frame.said | {event.key}) if event.key else frame
        case Returned():
            frame = replace(frame, values={**frame.values, **event.outputs}, acted=frame.position + 1)
        case _:
            return state
    return replace(state, stack=(*state.stack[:-1], frame))


def _filled(frame: Frame, slot: str, value: str) -> Frame:
    order = (*(each for each in frame.filled if each != slot), slot)
    return replace(frame, values={**frame.values, slot: value}, filled=order)


def to_json(event: Event) -> str:
    """An event as it is stored: its kind and its fields."""
    fields = {each.name: getattr(event, each.name) for each in dataclasses.fields(event)}
    return json.dumps({"kind": type(event).__name__, **fields}, ensure_ascii=False)


def from_json(text: str) -> Event:
    """Raises DialogueError for what is no event of this program."""
    try:
        fields = json.loads(text)
        kind = _KINDS[fields.pop("kind")]
        read: Event = kind(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DialogueError(f"this is no event of a dialogue: {text[:80]}") from error
    return read
