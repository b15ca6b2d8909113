"""Actions of Chatwoot's automation rules and macros as actions of the desk's, and back; see `conditions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_noop

from apps.accounts.models import Membership
from apps.core.errors import InvalidRequest
from apps.support import automation
from apps.support.errors import NoCounterpart
from apps.support.models import ConversationStatus, Numbered, Priority
from apps.support.services.assignment import NO_AGENT, NO_TEAM
from apps.support.services.chatwoot.conditions import NO_COUNTERPART
from apps.support.services.chatwoot.filters import Reader, priority_of, row_reader
from apps.support.services.chatwoot.known import Known

BAD_ACTION = gettext_noop("An action is an action_name and action_params.")
Action = dict[str, Any]
NOBODY = frozenset({"", "0", "nil", "null", "none"})


def actions_of(given: Sequence[Any]) -> list[Action]:
    """The desk's, in scope; raises NoCounterpart and InvalidRequest."""
    found: list[Action] = []
    for each in given:
        if not isinstance(each, Mapping):
            raise InvalidRequest(BAD_ACTION, param="actions")
        params = each.get("action_params") or []
        found += _actions(str(each.get("action_name") or ""), params if isinstance(params, list) else [params])
    return found


def told_actions(actions: Sequence[Mapping[str, Any]], known: Known) -> list[Action]:
    """Chatwoot's; labels that follow each other are one action, as there."""
    found: list[Action] = []
    for each in actions:
        told = _told(str(each["action"]), each["value"], known)
        if found and told["action_name"] in _LABELS and found[-1]["action_name"] == told["action_name"]:
            found[-1]["action_params"] += told["action_params"]
        else:
            found.append(told)
    return found


# ---------------------------------------------------------------- from there


def _actions(name: str, params: list[Any]) -> list[Action]:
    if name in _LABELS:
        return [{"action": name, "value": str(each)} for each in params] or _refuse()
    if name in _STATUSES:
        return [{"action": "set_status", "value": _STATUSES[name]}]
    if name in _READ:
        ours, read = _READ[name]
        return [{"action": ours, "value": read(_only(params))}]
    if name in automation.ACTIONS:
        return [{"action": name, "value": _only(params)}]
    raise _missing(name or "action_name")


def _refuse() -> list[Action]:
    raise InvalidRequest(BAD_ACTION, param="actions")


def _only(params: list[Any]) -> Any:
    if len(params) != 1:
        raise InvalidRequest(BAD_ACTION, param="actions")
    # Some clients send what was picked from a list whole.
    return params[0].get("id") if isinstance(params[0], Mapping) else params[0]


def _missing(name: str) -> NoCounterpart:
    return NoCounterpart(NO_COUNTERPART, values={"name": name[:80]}, param="actions")


def _team(value: Any) -> str:
    if str(value).lower() in NOBODY or value is None:
        raise _missing("assign_team nil")
    return str(_team_by(value))


def _agent(value: Any) -> str:
    if str(value) in ("self", "last_responding_agent") or value is None or str(value).lower() in NOBODY:
        raise _missing(f"assign_agent {'nil' if value is None else value}")
    id = _user_by(value)
    found: UUID | None = Membership.objects.filter(Q(user=id) | Q(pk=id)).values_list("pk", flat=True).first()
    if found is None:
        raise InvalidRequest(NO_AGENT, param="actions")
    return str(found)


_team_by = row_reader(Numbered.TEAM, NO_TEAM, "actions")
_user_by = row_reader(Numbered.USER, NO_AGENT, "actions")


def _priority(value: Any) -> int:
    return int(Priority.NONE) if value is None or str(value).lower() in NOBODY else priority_of(value)


def _status(value: Any) -> str:
    if value not in automation.STATUSES:
        raise _missing(f"change_status {value}")
    return str(value)


_LABELS = frozenset({"add_label", "remove_label"})
_STATUSES = {
    "resolve_conversation": ConversationStatus.RESOLVED.value,
    "open_conversation": ConversationStatus.OPEN.value,
}
_READ: dict[str, tuple[str, Reader]] = {
    "assign_team": ("assign_team", _team),
    "assign_agent": ("assign_agent", _agent),
    "change_priority": ("set_priority", _priority),
    "change_status": ("set_status", _status),
    "send_message": ("reply", str),
    "add_private_note": ("add_note", str),
}


# ---------------------------------------------------------------- to there


def _told(name: str, value: Any, known: Known) -> Action:
    if name == "set_status":
        # Every version of Chatwoot knows these two.
        resolves = value == ConversationStatus.RESOLVED
        return _action("resolve_conversation") if resolves else _action("change_status", value)
    if name == "set_priority":
        return _action("change_priority", Priority(value).name.lower() if value else "nil")
    if name == "assign_team":
        return _action(name, known.numbers(Numbered.TEAM, UUID(value)))
    if name == "assign_agent":
        # Of one who has left the id is told, which finds nobody.
        user = known.people.get(value)
        return _action(name, known.numbers(Numbered.USER, user) if user else value)
    theirs = {"reply": "send_message", "add_note": "add_private_note"}
    return _action(theirs.get(name, name), value)


def _action(name: str, *params: Any) -> Action:
    return {"action_name": name, "action_params": list(params)}
