"""Conditions of Chatwoot's automation rules as conditions of the desk's, and back.

All of the desk's conditions must hold, and each compares with one value: what has no counterpart is refused by name.
What the desk knows and Chatwoot does not is told under the desk's own names, and taken by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop

from apps.core.errors import InvalidRequest
from apps.support import automation
from apps.support.automation import ATTRIBUTE, NUMBER, TEXT, TRUTH, WORDS
from apps.support.errors import NoCounterpart
from apps.support.models import AttributeDefinition, AttributeOf, Numbered, Priority
from apps.support.services.assignment import NO_TEAM
from apps.support.services.chatwoot.filters import BAD_CONDITION, Reader, priority_of, row_reader
from apps.support.services.chatwoot.known import MODELS, Known, id_in
from apps.support.services.inboxes import NO_INBOX

NO_COUNTERPART = gettext_noop("The desk has no counterpart of %(name)s.")
Condition = dict[str, Any]
# Which of Chatwoot's attributes each field is.
KEYS = {
    "content": "content",
    "subject": "mail_subject",
    "email": "email",
    "language": "browser_language",
    "status": "status",
    "inbox": "inbox_id",
    "team": "team_id",
    "labels": "labels",
    "priority": "priority",
}
FIELDS = {theirs: ours for ours, theirs in KEYS.items()}
ASSIGNEE, MESSAGE_TYPE, INCOMING = "assignee_id", "message_type", "incoming"
OPERATORS = {
    TEXT: {
        "equal_to": "is",
        "not_equal_to": "is_not",
        "contains": "contains",
        "does_not_contain": "contains_not",
        "starts_with": "begins_with",
    },
    WORDS: {"equal_to": "contains", "not_equal_to": "contains_not"},
    NUMBER: {"equal_to": "is", "not_equal_to": "is_not"},
    TRUTH: {},
}
_TYPE = "custom_attribute_type"
# None of several values is as many conditions; any of them is none.
EACH = frozenset({"not_equal_to", "does_not_contain"})
THERE, NOT_THERE = "is_present", "is_not_present"
# Whether there is anything, as our operator and value.
PRESENCE = {
    (TEXT, THERE): ("is_not", ""),
    (TEXT, NOT_THERE): ("is_empty", ""),
    (WORDS, NOT_THERE): ("is_empty", ""),
    (NUMBER, THERE): ("is_not", int(Priority.NONE)),
    (NUMBER, NOT_THERE): ("is", int(Priority.NONE)),
}


@dataclass(frozen=True, slots=True)
class _Given:
    """One condition as Chatwoot writes it."""

    key: str
    operator: str
    values: list[Any]
    attribute_type: str


def conditions_of(event: str, given: Sequence[Any]) -> list[Condition]:
    """The desk's, in scope; raises NoCounterpart and InvalidRequest."""
    found: list[Condition] = []
    for place, each in enumerate(given):
        if not isinstance(each, Mapping):
            raise InvalidRequest(BAD_CONDITION, param="conditions")
        if place < len(given) - 1 and str(each.get("query_operator") or "and").lower() != "and":
            raise NoCounterpart("All conditions of a rule must hold: the desk knows no OR.", param="conditions")
        found += _condition(event, _given(each))
    return found


def told_conditions(event: str, conditions: Sequence[Mapping[str, Any]], known: Known) -> list[Condition]:
    """Chatwoot's. Of messages the desk's rules are asked where a contact writes, which is then one of them."""
    told = [_told(each, known) for each in conditions]
    if event == "message_created":
        told.insert(0, {"attribute_key": MESSAGE_TYPE, "filter_operator": "equal_to", "values": [INCOMING]})
    last = len(told) - 1
    return [each | {"query_operator": "and" if place < last else None} for place, each in enumerate(told)]


# ---------------------------------------------------------------- from there


def _given(each: Mapping[str, Any]) -> _Given:
    values = each.get("values", [])
    values = values if isinstance(values, list) else [values]
    # Some clients send what was picked from a list whole.
    values = [value.get("id") if isinstance(value, Mapping) else value for value in values]
    key, operator, of = (str(each.get(name) or "") for name in ("attribute_key", "filter_operator", _TYPE))
    return _Given(key, operator, values, of)


def _condition(event: str, given: _Given) -> list[Condition]:
    if given.key == MESSAGE_TYPE and event == "message_created":
        if (given.operator, given.values) != ("equal_to", [INCOMING]):
            raise _missing(f"{MESSAGE_TYPE} {given.operator}")
        return []
    if given.key == ASSIGNEE:
        if given.operator not in (THERE, NOT_THERE):
            raise _missing(f"{ASSIGNEE} {given.operator}")
        return [{"field": "assigned", "operator": "is", "value": given.operator == THERE}]
    field = _field(given)
    kind = automation.FIELDS.get(field, TEXT)
    if presence := PRESENCE.get((kind, given.operator)):
        return [{"field": field, "operator": presence[0], "value": presence[1]}]
    operator = OPERATORS[kind].get(given.operator, given.operator)
    if operator not in automation.OPERATORS[kind]:
        raise _missing(f"{given.key} {given.operator}")
    if operator == "is_empty":
        return [{"field": field, "operator": operator, "value": ""}]
    if not given.values:
        raise InvalidRequest(BAD_CONDITION, param="conditions")
    if len(given.values) > 1 and given.operator not in EACH:
        raise NoCounterpart("A condition compares with one value: make a rule for each.", param="conditions")
    read: Reader = _READ.get(field, _as_it_is if kind == TRUTH else str)
    return [{"field": field, "operator": operator, "value": read(value)} for value in given.values]


def _field(given: _Given) -> str:
    if given.key in FIELDS:
        return FIELDS[given.key]
    if given.key in automation.FIELDS:
        return given.key
    if given.attribute_type in MODELS.values() or AttributeDefinition.objects.filter(key=given.key).exists():
        return ATTRIBUTE + given.key
    raise _missing(given.key or "attribute_key")


def _missing(name: str) -> NoCounterpart:
    return NoCounterpart(NO_COUNTERPART, values={"name": name[:80]}, param="conditions")


def _as_it_is(value: Any) -> Any:
    return value


def _priority(value: Any) -> int:
    if value in (None, "nil", ""):
        return int(Priority.NONE)
    return value if isinstance(value, int) and not isinstance(value, bool) else priority_of(value)


def _text_of(read: Reader) -> Reader:
    return lambda value: str(read(value))


_READ: dict[str, Reader] = {
    "inbox": _text_of(row_reader(Numbered.INBOX, NO_INBOX, "conditions")),
    "team": _text_of(row_reader(Numbered.TEAM, NO_TEAM, "conditions")),
    "priority": _priority,
}


# ---------------------------------------------------------------- to there


def _told(condition: Mapping[str, Any], known: Known) -> Condition:
    field, operator, value = str(condition["field"]), str(condition["operator"]), condition.get("value", "")
    if field == "assigned":
        return _body(ASSIGNEE, THERE if value else NOT_THERE)
    kind, name = automation.FIELDS.get(field, TEXT), field.removeprefix(ATTRIBUTE)
    more = {}
    if field.startswith(ATTRIBUTE):
        more[_TYPE] = known.models.get(name, MODELS[AttributeOf.CONTACT])
    # A text that is nothing, and one that is empty, are the same.
    ours = ("is_empty", "") if kind == TEXT and (operator, value) == ("is", "") else (operator, value)
    presence = next((theirs for (of, theirs), each in PRESENCE.items() if (of, each) == (kind, ours)), "")
    if presence:
        return _body(KEYS.get(field, name), presence) | more
    theirs = next((theirs for theirs, each in OPERATORS[kind].items() if each == operator), operator)
    return _body(KEYS.get(field, name), theirs, _value(field, value, known)) | more


def _body(key: str, operator: str, *values: Any) -> Condition:
    return {"attribute_key": key, "filter_operator": operator, "values": list(values)}


def _value(field: str, value: Any, known: Known) -> Any:
    if field == "priority":
        return Priority(value).name.lower() if value in Priority.values else value
    kind = {"inbox": Numbered.INBOX, "team": Numbered.TEAM}.get(field)
    id = id_in(value) if kind else None
    # A part of an id means nothing there.
    return value if kind is None or id is None else known.numbers(kind, id)
