"""What things are called there, and how messages are numbered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.support.models import ConversationStatus, InboxKind, MessageKind, Numbered, Priority
from apps.support.services.numbers import Numbers

# A conversation has fewer messages than this, and a message fewer files than that.
APART, FILES_APART = 1_000_000, 100
CHANNELS = {
    InboxKind.WIDGET: "Channel::WebWidget",
    InboxKind.EMAIL: "Channel::Email",
    InboxKind.API: "Channel::Api",
}
TYPES = {MessageKind.INCOMING: "incoming", MessageKind.OUTGOING: "outgoing", MessageKind.NOTE: "outgoing"}
NUMBERS = {"incoming": 0, "outgoing": 1, "activity": 2}
PRIORITIES = {value: None if value == Priority.NONE else name.lower() for name, value in zip(
    Priority.names, Priority.values, strict=True)}  # fmt: skip
STATUSES = tuple(ConversationStatus.values)
# What a conversation's fields are called there; what is not among them is told under our own name.
FIELDS = {"attributes": "custom_attributes", "labels": "label_list", "assignee": "assignee_id", "team": "team_id"}
INBOX_FIELDS = {
    "name": "name",
    "greeting": "greeting_message",
    "away_message": "out_of_office_message",
    "hours": "working_hours_enabled",
    "auto_assignment": "enable_auto_assignment",
    "csat_enabled": "csat_survey_enabled",
    "hmac_required": "hmac_mandatory",
}
CONTACT_FIELDS = {"phone": "phone_number", "attributes": "custom_attributes"}


def message_id(number: int, sequence: int) -> int:
    """A number that no other message of the account has, made of the conversation's and its place there."""
    return number * APART + sequence


def place_of(id: int) -> tuple[int, int]:
    """The conversation's number and the message's place there, of a message's id."""
    return divmod(id, APART)


def changes_of(
    changes: Mapping[str, Any], numbers: Numbers | None = None, people: Mapping[str, UUID] | None = None
) -> list[dict[str, Any]]:
    """`changed_attributes`, of what an activity holds; `people` are the members behind the assignees in it."""
    found = []
    for name, pair in sorted(changes.items()):
        before, after = (_told(name, value, numbers, people or {}) for value in pair)
        found.append({FIELDS.get(name, name): {"previous_value": before, "current_value": after}})
    return found


def _told(name: str, value: Any, numbers: Numbers | None, people: Mapping[str, UUID]) -> Any:
    if value is None or numbers is None:
        return value
    if name == "team":
        return numbers(Numbered.TEAM, UUID(value))
    if name == "assignee":
        return numbers(Numbered.USER, people[value]) if value in people else None
    return PRIORITIES.get(value) if name == "priority" else value


def seconds(moment: datetime | None) -> int:
    return int(moment.timestamp()) if moment and moment <= timezone.now() else 0
