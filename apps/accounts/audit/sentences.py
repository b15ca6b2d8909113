"""What each action reads like, one sentence an action; a test finds every action that has none.

A sentence may name `actor`, `object`, any key of the entry's `detail`, and `before_X` and `after_X` for what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import AuditEntry

SENTENCES: dict[str, Promise] = {
    "api_key.created": gettext_lazy("%(actor)s created the API key “%(object)s” with the scopes %(scopes)s."),
    "api_key.revoked": gettext_lazy("%(actor)s revoked the API key “%(object)s”."),
    "membership.created": gettext_lazy("%(object)s became a member with the role %(role)s."),
    # What the database's triggers write: a change that went along with an act, or that no service knows of.
    "row.inserted": gettext_lazy("%(actor)s added %(type)s “%(object)s” as part of the same act."),
    "row.updated": gettext_lazy("%(actor)s changed %(type)s “%(object)s” as part of the same act."),
    "row.deleted": gettext_lazy("%(actor)s removed %(type)s “%(object)s” as part of the same act."),
    "database.inserted": gettext_lazy(
        "%(type)s “%(object)s” was added outside the application by the database role %(database_role)s."
    ),
    "database.updated": gettext_lazy(
        "%(type)s “%(object)s” was changed outside the application by the database role %(database_role)s."
    ),
    "database.deleted": gettext_lazy(
        "%(type)s “%(object)s” was removed outside the application by the database role %(database_role)s."
    ),
}


class _Words(dict[str, str]):
    """An old entry may lack what a newer sentence says: a dash then, and no error."""

    def __missing__(self, key: str) -> str:
        return "–"


def sentence(entry: AuditEntry) -> str:
    """The entry in plain words, in the reader's language."""
    words = _Words(_spoken(entry.detail))
    for side, values in (("before", entry.before), ("after", entry.after)):
        words |= {f"{side}_{name}": text for name, text in _spoken(values or {}).items()}
    words |= {"actor": actor_words(entry), "object": entry.object_name or str(entry.object_id)}
    words |= {"type": entry.object_type.rpartition(".")[2], "action": entry.action}
    template = SENTENCES.get(entry.action) or _("%(actor)s did %(action)s to “%(object)s”.")
    return str(template) % words


def actor_words(entry: AuditEntry) -> str:
    """Who acted, and for whom, if staff acted as somebody else."""
    name = entry.actor_name or _("Somebody unknown")
    if entry.impersonator_id:
        return _("%(staff)s, acting as %(name)s,") % {"staff": entry.impersonator_name or "–", "name": name}
    return name


def _spoken(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    match value:
        case None | "" | []:
            return _("none")
        case bool():
            return _("yes") if value else _("no")
        case list():
            return ", ".join(map(_text, value))
        case dict():
            return ", ".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    return str(value)
