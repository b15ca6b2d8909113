"""Flows from YAML, checked: every fault is told with its line, all at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import regex

from ml.dialogue.flows.conditions import Condition, ConditionError
from ml.dialogue.flows.lines import Lined, Unreadable, read_lines
from ml.dialogue.flows.model import (
    KINDS,
    TO_A_PERSON,
    Ask,
    Call,
    Flow,
    Flows,
    HandOver,
    Jump,
    JumpUnless,
    Say,
    Slot,
    Step,
    Text,
)
from ml.dialogue.types import DialogueError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
LONGEST_PATTERN = 200
_TOP = {"version", "flows", "answers"}
_FLOW = {"title", "intents", "slots", "steps"}
_SLOT = {"kind", "ask", "invalid", "choices", "minimum", "maximum", "when", "pattern"}
_STEPS: dict[str, set[str]] = {
    "ask": set(),
    "say": set(),
    "call": {"with", "save", "failed"},
    "if": {"then", "else"},
    "hand_over": set(),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a line."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class FlowError(DialogueError):
    """Flows that cannot be used; `problems` are all that were found, in the order of their lines."""

    code = "flow_invalid"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda each: each.line)
        super().__init__("\n".join(map(str, self.problems)))


def parse_flows(text: str, actions: Collection[str] | None = None, intents: Collection[str] | None = None) -> Flows:
    """The flows of a file; raises FlowError.

    `actions` are those that may be called and `intents` those that the model knows, where the caller knows them.
    """
    try:
        top = read_lines(text)
    except Unreadable as error:
        raise FlowError([Problem(error.line, str(error))]) from error
    return _Parser(actions, intents).flows(top)


class _Parser:
    """Collects problems instead of ending at the first one."""

    def __init__(self, actions: Collection[str] | None, intents: Collection[str] | None) -> None:
        self._actions, self._intents = actions, intents
        self._problems: list[Problem] = []

    def flows(self, top: Lined) -> Flows:
        self._keys(top, _TOP, "a file of flows")
        flows = [self._flow(name, each) for name, each in self._mapping(top.get("flows"), "flows")]
        answers = {name: self._text(each) for name, each in self._mapping(top.get("answers"), "answers")}
        for name, each in self._mapping(top.get("answers"), "answers"):
            self._known(each, name, self._intents, "intent")
        taken: dict[str, str] = {}
        for (_, each), flow in zip(self._mapping(top.get("flows"), "flows"), flows, strict=True):
            for intent in flow.intents:
                if other := taken.setdefault(intent, flow.name):
                    self._unless(other == flow.name, each, f"the intent “{intent}” begins “{other}” already")
                self._unless(intent not in answers, each, f"the intent “{intent}” has an answer already")
        if not flows and not answers:
            self._problems.append(Problem(top.line, "there is neither a flow nor an answer in it"))
        if self._problems:
            raise FlowError(self._problems)
        version = top.get("version")
        return Flows(flows, answers, str(version.value) if version else "")

    def _flow(self, name: str, given: Lined) -> Flow:
        self._unless(_NAME.fullmatch(name), given, f"a flow's name has small letters, digits and _: “{name}”")
        self._keys(given, _FLOW, f"the flow “{name}”")
        slots = {each: self._slot(each, value) for each, value in self._mapping(given.get("slots"), "slots")}
        intents = tuple(str(each.value) for each in self._list(given.get("intents"), "intents"))
        for intent in intents:
            self._known(given.get("intents") or given, intent, self._intents, "intent")
        names = set(slots) | set(_saved(given))
        steps: list[Step] = []
        self._steps(given.get("steps"), slots, names, steps)
        self._unless(steps, given, f"the flow “{name}” has no steps")
        title = given.get("title")
        return Flow(
            name, self._text(title) if title else Text({"en": name.replace("_", " ")}), intents, slots, tuple(steps)
        )

    def _slot(self, name: str, given: Lined) -> Slot:
        self._unless(_NAME.fullmatch(name), given, f"a slot's name has small letters, digits and _: “{name}”")
        self._keys(given, _SLOT, f"the slot “{name}”")
        kind = self._word(given, "kind", "text")
        self._known(given.get("kind") or given, kind, KINDS, "kind of slot")
        ask, invalid = given.get("ask"), given.get("invalid")
        self._unless(ask, given, f"the slot “{name}” needs “ask”, the question for it")
        choices = {
            each: (each.replace("_", " "), *(str(word.value) for word in self._list(words, f"words of {each}")))
            for each, words in self._mapping(given.get("choices"), "choices")
        }
        self._unless(bool(choices) == (kind == "choice"), given, "“choices” belong to a slot of the kind “choice”")
        when, pattern = self._word(given, "when", ""), self._word(given, "pattern", "")
        self._unless(when in {"", "past", "future"}, given, "“when” is past or future")
        self._check_pattern(given.get("pattern"), pattern)
        return Slot(
            name,
            kind,
            self._text(ask) if ask else Text({"en": ""}),
            self._text(invalid) if invalid else None,
            choices,
            self._number(given.get("minimum")),
            self._number(given.get("maximum")),
            when,
            pattern,
        )

    def _steps(self, given: Lined | None, slots: Mapping[str, Slot], names: set[str], steps: list[Step]) -> None:
        for each in self._list(given, "steps"):
            kind = next((name for name in _STEPS if each.get(name)), "")
            if not kind:
                self._problems.append(Problem(each.line, f"a step is one of {', '.join(_STEPS)}"))
                continue
            self._keys(each, {kind, *_STEPS[kind]}, f"the step “{kind}”")
            value = each.value[kind]
            if kind == "ask":
                self._known(value, str(value.value), slots, "slot")
                steps.append(Ask(str(value.value)))
            elif kind == "say":
                steps.append(Say(self._said(value, names)))
            elif kind == "hand_over":
                steps.append(HandOver(str(value.value)))
            elif kind == "call":
                self._call(each, slots, names, steps)
            else:
                self._branch(each, slots, names, steps)

    def _call(self, given: Lined, slots: Mapping[str, Slot], names: set[str], steps: list[Step]) -> None:
        action = given.value["call"]
        self._known(action, str(action.value), self._actions, "action")
        inputs = {name: str(each.value) for name, each in self._mapping(given.get("with"), "with")}
        for each in inputs.values():
            self._filled(given, Text({"en": each}), names)
        outputs = {name: str(each.value) for name, each in self._mapping(given.get("save"), "save")}
        failed = given.get("failed")
        call = Call(str(action.value), inputs, outputs, TO_A_PERSON)
        place = len(steps)
        steps.append(call)
        if failed:
            steps.append(Jump(0))
            steps[place] = Call(call.action, inputs, outputs, len(steps))
            self._steps(failed, slots, names, steps)
            steps[place + 1] = Jump(len(steps))

    def _branch(self, given: Lined, slots: Mapping[str, Slot], names: set[str], steps: list[Step]) -> None:
        condition = self._condition(given.value["if"], names)
        place = len(steps)
        steps.append(Jump(0))
        self._unless(given.get("then"), given, "a condition needs “then”")
        self._steps(given.get("then"), slots, names, steps)
        otherwise = given.get("else")
        if otherwise:
            end = len(steps)
            steps.append(Jump(0))
            steps[place] = JumpUnless(condition, len(steps))
            self._steps(otherwise, slots, names, steps)
            steps[end] = Jump(len(steps))
        else:
            steps[place] = JumpUnless(condition, len(steps))

    def _condition(self, given: Lined, names: set[str]) -> Condition:
        try:
            found = Condition.parse(str(given.value))
        except ConditionError as error:
            self._problems.append(Problem(given.line, f"the condition {error}"))
            return Condition("False", frozenset())
        for name in sorted(found.names):
            self._known(given, name, names, "slot")
        return found

    def _said(self, given: Lined, names: set[str]) -> Text:
        text = self._text(given)
        self._filled(given, text, names)
        return text

    def _filled(self, given: Lined, text: Text, names: set[str]) -> None:
        for name in sorted(text.names()):
            self._known(given, name, names, "slot")

    def _text(self, given: Lined) -> Text:
        if isinstance(given.value, dict):
            found = {tag: str(each.value) for tag, each in given.items()}
            self._unless(all(found.values()) and found, given, "a text stands behind every language")
            return Text(found or {"en": ""})
        self._unless(isinstance(given.value, str | int) and str(given.value).strip(), given, "a text is missing")
        return Text({"en": str(given.value)})

    def _number(self, given: Lined | None) -> Decimal | None:
        if given is None:
            return None
        try:
            return Decimal(str(given.value))
        except InvalidOperation:
            self._problems.append(Problem(given.line, f"“{given.value}” is no number"))
            return None

    def _word(self, given: Lined, name: str, default: str) -> str:
        found = given.get(name)
        return str(found.value) if found else default

    def _mapping(self, given: Lined | None, name: str) -> list[tuple[str, Lined]]:
        if given is None or given.value is None:
            return []
        if not isinstance(given.value, dict):
            self._report(given, f"“{name}” needs names with values: “name: …”")
            return []
        return list(given.items())

    def _list(self, given: Lined | None, name: str) -> Iterator[Lined]:
        if given is None or given.value is None:
            return iter(())
        if not isinstance(given.value, list):
            self._report(given, f"“{name}” needs a list: lines that begin with “-”")
            return iter(())
        return iter(given.value)

    def _check_pattern(self, given: Lined | None, pattern: str) -> None:
        place = given or Lined(None, 1)
        if len(pattern) > LONGEST_PATTERN:
            self._report(place, f"a pattern has at most {LONGEST_PATTERN} characters")
            return
        try:
            # What Python's own cannot read is refused also where that which matches could: no patterns within patterns.
            re.compile(pattern)
            regex.compile(pattern)
        except (re.error, regex.error) as error:
            self._report(place, f"the pattern cannot be read: {error}")

    def _keys(self, given: Lined, allowed: set[str], what: str) -> None:
        if not isinstance(given.value, dict):
            self._report(given, f"{what} needs names with values: “name: …”")
        for name, each in given.items():
            self._known(each, name, allowed, f"part of {what}")

    def _known(self, given: Lined, name: str, known: Collection[str] | None, what: str) -> None:
        if known is None or name in known:
            return
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f"; is “{near[0]}” meant?" if near else f"; there are {', '.join(sorted(known)) or 'none'}"
        self._report(given, f"there is no {what} “{name}”{hint}")

    def _unless(self, holds: object, given: Lined, message: str) -> None:
        if not holds:
            self._report(given, message)

    def _report(self, given: Lined, message: str) -> None:
        problem = Problem(given.line, message)
        if problem not in self._problems:
            self._problems.append(problem)


def _saved(given: Lined) -> Iterator[str]:
    """Names that calls give values to, anywhere in the steps."""
    pending: list[Lined] = [given]
    while pending:
        each = pending.pop()
        if isinstance(each.value, list):
            pending += each.value
        elif isinstance(each.value, dict):
            saved = each.get("save") if each.get("call") else None
            yield from (str(name) for name, _ in (saved.items() if saved else ()))
            pending += each.value.values()
