"""What a desk is set up with, such as hours, promises, labels, ready texts and rules; all are written the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.support import automation, hours
from apps.support.access import MANAGE, READ, WRITE
from apps.support.automation import RuleInvalid
from apps.support.canned import unknown_names
from apps.support.hours import HoursInvalid
from apps.support.models import (
    AttributeDefinition,
    AttributeKind,
    AttributeOf,
    AutomationRule,
    BusinessHours,
    CannedReply,
    Contact,
    Conversation,
    Label,
    Macro,
    SlaPolicy,
)
from apps.support.services.assignment import membership_of
from apps.support.services.attributes import LONGEST_NAME

MISSING = gettext_noop("There is nothing with this id.")
MOST_OF_A_KIND = 500
# What is copied of a name leaves room for a number.
LONGEST_COPIED = 75
LONGEST_CONTENT, LONGEST_PROMISE, COLOURS = 5_000, 365 * 86_400, 8
MOST_CHOICES, LONGEST_CHOICE, LONGEST_ABOUT = 200, 200, 500
_KEY = re.compile(r"[\w.-]+")
# What contacts and conversations have of their own, as Chatwoot keeps the names free.
TAKEN = {
    AttributeOf.CONTACT: frozenset(
        "name email phone_number identifier country_code city company_name created_at last_activity_at referer "
        "blocked".split()
    ),
    AttributeOf.CONVERSATION: frozenset(
        "status priority assignee_id inbox_id team_id display_id campaign_id labels browser_language country_code "
        "referer created_at last_activity_at".split()
    ),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of setting: its table, the fields that may be set, and what they must be like."""

    name: str
    model: type[models.Model]
    title: str
    fields: tuple[str, ...]
    check: Callable[[dict[str, Any]], dict[str, Any]]


def create(actor: Actor, kind: str, values: Mapping[str, Any]) -> Any:
    what = _kind(kind)
    _require(actor, kind, values)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        if what.model._default_manager.count() >= MOST_OF_A_KIND:
            raise Conflict("There are %(most)s of these already.", values={"most": MOST_OF_A_KIND})
        checked = _checked(what, _defaults(what) | dict(values))
        made: Any = what.model(organization_id=actor.organization_id, **checked)
        if hasattr(what.model, "created_by_id"):
            made.created_by_id = actor.user_id
        if kind == "macro" and values.get("personal"):
            made.owner_id = membership_of(actor)
            if made.owner_id is None:
                # A macro that is nobody's own is everybody's.
                actor.require(MANAGE)
        _save(made, what)
        _record(actor, "created", what, made)
    return made


def copy(actor: Actor, kind: str, id: UUID) -> Any:
    """Another one like it, under its name with the first number that is free."""
    what = _kind(kind)
    with tenancy.scope(actor.organization_id):
        row = _find(actor, what, id)
        names = what.model._default_manager.values_list(what.title, flat=True)
        taken = {name.casefold() for name in names}
        base = getattr(row, what.title)[:LONGEST_COPIED]
        name = next(name for number in count(2) if (name := f"{base} {number}").casefold() not in taken)
        return create(actor, kind, {each: getattr(row, each) for each in what.fields} | {what.title: name})


def change(actor: Actor, kind: str, id: UUID, changes: Mapping[str, Any]) -> Any:
    what = _kind(kind)
    with tenancy.scope(actor.organization_id):
        row = _find(actor, what, id)
        before = {name: getattr(row, name) for name in what.fields}
        checked = _checked(what, before | dict(changes))
        changed = [name for name in what.fields if checked[name] != before[name]]
        for name in changed:
            setattr(row, name, checked[name])
        if changed:
            _save(row, what)
            if kind == "label" and "title" in changed:
                _rename_label(before["title"], row.title)
            _record(actor, "changed", what, row, changed=changed)
    return row


def delete(actor: Actor, kind: str, id: UUID) -> None:
    what = _kind(kind)
    with tenancy.scope(actor.organization_id):
        row = _find(actor, what, id)
        _record(actor, "deleted", what, row)
        row.delete()


def listing(actor: Actor, kind: str) -> Any:
    """Rows of a kind as a query, in the caller's scope, by their title; of macros those that the actor may run."""
    actor.require(READ)
    what = _kind(kind)
    rows = what.model._default_manager.all()
    if what.model is Macro:
        rows = rows.filter(models.Q(owner=None) | models.Q(owner=membership_of(actor)))
    return rows.order_by("position", "id") if what.model is AutomationRule else rows.order_by(what.title, "id")


def get(actor: Actor, kind: str, id: UUID) -> Any:
    with tenancy.scope(actor.organization_id):
        row = listing(actor, kind).filter(pk=id).first()
        if row is None:
            raise NotFound(MISSING)
        return row


def _find(actor: Actor, what: Kind, id: UUID) -> Any:
    """The row, held; of macros one's own are changed by whoever answers, and others' own ones are not there."""
    actor.require(WRITE if what.model is Macro else MANAGE)
    row: Any = what.model._default_manager.select_for_update(of=("self",)).filter(pk=id).first()
    owner = getattr(row, "owner_id", None)
    if row is None or owner not in (None, membership_of(actor)):
        raise NotFound(MISSING)
    if owner is None:
        actor.require(MANAGE)
    return row


def _require(actor: Actor, kind: str, values: Mapping[str, Any]) -> None:
    """Whoever answers may have macros of their own."""
    actor.require(WRITE if kind == "macro" and values.get("personal") else MANAGE)


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise NotFound(MISSING)
    return KINDS[name]


def _defaults(what: Kind) -> dict[str, Any]:
    made = what.model()
    return {name: getattr(made, name) for name in what.fields}


def _save(row: Any, what: Kind) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        # Two attributes may be called the same, and have keys of their own.
        param = "key" if what.model is AttributeDefinition else what.title
        raise Conflict("There is one with this name already.", param=param) from None
    row.refresh_from_db()


def _record(actor: Actor, act: str, what: Kind, row: Any, **more: Any) -> None:
    audit.record(actor, f"support_setting.{act}", row, kind=what.name, **more)
    events.record(f"support_setting.{act}", row.pk, {"kind": what.name, "name": str(row)[:80]})


def _rename_label(before: str, after: str) -> None:
    """In the order of their ids, as whoever holds several does; without the key, to which messages refer."""
    for marked in (Conversation, Contact):
        rows = marked.objects.filter(labels__contains=[before]).order_by("id")
        for row in rows.select_for_update(of=("self",), no_key=True):
            row.labels = sorted(after if each == before else each for each in row.labels)
            row.save(update_fields=["labels"])


# ---------------------------------------------------------------- what values must be like


def _checked(what: Kind, values: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(values) - set(what.fields) - {"personal"}):
        raise InvalidRequest("There is no field %(name)s.", values={"name": unknown[0]}, param=unknown[0])
    try:
        return what.check(values)
    except (HoursInvalid, RuleInvalid) as error:
        # Whoever raises these has marked the message.
        raise InvalidRequest(str(error)) from None


def _name(values: Mapping[str, Any], field: str, most: int = 80) -> str:
    name = " ".join(str(values[field]).split())
    if not 0 < len(name) <= most:
        raise InvalidRequest("A name has 1 to %(most)s characters.", values={"most": most}, param=field)
    return name


def _hours(values: dict[str, Any]) -> dict[str, Any]:
    hours.parsed(values["time_zone"], values["weekly"], values["holidays"])
    return {"name": _name(values, "name")} | {key: values[key] for key in ("time_zone", "weekly", "holidays")}


def _sla(values: dict[str, Any]) -> dict[str, Any]:
    for field in ("first_reply", "next_reply", "resolution"):
        value = values[field]
        if value is not None and (not isinstance(value, int) or not 60 <= value <= LONGEST_PROMISE):
            raise InvalidRequest("A promise is from a minute to a year, in seconds.", param=field)
    fields = ("first_reply", "next_reply", "resolution", "in_hours")
    return {"name": _name(values, "name")} | {field: values[field] for field in fields}


def _label(values: dict[str, Any]) -> dict[str, Any]:
    if not 0 <= values["colour"] < COLOURS:
        raise InvalidRequest("A colour is from 0 to %(most)s.", values={"most": COLOURS - 1}, param="colour")
    about = " ".join(str(values["about"]).split())[:200]
    return {"title": _name(values, "title", 40), "about": about, "colour": values["colour"]}


def _canned(values: dict[str, Any]) -> dict[str, Any]:
    content = str(values["content"]).strip()
    if not 0 < len(content) <= LONGEST_CONTENT:
        raise InvalidRequest(
            "A ready text has 1 to %(most)s characters.", values={"most": LONGEST_CONTENT}, param="content"
        )
    if unknown := unknown_names(content):
        raise InvalidRequest("Nothing fills in %(name)s.", values={"name": unknown[0]}, param="content")
    code = _name(values, "code", 40)
    if " " in code or "/" in code:
        raise InvalidRequest("A short code is one word.", param="code")
    return {"code": code, "content": content}


def _macro(values: dict[str, Any]) -> dict[str, Any]:
    return {"name": _name(values, "name"), "actions": automation.checked_actions(values["actions"])}


def _rule(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": _name(values, "name"),
        "about": " ".join(str(values["about"]).split())[:LONGEST_ABOUT],
        "event": automation.checked_event(values["event"]),
        "conditions": automation.checked_conditions(values["conditions"]),
        "actions": automation.checked_actions(values["actions"]),
        "active": bool(values["active"]),
        "position": int(values["position"]),
    }


def _attribute(values: dict[str, Any]) -> dict[str, Any]:
    of, kind, key = str(values["of"]), str(values["kind"]), str(values["key"]).strip()
    if of not in AttributeOf.values:
        raise InvalidRequest("An attribute is a contact's or a conversation's.", param="of")
    if kind not in AttributeKind.values:
        raise InvalidRequest("There is no such kind of attribute.", param="kind")
    if not 0 < len(key) <= LONGEST_NAME or not _KEY.fullmatch(key):
        raise InvalidRequest("A key is letters, digits, points, - and _.", param="key")
    if key in TAKEN[AttributeOf(of)]:
        raise InvalidRequest("%(name)s is there already.", values={"name": key}, param="key")
    about = " ".join(str(values["about"]).split())[:LONGEST_ABOUT]
    facts = {"of": of, "key": key, "name": _name(values, "name"), "about": about, "kind": kind}
    return facts | {"choices": _choices(values["choices"]) if kind == AttributeKind.LIST else []}


def _choices(given: Any) -> list[str]:
    given = given if isinstance(given, list) else []
    found = list(dict.fromkeys(str(each).strip() for each in given if str(each).strip()))
    if not 0 < len(found) <= MOST_CHOICES or any(len(each) > LONGEST_CHOICE for each in found):
        raise InvalidRequest("A list has 1 to %(most)s values.", values={"most": MOST_CHOICES}, param="choices")
    return found


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("hours", BusinessHours, "name", ("name", "time_zone", "weekly", "holidays"), _hours),
        Kind("sla", SlaPolicy, "name", ("name", "first_reply", "next_reply", "resolution", "in_hours"), _sla),
        Kind("label", Label, "title", ("title", "about", "colour"), _label),
        Kind("canned", CannedReply, "code", ("code", "content"), _canned),
        Kind("macro", Macro, "name", ("name", "actions"), _macro),
        Kind(
            "rule",
            AutomationRule,
            "name",
            ("name", "about", "event", "conditions", "actions", "active", "position"),
            _rule,
        ),
        Kind("attribute", AttributeDefinition, "name", ("of", "key", "name", "about", "kind", "choices"), _attribute),
    )
}
