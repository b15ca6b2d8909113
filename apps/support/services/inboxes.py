"""Ways in to the desk: set up, changed, closed, and found by the name that the public knows them by."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Team
from apps.core import events, tenancy
from apps.core.crypto import seal_into, unseal_from
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.tenancy import Across, across_tenants
from apps.support.access import MANAGE, READ
from apps.support.models import BusinessHours, Inbox, InboxAgent, InboxKind, SlaPolicy
from apps.support.models.inboxes import LONGEST_ORIGIN
from apps.support.services.storing import found

NO_INBOX = gettext_noop("There is no inbox with this id.")
NO_HOURS = gettext_noop("There are no business hours with this id.")
NO_SLA = gettext_noop("There is no promise with this id.")
NO_TEAM = gettext_noop("There is no team with this id.")
BAD_LOOK = gettext_noop("The widget's look is a colour as #rrggbb, a side (left or right) and a title.")
MOST_INBOXES, MOST_ORIGINS, LONGEST_TEXT = 50, 20, 500
FLAGS = ("hmac_required", "auto_assignment", "bot_enabled", "csat_enabled")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
FIELDS = ("name", "greeting", "away_message", "hours", "sla", "team", "origins", "look", *FLAGS)


def get(actor: Actor, id: UUID) -> Inbox:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return _find(id)


def listing(actor: Actor) -> Any:
    """Those that are open, in the caller's scope, by name."""
    actor.require(READ)
    return Inbox.objects.filter(archived_at=None).select_related("hours", "sla", "team").order_by("name", "id")


def create(actor: Actor, name: str, kind: str = InboxKind.WIDGET, **wanted: Any) -> Inbox:
    actor.require(MANAGE)
    actor.require_open()
    if kind not in InboxKind.values:
        raise InvalidRequest("An inbox is a widget, e-mail or API.", param="kind")
    with tenancy.scope(actor.organization_id):
        if Inbox.objects.filter(archived_at=None).count() >= MOST_INBOXES:
            raise Conflict("There are at most %(most)s inboxes.", values={"most": MOST_INBOXES})
        made = Inbox(organization_id=actor.organization_id, kind=kind, token=secrets.token_urlsafe(18))
        _fill(made, {"name": name} | wanted)
        seal_into(made, "hmac_secret", secrets.token_urlsafe(32))
        _save(made)
        audit.record(actor, "support_inbox.created", made, kind=kind)
        events.record("support_inbox.created", made.pk, {"name": made.name, "kind": kind})
    return made


def change(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> Inbox:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        before = _facts(row)
        _fill(row, changes)
        after = _facts(row)
        changed = [name for name in after if after[name] != before[name]]
        if changed:
            _save(row)
            audit.record(
                actor,
                "support_inbox.changed",
                row,
                before={name: before[name] for name in changed},
                after={name: after[name] for name in changed},
            )
            events.record("support_inbox.changed", row.pk, {"name": row.name, "changed": changed})
    return row


def close(actor: Actor, id: UUID) -> None:
    """Nothing comes in any more; what is there stays."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        if row.archived_at is None:
            row.archived_at = timezone.now()
            # The name is free for another one.
            row.name = f"{row.name[:60]} ({row.archived_at:%Y-%m-%d %H:%M:%S})"
            row.save(update_fields=["archived_at", "name"])
            audit.record(actor, "support_inbox.closed", row)
            events.record("support_inbox.closed", row.pk, {"name": row.name})


def set_agents(actor: Actor, id: UUID, members: Sequence[UUID]) -> list[UUID]:
    """Who answers there; nobody named means everybody."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        wanted = set(members)
        if Membership.objects.filter(pk__in=wanted).count() != len(wanted):
            raise InvalidRequest("One of those who are named is no member.", param="agents")
        before = set(InboxAgent.objects.filter(inbox=row).values_list("membership_id", flat=True))
        if before != wanted:
            InboxAgent.objects.filter(inbox=row, membership__in=before - wanted).delete()
            for member in sorted(wanted - before):
                InboxAgent.objects.create(organization_id=row.organization_id, inbox=row, membership_id=member)
            names = {"before": {"agents": _sorted(before)}, "after": {"agents": _sorted(wanted)}}
            audit.record(actor, "support_inbox.agents_changed", row, **names)
            events.record("support_inbox.changed", row.pk, {"name": row.name, "changed": ["agents"]})
    return sorted(wanted)


def alter_agents(
    actor: Actor, id: UUID, *, added: Iterable[UUID] = (), taken: Iterable[UUID] = (), alone: bool = False
) -> list[UUID]:
    """Some more or fewer of them, or those who are added `alone`; never nobody, which would mean everybody."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        before = set(InboxAgent.objects.filter(inbox=row).values_list("membership_id", flat=True))
        if taken and not before and not alone:
            raise InvalidRequest("Everybody answers there: name those who shall.", param="agents")
        wanted = (set(added) if alone else before | set(added)) - set(taken)
        if before and not wanted:
            raise InvalidRequest("Somebody has to answer there.", param="agents")
        return set_agents(actor, id, sorted(wanted))


def show_secret(actor: Actor, id: UUID) -> str:
    """What signs who a visitor is: for the customer's server alone. That it was shown stands in the audit log."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id)
        audit.record(actor, "support_inbox.secret_shown", row)
        return unseal_from(row, "hmac_secret")


def renew_secret(actor: Actor, id: UUID) -> str:
    """Another secret at once; what was signed with the one before proves nothing any more."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = _find(id, lock=True)
        secret = secrets.token_urlsafe(32)
        seal_into(row, "hmac_secret", secret)
        row.save(update_fields=["hmac_secret"])
        audit.record(actor, "support_inbox.secret_renewed", row)
        events.record("support_inbox.changed", row.pk, {"name": row.name, "changed": ["hmac_secret"]})
    return secret


def by_token(token: str) -> Inbox:
    """The open inbox that the public knows by this name, whoever's it is; raises NotFound."""
    with across_tenants(Across.SIGN_IN):
        row: Inbox | None = Inbox.objects.filter(token=token, archived_at=None).first() if token else None
    if row is None:
        raise NotFound(NO_INBOX)
    return row


def _sorted(ids: set[UUID]) -> list[str]:
    return sorted(str(each) for each in ids)


def _find(id: UUID, lock: bool = False) -> Inbox:
    rows = (
        Inbox.objects.select_for_update(of=("self",)) if lock else Inbox.objects.select_related("hours", "sla", "team")
    )
    row: Inbox | None = rows.filter(pk=id).first()
    if row is None:
        raise NotFound(NO_INBOX)
    return row


def _facts(row: Inbox) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("name", "greeting", "away_message", "origins", *FLAGS)}
    ids = {name: str(getattr(row, f"{name}_id") or "") for name in ("hours", "sla", "team")}
    return plain | ids | {"look": dict(row.settings.get("look", {}))}


def _save(row: Inbox) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict("There is an inbox with this name already.", param="name") from None
    row.refresh_from_db()


def _fill(row: Inbox, values: Mapping[str, Any]) -> None:
    """Sets what is named, each of it checked."""
    if unknown := sorted(set(values) - set(FIELDS)):
        raise InvalidRequest("There is no field %(name)s.", values={"name": unknown[0]}, param=unknown[0])
    if "name" in values:
        row.name = " ".join(str(values["name"]).split())
        if not 0 < len(row.name) <= 80:
            raise InvalidRequest("A name has 1 to 80 characters.", param="name")
    for name in ("greeting", "away_message"):
        if name in values:
            setattr(row, name, str(values[name]).strip())
            if len(getattr(row, name)) > LONGEST_TEXT:
                raise InvalidRequest("A text has at most 500 characters.", param=name)
    for name in FLAGS:
        if name in values:
            setattr(row, name, bool(values[name]))
    if row.bot_enabled and row.agent_bot_id:
        raise Conflict("A program of yours answers in this inbox: take it off first.", param="bot_enabled")
    if "hours" in values:
        row.hours = found(BusinessHours, values["hours"], NO_HOURS, "hours")
    if "sla" in values:
        row.sla = found(SlaPolicy, values["sla"], NO_SLA, "sla")
    if "team" in values:
        row.team = found(Team, values["team"], NO_TEAM, "team")
    if "origins" in values:
        row.origins = checked_origins(values["origins"])
    if "look" in values:
        row.settings = row.settings | {"look": _look(values["look"])}


def checked_origins(given: Sequence[str]) -> list[str]:
    """Sites as `https://host[:port]`, and `https://*.host` for all below it; what the browser's policy takes."""
    origins = sorted({str(each).strip().rstrip("/").lower() for each in given} - {""})
    for each in origins:
        parts = urlsplit(each)
        host = parts.hostname or ""
        plain = f"{parts.scheme}://{parts.netloc}" == each and re.fullmatch(r"(\*\.)?[a-z0-9.-]+", host)
        local = host in ("localhost", "127.0.0.1")
        if len(each) > LONGEST_ORIGIN or not plain or parts.scheme not in ("https", "http") or "@" in each:
            raise InvalidRequest("%(origin)s is no site like https://www.example.com.", values={"origin": each[:80]})
        if parts.scheme == "http" and not local:
            raise InvalidRequest("%(origin)s must begin with https.", values={"origin": each[:80]}, param="origins")
    if len(origins) > MOST_ORIGINS:
        raise InvalidRequest("At most %(most)s sites.", values={"most": MOST_ORIGINS}, param="origins")
    return origins


def _look(given: Mapping[str, Any]) -> dict[str, str]:
    look = {"colour": "#2563eb", "side": "right", "title": ""} | {name: str(value) for name, value in given.items()}
    right = set(look) == {"colour", "side", "title"} and _COLOUR.fullmatch(look["colour"].lower())
    if not right or look["side"] not in ("left", "right") or len(look["title"]) > 60:
        raise InvalidRequest(BAD_LOOK, param="look")
    return look | {"colour": look["colour"].lower()}
