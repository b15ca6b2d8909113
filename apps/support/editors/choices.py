"""What may be chosen as a value in rules and macros, and how conditions and actions read in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Membership, Team
from apps.support import automation
from apps.support.access import WRITE
from apps.support.models import ConversationStatus, Inbox, Label, Priority

MOST = 200
TEXT, NUMBER, NOTHING, ATTRIBUTE = "text", "number", "nothing", "attribute"
FIELDS: dict[str, Any] = {
    "content": _("what was written"),
    "subject": _("the subject"),
    "inbox": _("the inbox"),
    "status": _("the status"),
    "priority": _("the priority"),
    "labels": _("the list of labels"),
    "team": _("the team"),
    "assigned": _("somebody has it"),
    "in_hours": _("it is within business hours"),
    "verified": _("the contact is verified"),
    "language": _("the contact's language"),
    "email": _("the contact's e-mail address"),
    ATTRIBUTE: _("an attribute"),
}
OPERATORS: dict[str, Any] = {
    "is": _("is"),
    "is_not": _("is not"),
    "contains": _("contains"),
    "contains_not": _("does not contain"),
    "begins_with": _("begins with"),
    "at_least": _("is at least"),
    "at_most": _("is at most"),
    "is_empty": _("is empty"),
}
# Where the values of a field or an action come from; the others are written.
FIELD_SOURCES = {
    "inbox": "inbox",
    "status": "status",
    "team": "team",
    "labels": "label",
    "priority": "priority",
    "assigned": "truth",
    "in_hours": "truth",
    "verified": "truth",
}
ACTION_SOURCES = {
    "set_priority": "priority",
    "add_label": "label",
    "remove_label": "label",
    "assign_team": "team",
    "assign_agent": "agent",
    "set_status": "outcome",
    "require_skill": TEXT,
    "snooze_hours": NUMBER,
    "add_note": TEXT,
    "reply": TEXT,
}
GROUPS: dict[str, Any] = {
    "inbox": _("Inboxes"),
    "status": _("Status"),
    "outcome": _("Status"),
    "priority": _("Priority"),
    "label": _("Labels"),
    "team": _("Teams"),
    "agent": _("Agents"),
    "truth": _("Yes or no"),
}
OF_CONDITIONS = ("inbox", "status", "priority", "label", "team", "truth")
OF_ACTIONS = ("priority", "label", "team", "agent", "outcome")


def source_of(name: str, operator: str) -> str:
    """Where the value of a condition comes from."""
    if operator == "is_empty":
        return NOTHING
    source = FIELD_SOURCES.get(name, TEXT)
    # A part of an id or of a status is no choice.
    if automation.FIELDS.get(name) == automation.TEXT and operator not in ("is", "is_not"):
        return TEXT
    return source


@dataclass
class Choices:
    """Values by their source, as they are stored, with the names that people know them by."""

    named: dict[str, dict[Any, str]] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Choices:
        """In the organization's scope."""
        members = Membership.objects.select_related("user", "custom_role").order_by("user__email")
        return cls(
            {
                "inbox": {str(row.pk): row.name for row in Inbox.objects.filter(archived_at=None).order_by("name")},
                "status": {value: str(name) for value, name in ConversationStatus.choices},
                "outcome": {value: str(ConversationStatus(value).label) for value in automation.STATUSES},
                "priority": {value: str(name) for value, name in Priority.choices},
                "label": {row.title: row.title for row in Label.objects.order_by("title")},
                "team": {str(row.pk): row.name for row in Team.objects.order_by("name")[:MOST]},
                "agent": {str(row.pk): row.user.email for row in members[:MOST] if WRITE in row.permissions},
                "truth": {True: gettext("yes"), False: gettext("no")},
            }
        )

    def options(self, sources: Iterable[str], kept: Iterable[str] = ()) -> list[Any]:
        """As a select has them; `kept` are options that are set up already, though what they name is gone."""
        groups = [
            (GROUPS[source], [(option(source, value), name) for value, name in self.named[source].items()])
            for source in sources
            if self.named[source]
        ]
        known = {each for _group, some in groups for each, _name in some}
        gone = [(each, gettext("no longer there")) for each in sorted(set(kept) - known) if each]
        return [("", gettext("Choose …")), *groups, *([(gettext("Gone"), gone)] if gone else [])]

    def value(self, source: str, chosen: str) -> Any:
        """What an option, or what somebody has typed instead of choosing, stands for; raises KeyError."""
        said = chosen.removeprefix(f"{source}:").casefold()
        for value, name in self.named[source].items():
            if option(source, value).casefold() == chosen.casefold() or str(name).casefold() == said:
                return value
        raise KeyError(chosen)

    def word(self, source: str, value: Any) -> str:
        if source in (TEXT, NUMBER):
            return str(value)
        return str(self.named[source].get(value, value))

    def condition(self, condition: Mapping[str, Any]) -> str:
        """Such as: the priority is at least high."""
        name, operator = condition["field"], condition["operator"]
        told = name.removeprefix(automation.ATTRIBUTE) if name.startswith(automation.ATTRIBUTE) else str(FIELDS[name])
        source = source_of(name, operator)
        value = "" if source == NOTHING else self.word(source, condition.get("value"))
        return " ".join(filter(None, (told, str(OPERATORS[operator]), f"“{value}”" if source == TEXT else value)))

    def action(self, action: Mapping[str, Any]) -> str:
        """Such as: set the priority: high."""
        word = self.word(ACTION_SOURCES[action["action"]], action["value"])
        return f"{automation.ACTIONS[action['action']]}: {word}"


def option(source: str, value: Any) -> str:
    if source == "truth":
        value = "yes" if value else "no"
    return f"{source}:{value}"


def facts() -> dict[str, Any]:
    """For the page's script: which operators fit a field, and where its values come from."""
    kinds = {name: automation.FIELDS.get(name, automation.TEXT) for name in FIELDS}
    fitting = {name: automation.OPERATORS[kind] for name, kind in kinds.items()}
    return {
        "fields": {name: {each: source_of(name, each) for each in some} for name, some in fitting.items()},
        "actions": ACTION_SOURCES,
    }
