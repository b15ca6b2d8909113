"""Stories: dialogues written down as YAML, run turn by turn against flows, with actions that run or are scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from ml.dialogue import policy
from ml.dialogue.engine import Engine
from ml.dialogue.flows.lines import Lined, Unreadable, read_lines
from ml.dialogue.flows.parsing import FlowError, Problem
from ml.dialogue.policy import Decision, Turn
from ml.dialogue.ranking import Choice
from ml.dialogue.state import (
    Asked,
    Called,
    Clarified,
    Event,
    FlowEnded,
    FlowStarted,
    HandedOver,
    PersonActed,
    Returned,
    Said,
    SlotFilled,
    Sought,
    State,
    fold,
)
from ml.dialogue.turns import Heard, text_of
from ml.dialogue.types import Ranked, Reading

# From an action's name and inputs to what it returns; an action that fails raises ActionFailed.
Act = Callable[[str, Mapping[str, str]], Mapping[str, str]]
Read = Callable[[str], Reading]
_TURN = {"customer", "reads", "outside", "returns", "fails", "expects", "person"}
_EXPECTS = ("says", "asks", "calls", "starts", "ends", "fills", "clarifies", "seeks", "hands_over", "nothing")
# More actions in one turn than any flow has: a flow that calls forever would never end.
MOST_CALLS = 50


class ActionFailed(RuntimeError):
    """The system behind an action refused or did not answer."""


@dataclass(frozen=True, slots=True)
class Expected:
    """`says` looks for words in the replies, the others for what happened; `details` are inputs, values or options."""

    kind: str
    value: str
    details: Mapping[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class StoryTurn:
    """A burst of messages, what is read from it if the model is not to be asked, what actions return, what follows."""

    messages: tuple[str, ...]
    expects: tuple[Expected, ...]
    line: int
    reads: Reading | None = None
    returns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    fails: frozenset[str] = frozenset()
    is_person: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    turns: tuple[StoryTurn, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A story that was run: what failed, with lines, and all events."""

    story: Story
    failures: tuple[Problem, ...]
    events: tuple[Event, ...]
    choices: tuple[Choice, ...] = ()


def parse_stories(text: str) -> list[Story]:
    """Raises FlowError with the line of everything that is wrong."""
    try:
        top = read_lines(text)
    except Unreadable as error:
        raise FlowError([Problem(error.line, str(error))]) from error
    problems: list[Problem] = []
    found = []
    for each in top.value if isinstance(top.value, list) else []:
        name, turns = each.get("story"), each.get("turns")
        if not name or not turns or not isinstance(turns.value, list):
            problems.append(Problem(each.line, "a story has a name (“story: …”) and “turns”"))
            continue
        found.append(Story(str(name.value), tuple(_turn(turn, problems) for turn in turns.value), each.line))
    if not isinstance(top.value, list):
        problems.append(Problem(top.line, "stories are a list: lines that begin with “- story: …”"))
    if problems:
        raise FlowError(problems)
    return found


def _turn(given: Lined, problems: list[Problem]) -> StoryTurn:
    for name, value in given.items():
        if name not in _TURN:
            problems.append(Problem(value.line, f"a turn has no part “{name}”; there are {', '.join(sorted(_TURN))}"))
    said = given.get("customer")
    messages = ([each.value for each in said.value] if isinstance(said.value, list) else [said.value]) if said else []
    person = given.get("person")
    if not messages and not person:
        problems.append(Problem(given.line, "a turn needs “customer”, what is said, or “person: true”"))
    expects = given.get("expects")
    listed = expects.value if expects and isinstance(expects.value, list) else []
    return StoryTurn(
        tuple(map(str, messages)),
        tuple(found for each in listed for found in _expected(each, problems)),
        given.line,
        _reading(given),
        {name: {key: str(value.value) for key, value in each.items()} for name, each in _items(given.get("returns"))},
        frozenset(str(each.value) for each in (given.value["fails"].value if given.get("fails") else [])),
        bool(person and person.value),
    )


def _items(given: Lined | None) -> Iterator[tuple[str, Lined]]:
    return given.items() if given else iter(())


def _reading(given: Lined) -> Reading | None:
    reads, outside = given.get("reads"), given.get("outside")
    if reads is None and outside is None:
        return None
    ranked = sorted(
        (Ranked(name, float(value.value)) for name, value in _items(reads)), key=lambda each: -each.probability
    )
    is_outside = bool(outside and outside.value)
    return Reading(tuple(ranked), 1.0 if is_outside else 0.0, is_outside)


def _expected(given: Lined, problems: list[Problem]) -> Iterator[Expected]:
    kind = next((name for name in _EXPECTS if given.get(name)), "")
    if not kind:
        problems.append(Problem(given.line, f"what is expected is one of {', '.join(_EXPECTS)}"))
        return
    value, extra = given.value[kind], given.get("with")
    if isinstance(value.value, dict):
        yield Expected(kind, "", {name: str(each.value) for name, each in value.items()}, given.line)
    else:
        details = {name: str(each.value) for name, each in _items(extra)}
        yield Expected(kind, "true" if value.value is True else str(value.value), details, given.line)


def run_story(story: Story, engine: Engine, today: date, read: Read | None = None, act: Act | None = None) -> Outcome:
    """Plays a story. `read` reads what the story does not say itself, `act` carries out what it does not script."""
    state, events, failures, choices = State(), list[Event](), list[Problem](), list[Choice]()
    for turn in story.turns:
        happened: list[Event] = []
        if turn.is_person:
            happened.append(PersonActed())
        else:
            text = text_of([Heard(message, 0.0) for message in turn.messages])
            reading = turn.reads or (read(text) if read else Reading())
            given = Turn(text, reading, engine.entities(text, today))
            choices += _choices(state, given, engine, today)
            happened += engine.take(state, given, today)
            happened += _act(engine, fold(happened, state), turn, act, failures)
        failures += [problem for each in turn.expects if (problem := _missing(each, happened))]
        state = fold(happened, state)
        events += happened
    return Outcome(story, tuple(failures), tuple(events), tuple(choices))


def _act(engine: Engine, state: State, turn: StoryTurn, act: Act | None, failures: list[Problem]) -> list[Event]:
    """Carries out actions until none is waited for."""
    happened: list[Event] = []
    pending = state.called
    for _ in range(MOST_CALLS):
        if pending is None:
            return happened
        following = engine.go_on(state, _returned(pending, turn, act, failures))
        state = fold(following, state)
        happened += following
        pending = state.called
    failures.append(Problem(turn.line, f"more than {MOST_CALLS} actions in one turn"))
    return happened


def _returned(called: Called, turn: StoryTurn, act: Act | None, failures: list[Problem]) -> Returned:
    if called.action in turn.fails:
        return Returned(called.action, False)
    if called.action in turn.returns:
        return Returned(called.action, True, turn.returns[called.action])
    if act is None:
        failures.append(Problem(turn.line, f"“{called.action}” is called, and the turn does not say what it returns"))
        return Returned(called.action, False)
    try:
        return Returned(called.action, True, act(called.action, called.inputs))
    except ActionFailed:
        return Returned(called.action, False)


def _choices(state: State, turn: Turn, engine: Engine, today: date) -> list[Choice]:
    """Where the rules leave a choice, what was chosen: a story that passes teaches it."""
    if state.owner == "person" or state.asked:
        return []
    found = policy.candidates(state, turn, engine.flows, engine.settings, today)
    decided = policy.decide(state, turn, engine.flows, engine.settings, today, engine.ranking)
    return [Choice(state, turn, tuple(found), decided)] if decided in found and len(found) > 1 else []


def taught(story: Story, engine: Engine, today: date, read: Read | None = None) -> list[Choice]:
    """Choices by which the story's expectations are met, for learning: at each turn the first candidate that fits."""
    state, learned = State(), list[Choice]()
    for turn in story.turns:
        if turn.is_person:
            return learned
        text = text_of([Heard(message, 0.0) for message in turn.messages])
        given = Turn(text, turn.reads or (read(text) if read else Reading()), engine.entities(text, today))
        happened = engine.take(state, given, today)
        for choice in _choices(state, given, engine, today):
            fitting = next((each for each in choice.candidates if _fits(turn, each)), None)
            if fitting is not None:
                learned.append(Choice(state, given, choice.candidates, fitting))
                happened = engine.enact(state, given, fitting)
        happened += _act(engine, fold(happened, state), turn, None, [])
        state = fold(happened, state)
    return learned


_KINDS: Mapping[str, tuple[type, ...]] = {
    "starts": (policy.Start,),
    "clarifies": (policy.Disambiguate,),
    "seeks": (policy.LookUp, policy.Generate),
    "hands_over": (policy.HandOver,),
}


def _fits(turn: StoryTurn, decision: Decision) -> bool:
    """Whether a decision is of the kind that the turn expects; a generated answer is not one that was looked up."""
    for each in turn.expects:
        if isinstance(decision, _KINDS.get(each.kind, ())):
            how = {policy.LookUp: "look_up", policy.Generate: "generate"}.get(type(decision), each.value)
            return each.kind != "seeks" or each.value in {how, "true"}
    return False


def _missing(expected: Expected, happened: Sequence[Event]) -> Problem | None:
    """What did not happen, in a sentence."""
    if any(_meets(expected, event) for event in happened):
        return None
    if expected.kind == "nothing":
        said = [event for event in happened if isinstance(event, Said | Called | HandedOver | Sought)]
        return Problem(expected.line, f"nothing was to be done, but there was {_told(said)}") if said else None
    what = f"{expected.kind}: {expected.value}" if expected.value else expected.kind
    details = f" with {dict(expected.details)}" if expected.details else ""
    return Problem(expected.line, f"expected {what}{details}; there was {_told(happened)}")


def _meets(expected: Expected, event: Event) -> bool:
    match expected.kind, event:
        case "says", Said():
            return expected.value.lower() in event.text.lower()
        case "asks", Asked():
            return expected.value == event.slot
        case "calls", Called():
            inputs = expected.details.items()
            return expected.value == event.action and all(event.inputs.get(name) == value for name, value in inputs)
        case "starts", FlowStarted():
            return expected.value == event.flow
        case "ends", FlowEnded():
            return expected.value in {event.outcome, "true"}
        case "fills", SlotFilled():
            return expected.details.get(event.slot) == event.value
        case "clarifies", Clarified():
            return expected.value == "true" or expected.value in event.options
        case "seeks", Sought():
            return expected.value in {event.how, "true"}
        case "hands_over", HandedOver():
            return expected.value in {event.reason, "true"}
    return False


def _told(events: Sequence[Event]) -> str:
    return "; ".join(str(event) for event in events[-6:]) or "nothing"
