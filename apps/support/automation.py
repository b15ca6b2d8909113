"""Rules and macros as data: whether conditions hold, and what is to be done then. Pure, without database.

A rule is an event, conditions that must all hold, and actions. A condition is
`{"field": …, "operator": …, "value": …}`, an action `{"action": …, "value": …}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

EVENTS = {
    "conversation_created": _("a conversation begins"),
    "conversation_opened": _("a conversation is opened for people"),
    "conversation_resolved": _("a conversation is resolved"),
    "message_created": _("a contact writes"),
}
# What is known of a conversation when a rule is looked at.
TEXT, WORDS, NUMBER, TRUTH = "text", "words", "number", "truth"
FIELDS: dict[str, str] = {
    "content": TEXT,
    "subject": TEXT,
    "inbox": TEXT,
    "status": TEXT,
    "team": TEXT,
    "language": TEXT,
    "email": TEXT,
    "labels": WORDS,
    "priority": NUMBER,
    "assigned": TRUTH,
    "in_hours": TRUTH,
    "verified": TRUTH,
}
OPERATORS: dict[str, tuple[str, ...]] = {
    TEXT: ("is", "is_not", "contains", "contains_not", "begins_with", "is_empty"),
    WORDS: ("contains", "contains_not", "is_empty"),
    NUMBER: ("is", "is_not", "at_least", "at_most"),
    TRUTH: ("is",),
}
ACTIONS = {
    "set_priority": _("set the priority"),
    "add_label": _("add a label"),
    "remove_label": _("remove a label"),
    "assign_team": _("give it to a team"),
    "assign_agent": _("give it to an agent"),
    "require_skill": _("require a skill"),
    "set_status": _("set the status"),
    "snooze_hours": _("snooze it for some hours"),
    "add_note": _("write a note"),
    "reply": _("send a ready text"),
}
STATUSES = ("open", "resolved")
MOST_CONDITIONS, MOST_ACTIONS, LONGEST_VALUE = 10, 10, 2_000
MOST_HOURS = 24 * 365
ATTRIBUTE = "attribute."
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BAD_EVENT = gettext_noop("There is no such event for a rule.")
BAD_CONDITION = gettext_noop("A condition has a known field, an operator that fits it, and a value of its kind.")
BAD_ACTION = gettext_noop("An action has a known name, and a value of its kind.")
TOO_MANY = gettext_noop("A rule has at least one action, and at most ten conditions and ten actions.")


class RuleInvalid(ValueError):
    """What is wrong, as a message for people, in English."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is looked at; `id` tells which one has acted."""

    id: str
    event: str
    conditions: tuple[Mapping[str, Any], ...]
    actions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """A rule whose conditions hold."""

    rule: str
    actions: tuple[Mapping[str, Any], ...]


def evaluate(rules: Sequence[Rule], event: str, facts: Mapping[str, Any]) -> list[Matched]:
    """The rules for an event that hold, in their order; all are looked at before any is carried out."""
    return [Matched(rule.id, rule.actions) for rule in rules if rule.event == event and holds(rule.conditions, facts)]


def holds(conditions: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> bool:
    """Whether every condition does; without any, yes."""
    return all(_holds(each["field"], each["operator"], each.get("value"), facts) for each in conditions)


def _holds(field: str, operator: str, value: Any, facts: Mapping[str, Any]) -> bool:
    kind = _kind(field)
    known: Any
    if field.startswith(ATTRIBUTE):
        known = str(facts.get("attributes", {}).get(field.removeprefix(ATTRIBUTE), ""))
    else:
        known = facts.get(field)
    if kind == TEXT:
        return _TEXTS[operator](str(known or "").casefold(), str(value or "").casefold())
    if kind == WORDS:
        words = {str(each).casefold() for each in known or ()}
        found = str(value or "").casefold() in words
        return not words if operator == "is_empty" else found == (operator == "contains")
    if kind == NUMBER:
        return _NUMBERS[operator](known or 0, value)
    return bool(known) == value


_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "is": lambda known, value: known == value,
    "is_not": lambda known, value: known != value,
    "contains": lambda known, value: value in known,
    "contains_not": lambda known, value: value not in known,
    "begins_with": lambda known, value: known.startswith(value),
    "is_empty": lambda known, value: not known,
}
_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "is": lambda known, value: known == value,
    "is_not": lambda known, value: known != value,
    "at_least": lambda known, value: known >= value,
    "at_most": lambda known, value: known <= value,
}


def _kind(field: str) -> str:
    return TEXT if field.startswith(ATTRIBUTE) else FIELDS[field]


# ---------------------------------------------------------------- checking what somebody has set up


def checked_event(event: str) -> str:
    if event not in EVENTS:
        raise RuleInvalid(BAD_EVENT)
    return event


def checked_conditions(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or len(given) > MOST_CONDITIONS:
        raise RuleInvalid(TOO_MANY)
    return [_checked_condition(each) for each in given]


def _checked_condition(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping) or set(given) - {"field", "operator", "value"}:
        raise RuleInvalid(BAD_CONDITION)
    field, operator, value = given.get("field"), given.get("operator"), given.get("value", "")
    known = isinstance(field, str) and (field in FIELDS or (field.startswith(ATTRIBUTE) and len(field) < 80))
    if not known or operator not in OPERATORS[_kind(str(field))]:
        raise RuleInvalid(BAD_CONDITION)
    kind = _kind(str(field))
    right = {
        TEXT: isinstance(value, str) and len(value) <= LONGEST_VALUE,
        WORDS: isinstance(value, str) and len(value) <= LONGEST_VALUE,
        NUMBER: isinstance(value, int) and not isinstance(value, bool),
        TRUTH: isinstance(value, bool),
    }[kind]
    if not right or (value == "" and kind in (TEXT, WORDS) and operator not in ("is_empty", "is", "is_not")):
        raise RuleInvalid(BAD_CONDITION)
    return {"field": field, "operator": operator, "value": value}


def checked_actions(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_ACTIONS:
        raise RuleInvalid(TOO_MANY)
    return [_checked_action(each) for each in given]


def _checked_action(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping) or set(given) - {"action", "value"}:
        raise RuleInvalid(BAD_ACTION)
    name, value = given.get("action"), given.get("value")
    check = _VALUES.get(name) if isinstance(name, str) else None
    if check is None or not check(value):
        raise RuleInvalid(BAD_ACTION)
    return {"action": name, "value": value}


def _is_text(value: object, most: int = LONGEST_VALUE) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= most


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


_VALUES: dict[str, Callable[[object], bool]] = {
    "set_priority": lambda value: _is_whole(value, 0, 4),
    "add_label": lambda value: _is_text(value, 40),
    "remove_label": lambda value: _is_text(value, 40),
    "assign_team": _is_id,
    "assign_agent": _is_id,
    "require_skill": lambda value: _is_text(value, 40),
    "set_status": lambda value: value in STATUSES,
    "snooze_hours": lambda value: _is_whole(value, 1, MOST_HOURS),
    "add_note": _is_text,
    "reply": _is_text,
}
