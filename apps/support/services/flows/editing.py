"""Flows as the editor changes them: one step, slot, answer or flow at a time, written back as YAML.

The editor writes what it read anew, so that comments of a file that was written by hand do not survive a change here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.conf.locale import LANG_INFO

from apps.core.errors import Conflict, NotFound
from apps.support.errors_bot import FlowsInvalid
from ml.dialogue.flows import Problem
from ml.dialogue.flows.lines import Lined, Unreadable, read_lines

KINDS = ("ask", "say", "call", "if", "hand_over")
BRANCHES = ("then", "else", "failed")
# Which branches a step may have besides those that it must have.
MORE_BRANCHES = {"if": ("else",), "call": ("failed",)}
SLOT_WORDS = ("kind", "when", "pattern")
SLOT_NUMBERS = ("minimum", "maximum")
_LANGUAGE = re.compile(r"([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*):(?: |$)(.*)")
_LANGUAGES = frozenset(code.split("-")[0] for code in LANG_INFO)
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
        found.append(FlowShown(name, _words(title), _brief(title, language), intents, slots, steps))
    return found


def answers_shown(file: Mapping[str, Any], language: str = "en") -> list[AnswerShown]:
    """The fixed replies to intents that need no flow."""
    return [
        AnswerShown(intent, _words(text), _brief(text, language)) for intent, text in _part(file, "answers").items()
    ]


# ---------------------------------------------------------------- flows, slots and answers


def add_flow(file: dict[str, Any], name: str, title: str, intents: Sequence[str]) -> None:
    """A flow that passes to a person, which is the least that one may do; raises Conflict."""
    flows = _own(file, "flows")
    if name in flows:
        raise Conflict("There is a flow with this name.", param="name")
    flows[name] = {"title": _text(title), "intents": list(intents), "steps": [{"hand_over": name}]}


def set_flow(file: dict[str, Any], name: str, title: str, intents: Sequence[str]) -> None:
    flow = _flow(file, name)
    # What is said of a flow as a whole stands before its slots and steps.
    rest = {each: value for each, value in flow.items() if each not in {"title", "intents"}}
    flow.clear()
    flow.update({"title": _text(title), "intents": list(intents), **rest})


def remove_flow(file: dict[str, Any], name: str) -> None:
    _flow(file, name)
    del file["flows"][name]


def add_slot(file: dict[str, Any], flow: str, name: str, facts: Mapping[str, str]) -> None:
    """Raises Conflict where the flow has one with this name."""
    if name in _part(_flow(file, flow), "slots"):
        raise Conflict("The flow has a slot with this name.", param="name")
    given = _flow(file, flow)
    steps = given.pop("steps", None)
    _own(given, "slots")[name] = _slot(facts)
    if steps is not None:
        given["steps"] = steps


def set_slot(file: dict[str, Any], flow: str, name: str, facts: Mapping[str, str]) -> None:
    slots = _part(_flow(file, flow), "slots")
    if name not in slots:
        raise NotFound("There is no such slot.")
    slots[name] = _slot(facts)


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
    answers[intent] = _text(text)


def set_answer(file: dict[str, Any], intent: str, text: str) -> None:
    if intent not in _part(file, "answers"):
        raise NotFound("There is no such answer.")
    file["answers"][intent] = _text(text)


def remove_answer(file: dict[str, Any], intent: str) -> None:
    if intent not in _part(file, "answers"):
        raise NotFound("There is no such answer.")
    del file["answers"][intent]


# ---------------------------------------------------------------- steps


def set_step(file: dict[str, Any], path: str, kind: str, value: str, more: Mapping[str, str]) -> None:
    """Puts a step in the place of the one at `path`; branches stay where the kind keeps them."""
    steps, place = _place(file, path)
    before = steps[place]
    step: dict[str, Any] = {kind: _text(value) if kind == "say" else value}
    if kind == "call":
        step |= {name: found for name in ("with", "save") if (found := _pairs(more.get(name, "")))}
        step |= {"failed": before["failed"]} if before.get("failed") else {}
    if kind == "if":
        step["then"] = before.get("then") or [{"say": value}]
        step |= {"else": before["else"]} if before.get("else") else {}
    steps[place] = step


def add_step(file: dict[str, Any], path: str, kind: str, value: str) -> None:
    """A step behind the one at `path`, or as the first of the list that `path` names."""
    step: dict[str, Any] = {kind: _text(value) if kind == "say" else value}
    step |= {"then": [{"hand_over": "unsure"}]} if kind == "if" else {}
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
        yield Step(here, depth, kind, _words(value), _brief(value, language), more, first, missing)
        for name in BRANCHES:
            if isinstance(step, dict) and step.get(name):
                yield from _steps(step[name], f"{here}/{name}", depth + 1, name, language)


def _slot_shown(name: str, given: Mapping[str, Any], language: str) -> SlotShown:
    ask, choices = given.get("ask", ""), given.get("choices") or {}
    facts = {each: str(given.get(each, "")) for each in (*SLOT_WORDS, *SLOT_NUMBERS)} | {
        "kind": str(given.get("kind", "text")),
        "ask": _words(ask),
        "invalid": _words(given.get("invalid", "")),
        "choices": "\n".join(f"{code}: {', '.join(map(str, words or ()))}" for code, words in choices.items()),
    }
    return SlotShown(name, _brief(ask, language), facts)


def _slot(facts: Mapping[str, str]) -> dict[str, Any]:
    """A slot as it is written, without what is empty."""
    made: dict[str, Any] = {"kind": facts["kind"], "ask": _text(facts["ask"])}
    if facts.get("invalid"):
        made["invalid"] = _text(facts["invalid"])
    if facts.get("choices"):
        made["choices"] = {
            code: [word.strip() for word in words.split(",") if word.strip()]
            for code, words in _pairs(facts["choices"], bare=True).items()
        }
    made |= {each: _number(facts[each]) for each in SLOT_NUMBERS if facts.get(each)}
    return made | {each: facts[each] for each in ("when", "pattern") if facts.get(each)}


def _number(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _words(value: Any) -> str:
    """A text in several languages as lines `en: …`."""
    if isinstance(value, dict):
        return "\n".join(f"{tag}: {text}" for tag, text in value.items())
    return str(value)


def _brief(value: Any, language: str) -> str:
    """A text in the reader's language, or else in the one that comes first."""
    if not isinstance(value, dict):
        return str(value)
    family = language.split("-")[0]
    near = next((text for tag, text in value.items() if str(tag).split("-")[0] == family), None)
    return str(near or next(iter(value.values()), ""))


def _text(value: str) -> Any:
    """Lines `en: …` make a text in several languages; a line without a language goes on with the one before."""
    found: dict[str, str] = {}
    tag = ""
    for line in value.strip().splitlines():
        begun = _LANGUAGE.fullmatch(line.strip())
        if begun and begun.group(1).split("-")[0] in _LANGUAGES:
            tag = begun.group(1)
            found[tag] = begun.group(2).strip()
        elif not tag:
            return value.strip()
        else:
            found[tag] = f"{found[tag]}\n{line.rstrip()}"
    return found or value.strip()


def _pairs(text: str, *, bare: bool = False) -> dict[str, str]:
    """Lines `name: value`; with `bare` a name may stand alone."""
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    return {name.strip(): value.strip() for name, colon, value in lines if (colon or bare) and name.strip()}


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
