"""What telling of rules and macros needs, asked for once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.accounts.models import Membership
from apps.support.models import AttributeDefinition, AttributeOf, AutomationRule, Macro, Numbered
from apps.support.services.numbers import Numbers

MODELS = {AttributeOf.CONTACT: "contact_attribute", AttributeOf.CONVERSATION: "conversation_attribute"}


@dataclass(frozen=True, slots=True)
class Known:
    """`people` are those behind members, and `models` whose the attributes that are defined are, by their keys."""

    numbers: Numbers
    people: Mapping[str, UUID]
    models: Mapping[str, str]


def known_of(numbers: Numbers, rows: Iterable[AutomationRule | Macro]) -> Known:
    """In scope; the numbers that they take are asked for together."""
    actions = [each for row in rows for each in row.actions]
    conditions = [each for row in rows for each in getattr(row, "conditions", ())]
    agents = {str(each["value"]) for each in actions if each["action"] == "assign_agent"}
    people = {str(pk): user for pk, user in Membership.objects.filter(pk__in=agents).values_list("pk", "user")}
    teams = [each["value"] for each in actions if each["action"] == "assign_team"]
    numbers.want(Numbered.USER, people.values())
    numbers.want(Numbered.TEAM, _ids([*teams, *(each["value"] for each in conditions if each["field"] == "team")]))
    numbers.want(Numbered.INBOX, _ids(each["value"] for each in conditions if each["field"] == "inbox"))
    keys = AttributeDefinition.objects.values_list("key", "of") if conditions else ()
    return Known(numbers, people, {key: MODELS[AttributeOf(of)] for key, of in keys})


def _ids(values: Iterable[Any]) -> list[UUID]:
    return [found for value in values if (found := id_in(value)) is not None]


def id_in(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
