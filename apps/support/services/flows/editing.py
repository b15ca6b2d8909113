"""Flows as the step editor changes them: one step, one slot or one title at a time, written back as YAML.

The editor writes what it read anew, so that comments of a file that was written by hand do not survive a change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from apps.core.errors import NotFound
from apps.support.errors_bot import FlowsInvalid
from ml.dialogue.flows import Problem
from ml.dialogue.flows.lines import Lined, Unreadable, read_lines

KINDS = ("ask", "say", "call", "if", "hand_over")
BRANCHES = ("then", "else", "failed")


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the page shows it. `path` names it, as in `block_card/3/then/0`; `depth` is how far it is indented."""

    path: str
    depth: int
    kind: str
    value: str
    more: Mapping[str, str] = field(default_factory=dict)
    branch: str = ""


@dataclass(frozen=True, slots=True)
class FlowShown:
    name: str
    title: str
    intents: tuple[str, ...]
    slots: tuple[tuple[str, str, str], ...]
    steps: tuple[Step, ...]


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


def shown(file: Mapping[str, Any]) -> list[FlowShown]:
    """Every flow with its steps in the order in which they stand, branches below their conditions."""
    found = []
    for name, flow in (file.get("flows") or {}).items():
        slots = tuple(
            (slot, str(facts.get("kind", "text")), _words(facts.get("ask", "")))
            for slot, facts in (flow.get("slots") or {}).items()
        )
        steps = tuple(_steps(flow.get("steps") or [], name, 0, ""))
        found.append(FlowShown(name, _words(flow.get("title", name)), tuple(flow.get("intents") or ()), slots, steps))
    return found


def set_step(file: dict[str, Any], path: str, kind: str, value: str, more: Mapping[str, str]) -> None:
    """Puts a step in the place of the one at `path`; branches stay where the kind keeps them."""
    steps, place = _place(file, path)
    before = steps[place]
    step: dict[str, Any] = {kind: _text_of(before.get(kind), value)}
    if kind == "call":
        step |= {name: found for name in ("with", "save") if (found := _pairs(more.get(name, "")))}
        step |= {"failed": before["failed"]} if before.get("failed") else {}
    if kind == "if":
        step["then"] = before.get("then") or [{"say": value}]
        step |= {"else": before["else"]} if before.get("else") else {}
    steps[place] = step


def add_step(file: dict[str, Any], path: str, kind: str, value: str) -> None:
    """A step behind the one at `path`, or as the first of the list that `path` names."""
    step: dict[str, Any] = {kind: value} | ({"then": [{"hand_over": "unsure"}]} if kind == "if" else {})
    if path.rpartition("/")[2].isdecimal():
        steps, place = _place(file, path)
        steps.insert(place + 1, step)
    else:
        _list(file, path).insert(0, step)


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


def _steps(steps: list[Any], path: str, depth: int, branch: str) -> Iterator[Step]:
    for place, step in enumerate(steps):
        here = f"{path}/{place}"
        kind = next((each for each in KINDS if isinstance(step, dict) and each in step), "say")
        more = {name: "\n".join(f"{key}: {value}" for key, value in (step.get(name) or {}).items())
                for name in ("with", "save")} if kind == "call" else {}  # fmt: skip
        yield Step(here, depth, kind, _words(step.get(kind, "")), more, branch if place == 0 else "")
        for name in BRANCHES:
            if isinstance(step, dict) and step.get(name):
                yield from _steps(step[name], f"{here}/{name}", depth + 1, name)


def _words(value: Any) -> str:
    """A text in several languages as lines `en: …`."""
    if isinstance(value, dict):
        return "\n".join(f"{tag}: {text}" for tag, text in value.items())
    return str(value)


def _text_of(before: Any, value: str) -> Any:
    """Lines `en: …` make a text in several languages again, where it was one."""
    found = _pairs(value) if isinstance(before, dict) else {}
    return found or value


def _pairs(text: str) -> dict[str, str]:
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    return {name.strip(): value.strip() for name, colon, value in lines if colon and name.strip()}


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
