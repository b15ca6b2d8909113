"""Flows as the editor changes them: one step, slot, answer or flow at a time, written back as YAML.

The editor writes what it read anew, so that comments of a file that was written by hand do not survive a change here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from apps.core.errors import Conflict, NotFound
from apps.support.errors_bot import FlowsInvalid
from apps.support.services.flows.texts import brief_of, languages_of, pairs, text_of, words_of
from ml.dialogue.flows import Problem
from ml.dialogue.flows.lines import Lined, Unreadable, read_lines

KINDS = ("ask", "say", "call", "if", "hand_over")
BRANCHES = ("then", "else", "failed")
# Which branches a step may have besides those that it must have.
MORE_BRANCHES = {"if": ("else",), "call": ("failed",)}
SLOT_WORDS = ("kind", "when", "pattern")
SLOT_NUMBERS = ("minimum", "maximum")
_WHOLE = re.compile(r"-?\d{1,15}")


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the page shows it. `path` names it, as in `block_card/3/then/0`; `depth` is how far it is indented.

    `missing` are branches that it may have and has not.
    """

    path: str
    depth: int
    kind: str
    value: str
    brief: str
    more: Mapping[str, str] = field(default_factory=dict)
    branch: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotShown:
    """`facts` as a form shows them; `brief` is the question in the reader's language."""

    name: str
    brief: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FlowShown:
    name: str
    title: str
    brief: str
    intents: tuple[str, ...]
    slots: tuple[SlotShown, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class AnswerShown:
    intent: str
    text: str
    brief: str


def plain(text: str) -> dict[str, Any]:
    """The file as plain values; raises FlowsInvalid."""
    try:
        found = _plain(read_lines(text))
    except Unreadable as error:
        raise FlowsInvalid([Problem(error.line, str(error))], "text") from None
    if not isinstance(found, dict):
        raise FlowsInvalid([Problem(1, "a file of flows needs names with values")], "text")
    return found


def written(file: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(file), sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)


def shown(file: Mapping[str, Any], language: str = "en") -> list[FlowShown]:
    """Every flow with its steps in the order in which they stand, branches below their conditions."""
    found = []
    for name, flow in _part(file, "flows").items():
        title = flow.get("title", name.replace("_", " "))
        slots = tuple(_slot_shown(slot, facts, language) for slot, facts in _part(flow, "slots").items())
        steps = tuple(_steps(flow.get("steps") or [], name, 0, "", language))
        intents = tuple(map(str, flow.get("intents") or ()))
        found.append(FlowShown(name, words_of(title), brief_of(title, language), intents, slots, steps))
    return found


def answers_shown(file: Mapping[str, Any], language: str = "en") -> list[AnswerShown]:
    """The fixed replies to intents that need no flow."""
    return [
        AnswerShown(intent, words_of(text), brief_of(text, language)) for intent, text in _part(file, "answers").items()
    ]


# ---------------------------------------------------------------- flows, slots and answers


def add_flow(file: dict[str, Any], name: str, title: str, intents: Sequence[str]) -> None:
    """A flow that passes to a person, which is the least that one may do; raises Conflict."""
    flows = _own(file, "flows")
    if name in flows:
        raise Conflict("There is a flow with this name.", param="name")
    flows[name] = {"title": text_of(title, file), "intents": list(intents), "steps": [{"hand_over": name}]}


def set_flow(file: dict[str, Any], name: str, title: str, intents: Sequence[str]) -> None:
    flow = _flow(file, name)
    # What is said of a flow as a whole stands before its slots and steps.
    rest = {each: value for each, value in flow.items() if each not in {"title", "intents"}}
    languages = languages_of(file)
    flow.clear()
    flow.update({"title": text_of(title, languages), "intents": list(intents), **rest})


def remove_flow(file: dict[str, Any], name: str) -> None:
    _flow(file, name)
    del file["flows"][name]


def add_slot(file: dict[str, Any], flow: str, name: str, facts: Mapping[str, str]) -> None:
    """Raises Conflict where the flow has one with this name."""
    if name in _part(_flow(file, flow), "slots"):
        raise Conflict("The flow has a slot with this name.", param="name")
    given, made = _flow(file, flow), _slot(facts, file)
    steps = given.pop("steps", None)
    _own(given, "slots")[name] = made
    if steps is not None:
        given["steps"] = steps


def set_slot(file: dict[str, Any], flow: str, name: str, facts: Mapping[str, str]) -> None:
    slots = _part(_flow(file, flow), "slots")
    if name not in slots:
        raise NotFound("There is no such slot.")
    before = slots[name] if isinstance(slots[name], dict) else {}
    made = _slot(facts, file)
    if "choices" in made and facts["choices"].split() == _choices(before).split():
        # As they stand: a word may have a comma in it.
        made["choices"] = before["choices"]
    slots[name] = made


def remove_slot(file: dict[str, Any], flow: str, name: str) -> None:
    given = _flow(file, flow)
    if name not in _part(given, "slots"):
        raise NotFound("There is no such slot.")
    del given["slots"][name]
    if not given["slots"]:
        del given["slots"]


def add_answer(file: dict[str, Any], intent: str, text: str) -> None:
    """Raises Conflict where the intent has an answer."""
    answers = _own(file, "answers")
    if intent in answers:
        raise Conflict("The intent has an answer already.", param="intent")
    answers[intent] = text_of(text, file)


def set_answer(file: dict[str, Any], intent: str, text: str) -> None:
    if intent not in _part(file, "answers"):
        raise NotFound("There is no such answer.")
    file["answers"][intent] = text_of(text, file)


def remove_answer(file: dict[str, Any], intent: str) -> None:
    if intent not in _part(file, "answers"):
        raise NotFound("There is no such answer.")
    del file["answers"][intent]


# ---------------------------------------------------------------- steps


def set_step(file: dict[str, Any], path: str, kind: str, value: str, more: Mapping[str, str]) -> None:
    """Puts a step in the place of the one at `path`, with its branches; Conflict where the kind has none of these."""
    steps, place = _place(file, path)
    before = steps[place] if isinstance(steps[place], dict) else {}
    step = _step(file, kind, value, more)
    if any(before.get(name) and name not in _branches(kind) for name in BRANCHES):
        raise Conflict(
            "Other steps stand below this one and would be lost: add the new one behind it, and remove this one.",
            param="kind",
        )
    steps[place] = step | {name: before[name] for name in BRANCHES if before.get(name)}


def add_step(file: dict[str, Any], path: str, kind: str, value: str, more: Mapping[str, str] | None = None) -> None:
    """A step behind the one at `path`, or as the first of the list that `path` names."""
    step = _step(file, kind, value, more or {})
    if path.rpartition("/")[2].isdecimal():
        steps, place = _place(file, path)
        steps.insert(place + 1, step)
    else:
        _begun(file, path).insert(0, step)


def remove_step(file: dict[str, Any], path: str) -> None:
    steps, place = _place(file, path)
    del steps[place]


def move_step(file: dict[str, Any], path: str, by: int) -> None:
    """Up or down among its neighbours; the first one stays the first."""
    steps, place = _place(file, path)
    other = place + by
    if 0 <= other < len(steps):
        steps[place], steps[other] = steps[other], steps[place]


def _plain(given: Lined) -> Any:
    if isinstance(given.value, dict):
        return {name: _plain(each) for name, each in given.items()}
    if isinstance(given.value, list):
        return [_plain(each) for each in given.value]
    return given.value


def _steps(steps: list[Any], path: str, depth: int, branch: str, language: str) -> Iterator[Step]:
    for place, step in enumerate(steps):
        here = f"{path}/{place}"
        kind = next((each for each in KINDS if isinstance(step, dict) and each in step), "say")
        more = {name: "\n".join(f"{key}: {value}" for key, value in (step.get(name) or {}).items())
                for name in ("with", "save")} if kind == "call" else {}  # fmt: skip
        missing = tuple(name for name in MORE_BRANCHES.get(kind, ()) if not step.get(name))
        value = step.get(kind, "") if isinstance(step, dict) else ""
        first = branch if place == 0 else ""
        yield Step(here, depth, kind, words_of(value), brief_of(value, language), more, first, missing)
        for name in BRANCHES:
            if isinstance(step, dict) and step.get(name):
                yield from _steps(step[name], f"{here}/{name}", depth + 1, name, language)


def _step(file: Mapping[str, Any], kind: str, value: str, more: Mapping[str, str]) -> dict[str, Any]:
    """A new condition passes to a person until somebody says what else is done."""
    step: dict[str, Any] = {kind: text_of(value, file) if kind == "say" else value}
    if kind == "call":
        step |= {name: found for name in ("with", "save") if (found := pairs(more.get(name, "")))}
    return step | ({"then": [{"hand_over": "unsure"}]} if kind == "if" else {})


def _branches(kind: str) -> tuple[str, ...]:
    return (*(("then",) if kind == "if" else ()), *MORE_BRANCHES.get(kind, ()))


def _slot_shown(name: str, given: Mapping[str, Any], language: str) -> SlotShown:
    ask = given.get("ask", "")
    facts = {each: str(given.get(each, "")) for each in (*SLOT_WORDS, *SLOT_NUMBERS)} | {
        "kind": str(given.get("kind", "text")),
        "ask": words_of(ask),
        "invalid": words_of(given.get("invalid", "")),
        "choices": _choices(given),
    }
    return SlotShown(name, brief_of(ask, language), facts)


def _choices(given: Mapping[str, Any]) -> str:
    choices = given.get("choices") or {}
    return "\n".join(f"{code}: {', '.join(map(str, words or ()))}" for code, words in choices.items())


def _slot(facts: Mapping[str, str], file: Mapping[str, Any]) -> dict[str, Any]:
    """A slot as it is written, without what is empty."""
    made: dict[str, Any] = {"kind": facts["kind"], "ask": text_of(facts["ask"], file)}
    if facts.get("invalid"):
        made["invalid"] = text_of(facts["invalid"], file)
    if facts.get("choices"):
        made["choices"] = {
            code: [word.strip() for word in words.split(",") if word.strip()]
            for code, words in pairs(facts["choices"], bare=True).items()
        }
    made |= {each: _number(facts[each]) for each in SLOT_NUMBERS if facts.get(each)}
    return made | {each: facts[each] for each in ("when", "pattern") if facts.get(each)}


def _number(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _part(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = given.get(name)
    return found if isinstance(found, dict) else {}


def _own(given: dict[str, Any], name: str) -> dict[str, Any]:
    """The part of this name, which is made where there is none."""
    if not isinstance(given.get(name), dict):
        given[name] = {}
    part: dict[str, Any] = given[name]
    return part


def _flow(file: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = _part(file, "flows").get(name)
    if not isinstance(found, dict):
        raise NotFound("There is no such flow.")
    return found


def _begun(file: dict[str, Any], path: str) -> list[Any]:
    """The list of steps that a path names; a branch that a step may have begins with it."""
    above, _, name = path.rpartition("/")
    if above.rpartition("/")[2].isdecimal():
        steps, place = _place(file, above)
        step = steps[place]
        kind = next((each for each in MORE_BRANCHES if isinstance(step, dict) and each in step), "")
        if name in MORE_BRANCHES.get(kind, ()) and not step.get(name):
            step[name] = []
    return _list(file, path)


def _list(file: dict[str, Any], path: str) -> list[Any]:
    """The list of steps that a path names."""
    name, *rest = path.split("/")
    found: Any = ((file.get("flows") or {}).get(name) or {}).get("steps")
    try:
        for each in rest:
            found = found[int(each)] if each.isdecimal() else found[each]
    except (KeyError, IndexError, TypeError):
        found = None
    if not isinstance(found, list):
        raise NotFound("There is no such step.")
    return found


def _place(file: dict[str, Any], path: str) -> tuple[list[Any], int]:
    above, _, last = path.rpartition("/")
    steps = _list(file, above) if above and last.isdecimal() else []
    place = int(last) if last.isdecimal() else 0
    if not place < len(steps):
        raise NotFound("There is no such step.")
    return steps, place
