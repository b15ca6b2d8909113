"""The bank's own systems: signed requests that flows make, to addresses that are checked like every outgoing one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, outbound, signatures, tenancy
from apps.core.crypto import seal_into, unseal_from
from apps.core.errors import Conflict, InvalidRequest, NotFound, OutboundFailed, OutboundRefused, SealedValueUnreadable
from apps.support.access_bot import APPROVE
from apps.support.masking import hidden
from apps.support.models import BotAction
from apps.support.services.desk import settings_of as desk_settings

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NO_ACTION = gettext_noop("There is no action with this id.")
MOST_ACTIONS = 100
# Of the five seconds after which a person is called, the rest is for telling the visitor.
TIMEOUT_SECONDS, MOST_BYTES, LONGEST_OUTPUT, MOST_OUTPUTS = 4.0, 20_000, 500, 30


@dataclass(frozen=True, slots=True)
class ActionDraft:
    name: str
    url: str
    changes: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system said: whether it did it, and values by name. `error` is a code for the log, never for a visitor."""

    succeeded: bool
    outputs: Mapping[str, str]
    error: str = ""


def save_action(actor: Actor, draft: ActionDraft, id: UUID | None = None) -> tuple[BotAction, str]:
    """A new action, or a change of one; the secret that signs is shown once, and is new with each new address."""
    actor.require(APPROVE)
    actor.require_open()
    if not NAME.fullmatch(draft.name):
        raise InvalidRequest("A name has small letters, digits and _, and begins with a letter.", param="name")
    outbound.target_of(draft.url, settings.OUTBOUND_ALLOW_PRIVATE, "url")
    with tenancy.scope(actor.organization_id):
        if BotAction.objects.filter(name=draft.name).exclude(pk=id).exists():
            raise Conflict("There is an action with this name.", param="name")
        row = _locked(id) if id else BotAction(organization_id=actor.organization_id)
        if id is None and BotAction.objects.count() >= MOST_ACTIONS:
            raise Conflict("An organization has at most %(most)s actions.", values={"most": MOST_ACTIONS})
        secret = "" if row.secret and row.url == draft.url else signatures.new_secret()
        row.name, row.url, row.changes = draft.name, draft.url, draft.changes
        if secret:
            seal_into(row, "secret", secret)
        row.save()
        row.refresh_from_db()
        _record(actor, "bot_action.saved", row)
    return row, secret


def delete_action(actor: Actor, id: UUID) -> None:
    """Flows that call it hand over from now on."""
    actor.require(APPROVE)
    with tenancy.scope(actor.organization_id):
        row = _locked(id)
        _record(actor, "bot_action.deleted", row)
        row.delete()


def call_action(
    organization_id: UUID, name: str, inputs: Mapping[str, str], about: Mapping[str, Any], id: str
) -> Answer:
    """Asks the system, within seconds and outside any transaction; the same `id` again is the same call.

    It is called in the conversation's name: with what the visitor is known by, and never with an agent's rights.
    """
    with tenancy.scope(organization_id):
        row = BotAction.objects.filter(name=name).first()
        masked = desk_settings(organization_id).masked
    if row is None:
        return Answer(False, {}, "unknown_action")
    body = json.dumps({"type": f"bot.{name}", "action": name, "inputs": dict(inputs), **about}, ensure_ascii=False)
    try:
        headers = signatures.headers(id, int(time.time()), body.encode(), [unseal_from(row, "secret")])
        answer = outbound.fetch(
            "POST",
            row.url,
            headers=headers,
            body=body.encode(),
            allow_private=settings.OUTBOUND_ALLOW_PRIVATE,
            limit_bytes=MOST_BYTES,
            timeout=TIMEOUT_SECONDS,
        )
        if not 200 <= answer.status < 300:
            return Answer(False, {}, f"status_{answer.status}")
        return Answer(True, _outputs(answer.json() if answer.body.strip() else {}, masked))
    except (OutboundRefused, OutboundFailed, SealedValueUnreadable) as error:
        return Answer(False, {}, error.code)


def _outputs(body: Any, masked: Iterable[str]) -> dict[str, str]:
    """Texts and numbers by name, from `outputs` or from the answer itself; anything else is passed over.

    They become events and words of the bot, and so are masked like all that is stored; nobody needs them restored.
    """
    given = body.get("outputs", body) if isinstance(body, dict) else {}
    found: dict[str, str] = {}
    for name, value in list(given.items())[:MOST_OUTPUTS] if isinstance(given, dict) else ():
        if isinstance(value, bool):
            found[name] = "yes" if value else "no"
        elif isinstance(value, str | int | float):
            found[name] = hidden(str(value).replace("\0", ""), masked)[:LONGEST_OUTPUT]
    return found


def _locked(id: UUID | None) -> BotAction:
    found: BotAction | None = BotAction.objects.select_for_update().filter(pk=id).first()
    if found is None:
        raise NotFound(NO_ACTION)
    return found


def _record(actor: Actor, action: str, row: BotAction) -> None:
    audit.record(actor, action, row)
    events.record(action, row.pk, {"name": row.name})
