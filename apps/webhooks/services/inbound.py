"""Addresses for calls in: made, changed, tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing.services.ingest import WRITE_USAGE
from apps.core import events, signatures, tenancy
from apps.core.crypto import seal_into, unseal_from
from apps.core.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unprocessable,
)
from apps.core.inbound import Action, actions
from apps.webhooks import mapping
from apps.webhooks.access import MANAGE, RESULTS
from apps.webhooks.models import InboundCall, InboundHook, Sender

MOST_HOOKS, LONGEST_NAME, LONGEST_SECRET = 50, 80, 200
OVERLAP = timedelta(hours=24)
NO_HOOK = gettext_noop("There is no address for calls in with this id.")
OWN_SECRETS = frozenset({Sender.STANDARD, Sender.GITHUB})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a payload would lead to: the inputs that are found, and those that are missing."""

    inputs: dict[str, Any]
    missing: list[str]


def get_hook(actor: Actor, id: UUID) -> InboundHook:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        return _find(id)


def create_hook(actor: Actor, values: Mapping[str, Any], secret: str = "") -> tuple[InboundHook, str]:
    """An address, and its secret where it was made here, shown this once ("" for one that the sender has given)."""
    actor.require(MANAGE, WRITE_USAGE)
    actor.require_open()
    facts = _checked(actor, values)
    secret, shown = _secret_for(facts["sender"], secret)
    with tenancy.scope(actor.organization_id):
        if InboundHook.objects.count() >= MOST_HOOKS:
            raise Conflict("An organization has at most %(most)s addresses.", values={"most": MOST_HOOKS})
        made = InboundHook(
            organization_id=actor.organization_id, created_by_id=_person(actor), api_key_id=actor.api_key_id, **facts
        )
        seal_into(made, "secret", secret)
        made.hint = secret[-4:]
        _save(made)
        made.refresh_from_db()
        _record(actor, "inbound_hook.created", made)
    return made, shown


def change_hook(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> InboundHook:
    """It acts in the name of whoever has changed it last, and through what; the sender stays, as the secret does."""
    actor.require(MANAGE, WRITE_USAGE)
    with tenancy.scope(actor.organization_id):
        found = _find(id, lock=True)
        names = ("name", "action", "mapping", "enabled")
        facts = _checked(actor, {"sender": found.sender} | {n: changes.get(n, getattr(found, n)) for n in names})
        for name in names:
            setattr(found, name, facts[name])
        found.created_by_id, found.api_key_id = _person(actor), actor.api_key_id
        _save(found)
        _record(actor, "inbound_hook.changed", found)
    return found


def change_secret(actor: Actor, id: UUID, secret: str = "") -> tuple[InboundHook, str]:
    """Another secret; the one before counts for a day more.

    Whoever knows it has the address act as its owner does, so it is given to those alone who may do the same.
    """
    actor.require(MANAGE, WRITE_USAGE)
    with tenancy.scope(actor.organization_id):
        found = _find(id, lock=True)
        _require_to_act(actor, action_named(found.action), found.mapping)
        secret, shown = _secret_for(found.sender, secret)
        seal_into(found, "previous", unseal_from(found, "secret"))
        found.previous_until = timezone.now() + OVERLAP
        seal_into(found, "secret", secret)
        found.hint = secret[-4:]
        found.save(update_fields=["previous", "previous_until", "secret", "hint"])
        audit.record(actor, "inbound_hook.secret_changed", found, hint=found.hint)
    return found, shown


def delete_hook(actor: Actor, id: UUID) -> None:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found = _find(id, lock=True)
        _record(actor, "inbound_hook.deleted", found)
        found.delete()


def try_payload(actor: Actor, action: str, paths: Mapping[str, str], body: str) -> Trial:
    """What the mapping finds in a payload; nothing is done."""
    actor.require(MANAGE)
    known = action_named(action)
    _check_mapping(known, paths, whole=False)
    return trial_of(known, paths, body.encode())


def payload_of_call(actor: Actor, hook_id: UUID, call_id: UUID) -> str:
    """The body of a call that is kept, as it came."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found: InboundCall | None = InboundCall.objects.filter(pk=call_id, hook_id=hook_id).first()
        if found is None:
            raise NotFound("There is no call with this id.")
        return unseal_from(found, "payload")


def trial_of(action: Action, paths: Mapping[str, str], body: bytes) -> Trial:
    """What a call's body gives; raises InvalidRequest and Unprocessable."""
    try:
        inputs = mapping.inputs_of(paths, mapping.payload_of(body))
    except mapping.MappingError as error:
        raise _no_path(str(error)) from None
    except ValueError:
        raise Unprocessable("The body is neither JSON nor a form.") from None
    return Trial(inputs, action.missing(inputs))


# ---------------------------------------------------------------- shared


def _find(id: UUID, lock: bool = False) -> InboundHook:
    rows = InboundHook.objects.select_for_update() if lock else InboundHook.objects.all()
    found: InboundHook | None = rows.filter(pk=id).first()
    if found is None:
        raise NotFound(NO_HOOK)
    return found


def action_named(name: str) -> Action:
    """One of those that the apps declare; raises InvalidRequest."""
    found = actions().get(name)
    if found is None:
        raise InvalidRequest("There is no such action.", param="action")
    return found


def _checked(actor: Actor, values: Mapping[str, Any]) -> dict[str, Any]:
    name, sender = " ".join(str(values["name"]).split()), values["sender"]
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest(
            "Give it a name of up to %(most)s characters.", values={"most": LONGEST_NAME}, param="name"
        )
    if sender not in Sender.values:
        raise InvalidRequest("There is no such sender.", param="sender")
    action = action_named(values["action"])
    paths = values.get("mapping", {})
    _require_to_act(actor, action, paths)
    _check_mapping(action, paths, whole=True)
    enabled = bool(values.get("enabled", True))
    return {"name": name, "sender": sender, "action": action.name, "mapping": dict(paths), "enabled": enabled}


def _require_to_act(actor: Actor, action: Action, paths: Mapping[str, Any]) -> None:
    """What the address will do in somebody's name is done, and its result seen, by those alone who may."""
    actor.require(action.permission)
    if "callback_url" in paths:
        actor.require(RESULTS)


def _check_mapping(action: Action, paths: Mapping[str, Any], whole: bool) -> None:
    if len(paths) > mapping.MOST_INPUTS:
        raise InvalidRequest("At most %(most)s inputs.", values={"most": mapping.MOST_INPUTS}, param="mapping")
    for name, path in paths.items():
        if not action.takes(name):
            raise InvalidRequest("This action takes no %(name)s.", values={"name": name[:80]}, param="mapping")
        if not isinstance(path, str) or len(path) > mapping.LONGEST_TEXT:
            raise _no_path(str(path)[:80])
        try:
            mapping.check(path)
        except mapping.MappingError:
            raise _no_path(path[:80]) from None
    if whole and (missing := action.missing(paths)):
        names = ", ".join(missing)
        raise InvalidRequest("Say where these come from: %(names)s.", values={"names": names}, param="mapping")


def _no_path(path: str) -> InvalidRequest:
    return InvalidRequest("This path is not taken: %(path)s", values={"path": path}, param="mapping")


def _secret_for(sender: str, given: str) -> tuple[str, str]:
    """The secret, and what of it is shown."""
    given = given.strip()
    if len(given) > LONGEST_SECRET:
        raise InvalidRequest("This is no secret.", param="secret")
    if not given and sender not in OWN_SECRETS:
        raise InvalidRequest("Copy the signing secret that the sender shows.", param="secret")
    if sender == Sender.STANDARD and given:
        try:
            long_enough = len(signatures.key_of(given)) >= 16
        except ValueError:
            long_enough = False
        if not long_enough:
            raise InvalidRequest("This is no secret.", param="secret")
    made = given or signatures.new_secret()
    return made, "" if given else made


def _person(actor: Actor) -> UUID:
    if actor.person_id is None:
        raise PermissionDenied("An address for calls in acts in the name of a person: use a member's own key.")
    return actor.person_id


def _save(hook: InboundHook) -> None:
    try:
        with transaction.atomic():
            hook.save()
    except IntegrityError:
        raise Conflict("There is an address of this name already.", param="name") from None


def _record(actor: Actor, action: str, hook: InboundHook) -> None:
    audit.record(actor, action, hook, what=hook.action)
    events.record(action, hook.pk, {"name": hook.name, "action": hook.action})
