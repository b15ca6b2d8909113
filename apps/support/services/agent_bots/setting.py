"""Programs that answer, set up: where they are told, where they answer, and by which token they are known."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, signatures, tenancy
from apps.core.crypto import seal_into
from apps.core.errors import Conflict, InvalidRequest, MillraceError, NotFound
from apps.core.outbound import target_of
from apps.support.access import MANAGE, READ
from apps.support.models import AgentBot, Conversation, Inbox
from apps.support.models.agent_bots import LONGEST_BOT_URL
from apps.support.services.conversations import hand_over
from apps.support.services.inboxes import NO_INBOX
from apps.webhooks.services.endpoints import origin_of

NO_BOT = gettext_noop("There is no bot with this id.")
MOST_BOTS, LEAST_PATIENCE, MOST_PATIENCE = 20, 5, 600
TOKEN_PREFIX = "mrbot_"  # noqa: S105 - how tokens begin, so that one is known where it was lost
FIELDS = ("name", "url", "patience_seconds", "inboxes")


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown once: the token that the program calls with, and the secret that signs what it is told."""

    bot: AgentBot
    token: str = ""
    secret: str = ""


def listing(actor: Actor) -> list[AgentBot]:
    """By name, with their inboxes."""
    actor.require(READ)
    with tenancy.reading(actor.organization_id):
        return list(AgentBot.objects.prefetch_related("inboxes").order_by("name", "id"))


def get(actor: Actor, id: UUID) -> AgentBot:
    actor.require(READ)
    with tenancy.reading(actor.organization_id):
        return _find(id)


def create(actor: Actor, values: Mapping[str, Any]) -> Shown:
    actor.require(MANAGE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        if AgentBot.objects.count() >= MOST_BOTS:
            raise Conflict("An organization has at most %(most)s bots.", values={"most": MOST_BOTS})
        row = AgentBot(organization_id=actor.organization_id, created_by_id=actor.person_id)
        _fill(row, {"patience_seconds": 30} | dict(values))
        token, secret = _new_token(row), signatures.new_secret()
        seal_into(row, "secret", secret)
        _save(row)
        left = _connect(row, values.get("inboxes", ()))
        _record(actor, "support_agent_bot.created", row, url=origin_of(row.url))
        row.refresh_from_db()
    _give_to_people(actor.organization_id, left)
    return Shown(row, token, secret)


def change(actor: Actor, id: UUID, values: Mapping[str, Any]) -> Shown:
    """Another address gets another secret, which is shown."""
    actor.require(MANAGE)
    left: list[UUID] = []
    secret = ""
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        before = row.url
        _fill(row, values)
        if row.url != before:
            secret = signatures.new_secret()
            seal_into(row, "secret", secret)
        _save(row)
        if "inboxes" in values:
            left = _connect(row, values["inboxes"])
        _record(actor, "support_agent_bot.changed", row, changed=sorted(values))
        row.refresh_from_db()
    _give_to_people(actor.organization_id, left)
    return Shown(row, secret=secret)


def set_of_inbox(actor: Actor, inbox_id: UUID, id: UUID | None) -> AgentBot | None:
    """Lets a program answer in an inbox in place of whoever does, or nobody; what the one before has people get."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        # Bots before inboxes, as in a change of one.
        rows = {row.pk: row for row in AgentBot.objects.select_for_update(of=("self",)).order_by("id")}
        if id is not None and id not in rows:
            raise NotFound(NO_BOT)
        inbox: Inbox | None = Inbox.objects.select_for_update(of=("self",)).filter(pk=inbox_id).first()
        if inbox is None or inbox.archived_at is not None:
            raise NotFound(NO_INBOX)
        before = inbox.agent_bot_id
        if before != id:
            inbox.agent_bot_id, inbox.bot_enabled = id, inbox.bot_enabled and id is None
            inbox.save(update_fields=["agent_bot", "bot_enabled"])
            for row in (each for each in rows.values() if each.pk in (before, id)):
                _record(actor, "support_agent_bot.changed", row, changed=["inboxes"])
    if before not in (None, id):
        _give_to_people(actor.organization_id, [inbox_id])
    return rows[id] if id is not None else None


def renew_token(actor: Actor, id: UUID) -> Shown:
    """Another token; the one before opens nothing any more."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        token = _new_token(row)
        row.save(update_fields=["digest", "token_hint"])
        _record(actor, "support_agent_bot.changed", row, changed=["token"])
    return Shown(row, token=token)


def delete(actor: Actor, id: UUID) -> None:
    """What it has is given to people."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        left = _connect(row, ())
        _record(actor, "support_agent_bot.deleted", row)
        row.delete()
    _give_to_people(actor.organization_id, left)


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token(row: AgentBot) -> str:
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row.digest, row.token_hint = digest_of(token), token[-6:]
    return token


def _find(id: UUID, lock: bool = False) -> AgentBot:
    rows = AgentBot.objects.select_for_update(of=("self",)) if lock else AgentBot.objects.prefetch_related("inboxes")
    row: AgentBot | None = rows.filter(pk=id).first()
    if row is None:
        raise NotFound(NO_BOT)
    return row


def _fill(row: AgentBot, values: Mapping[str, Any]) -> None:
    if unknown := sorted(set(values) - set(FIELDS)):
        raise InvalidRequest("There is no field %(name)s.", values={"name": unknown[0]}, param=unknown[0])
    if "name" in values:
        row.name = " ".join(str(values["name"]).split())
        if not 0 < len(row.name) <= 80:
            raise InvalidRequest("A name has 1 to 80 characters.", param="name")
    if "url" in values:
        row.url = str(values["url"]).strip()
        if len(row.url) > LONGEST_BOT_URL:
            raise InvalidRequest("The address is too long.", param="url")
        target_of(row.url, settings.OUTBOUND_ALLOW_PRIVATE, "url")
    if "patience_seconds" in values:
        row.patience_seconds = int(values["patience_seconds"])
        if not LEAST_PATIENCE <= row.patience_seconds <= MOST_PATIENCE:
            raise InvalidRequest(
                "Patience is %(least)s to %(most)s seconds.",
                values={"least": LEAST_PATIENCE, "most": MOST_PATIENCE},
                param="patience_seconds",
            )


def _save(row: AgentBot) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict("There is a bot with this name already.", param="name") from None


def _connect(row: AgentBot, wanted: Sequence[UUID]) -> list[UUID]:
    """Sets where it answers; returns the inboxes that have no such bot any more. An inbox has one bot."""
    inboxes = list(Inbox.objects.select_for_update(of=("self",)).filter(archived_at=None).order_by("id"))
    known = {inbox.pk for inbox in inboxes}
    if set(wanted) - known:
        raise InvalidRequest("There is no inbox with this id.", param="inboxes")
    left = []
    for inbox in inboxes:
        if inbox.pk in wanted and inbox.agent_bot_id not in (None, row.pk):
            raise Conflict("Another bot answers in %(inbox)s.", values={"inbox": inbox.name}, param="inboxes")
        if inbox.pk in wanted and inbox.agent_bot_id is None:
            inbox.agent_bot, inbox.bot_enabled = row, False
            inbox.save(update_fields=["agent_bot", "bot_enabled"])
        elif inbox.pk not in wanted and inbox.agent_bot_id == row.pk:
            inbox.agent_bot = None
            inbox.save(update_fields=["agent_bot"])
            left.append(inbox.pk)
    return left


def _give_to_people(organization_id: UUID, inboxes: Sequence[UUID]) -> None:
    """Nobody else answers there: one conversation at a time, each in a transaction of its own.

    What begins meanwhile, and what a process that ends here has left, the sweep gives to people (`housekeeping`).
    """
    if not inboxes:
        return
    with tenancy.scope(organization_id):
        rows = Conversation.objects.filter(inbox__in=inboxes, bot_owns=True, merged_into=None)
        ids = list(rows.order_by("active_at").values_list("pk", flat=True))
    for id in ids:
        try:
            with tenancy.scope(organization_id):
                hand_over(id, "bot_removed")
        except MillraceError:
            # Merged or erased meanwhile.
            continue


def _record(actor: Actor, action: str, row: AgentBot, **detail: Any) -> None:
    audit.record(actor, action, row, **detail)
    events.record(action, row.pk, {"name": row.name})
