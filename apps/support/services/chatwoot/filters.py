"""Chatwoot's filters: conditions one after the other, each tied to the next by AND or OR, of which AND binds first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact, IContains
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_noop

from apps.core.errors import InvalidRequest, NotFound
from apps.support.models import ConversationStatus, Numbered, Priority
from apps.support.services.assignment import NO_AGENT, NO_TEAM
from apps.support.services.inboxes import NO_INBOX
from apps.support.services.numbers import number_in, row_of

MOST_CONDITIONS, MOST_VALUES, LONGEST_VALUE, MOST_DAYS = 20, 50, 200, 36_500
BAD_CONDITION = gettext_noop("A condition is an attribute_key, a filter_operator and values.")
Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """What may be asked of: the column, how a value is read, and the operators that fit it."""

    column: str
    read: Reader
    operators: frozenset[str]
    # What a row without it has there.
    empty: Any = None
    # The name of a custom attribute.
    key: str = ""


def _text(value: Any) -> str:
    text = str(value)
    if not 0 < len(text) <= LONGEST_VALUE or "\0" in text:
        raise InvalidRequest(BAD_CONDITION, param="values")
    return text


def _whole(value: Any) -> int:
    number = number_in(str(value))
    if number is None:
        raise InvalidRequest(BAD_CONDITION, param="values")
    return number


def _flag(value: Any) -> bool:
    if str(value).lower() not in ("true", "false"):
        raise InvalidRequest(BAD_CONDITION, param="values")
    return str(value).lower() == "true"


def _status(value: Any) -> str:
    if value not in ConversationStatus.values:
        raise InvalidRequest("There is no such status.", param="values")
    return str(value)


def priority_of(value: Any) -> int:
    """By its name; raises InvalidRequest."""
    names = [each.lower() for each in Priority.names]
    if str(value) not in names:
        raise InvalidRequest("There is no such priority.", param="priority")
    return int(Priority.values[names.index(str(value))])


def _moment(value: Any) -> datetime:
    try:
        found = parse_datetime(str(value))
        day = parse_date(str(value)) if found is None else None
    except ValueError:
        found = day = None
    if day is not None:
        found = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if found is None:
        raise InvalidRequest("A day is like 2026-12-25.", param="values")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def row_reader(kind: Numbered, missing: str, param: str = "values") -> Reader:
    """Reads the id of a row by its number; what it gives raises InvalidRequest."""

    def read(value: Any) -> Any:
        try:
            return row_of(kind, str(value), missing)
        except NotFound:
            raise InvalidRequest(missing, param=param) from None

    return read


_SAME = frozenset({"equal_to", "not_equal_to"})
_THERE = _SAME | {"is_present", "is_not_present"}
_WORDS = _THERE | {"contains", "does_not_contain", "starts_with"}
_TIMES = frozenset({"is_greater_than", "is_less_than", "days_before"})
CONVERSATIONS = {
    "status": Field("status", _status, _SAME),
    "assignee_id": Field("assignee__user", row_reader(Numbered.USER, NO_AGENT), _THERE),
    "inbox_id": Field("inbox", row_reader(Numbered.INBOX, NO_INBOX), _THERE),
    "team_id": Field("team", row_reader(Numbered.TEAM, NO_TEAM), _THERE),
    "priority": Field("priority", priority_of, _THERE, int(Priority.NONE)),
    "display_id": Field("number", _whole, _SAME),
    "labels": Field("labels", _text, _THERE, []),
    "mail_subject": Field("subject", _text, _WORDS, ""),
    "created_at": Field("created_at", _moment, _TIMES),
    "last_activity_at": Field("active_at", _moment, _TIMES),
}
CONTACTS = {
    "name": Field("name", _text, _WORDS, ""),
    "email": Field("email", _text, _WORDS, ""),
    "phone_number": Field("phone", _text, _WORDS, ""),
    "identifier": Field("identifier", _text, _WORDS, ""),
    "labels": Field("labels", _text, _THERE, []),
    "created_at": Field("created_at", _moment, _TIMES),
    "last_activity_at": Field("last_seen_at", _moment, _TIMES),
    "blocked": Field("blocked_at", _flag, _SAME),
}


def asked_for(fields: Mapping[str, Field], conditions: Sequence[Any]) -> Q:
    """The conditions as one, in scope; raises InvalidRequest. What is no known attribute is one of the custom ones."""
    if not 0 < len(conditions) <= MOST_CONDITIONS:
        raise InvalidRequest(
            "A filter has 1 to %(most)s conditions.", values={"most": MOST_CONDITIONS}, param="payload"
        )
    either, every = Q(pk=None), Q()
    for place, each in enumerate(conditions):
        if not isinstance(each, dict):
            raise InvalidRequest(BAD_CONDITION, param="payload")
        every &= _condition(fields, each)
        ends = place == len(conditions) - 1
        tie = str(each.get("query_operator") or "and").lower()
        if tie not in ("and", "or"):
            raise InvalidRequest("Conditions are tied by AND or OR.", param="query_operator")
        if ends or tie == "or":
            either, every = either | every, Q()
    return either


def _condition(fields: Mapping[str, Field], given: Mapping[str, Any]) -> Q:
    name, operator = str(given.get("attribute_key") or ""), str(given.get("filter_operator") or "")
    values = given.get("values", [])
    values = values if isinstance(values, list) else [values]
    # Some clients send what was picked from a list whole.
    values = [each.get("id") if isinstance(each, dict) else each for each in values]
    field = fields.get(name) or _custom(name)
    if operator not in field.operators:
        raise InvalidRequest("%(name)s is not asked for that way.", values={"name": name[:60]}, param="filter_operator")
    if operator in ("is_present", "is_not_present"):
        return _present(field, wanted=operator == "is_present")
    if not 0 < len(values) <= MOST_VALUES:
        raise InvalidRequest(BAD_CONDITION, param="values")
    if operator in _TIMES:
        return _time(field, operator, values[0])
    found = Q(pk=None)
    for value in values:
        found |= _matching(field, operator, field.read(value))
    return ~found if operator in ("not_equal_to", "does_not_contain") else found


def _custom(name: str) -> Field:
    if not name or len(name) > 60 or not name.isprintable():
        raise InvalidRequest("There is no field %(name)s.", values={"name": name[:60]}, param="attribute_key")
    return Field("attributes", _text, _THERE | {"contains", "does_not_contain"}, key=name)


def _present(field: Field, *, wanted: bool) -> Q:
    if field.key:
        there = Q(attributes__has_key=field.key)
    elif field.empty is not None:
        there = ~Q(**{field.column: field.empty})
    else:
        there = Q(**{f"{field.column}__isnull": False})
    return there if wanted else ~there


def _matching(field: Field, operator: str, value: Any) -> Q:
    if field.column == "labels":
        return Q(labels__contains=[value])
    if field.column == "blocked_at":
        return Q(blocked_at__isnull=not value)
    if field.key:
        # A text, a number or a truth value, which filters send as texts.
        lookup = IContains if operator in ("contains", "does_not_contain") else Exact
        return Q(lookup(KeyTextTransform(field.key, "attributes"), value))
    if not isinstance(value, str) or field.column == "status":
        return Q(**{field.column: value})
    how = {"contains": "icontains", "does_not_contain": "icontains", "starts_with": "istartswith"}
    return Q(**{f"{field.column}__{how.get(operator, 'iexact')}": value})


def _time(field: Field, operator: str, value: Any) -> Q:
    if operator == "days_before":
        days = _whole(value)
        if days > MOST_DAYS:
            raise InvalidRequest(BAD_CONDITION, param="values")
        return Q(**{f"{field.column}__lt": timezone.now() - timedelta(days=days)})
    return Q(**{f"{field.column}__{'gt' if operator == 'is_greater_than' else 'lt'}": field.read(value)})
