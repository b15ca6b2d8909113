"""Endpoints and their secrets: named, changed, paused, and removed with all that was sent to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import events, signatures, tenancy
from apps.core.crypto import seal_into
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.models import EventCounter
from apps.core.outbound import target_of
from apps.webhooks import feed
from apps.webhooks.access import MANAGE, RESULTS
from apps.webhooks.messages import VERSION, VERSIONS
from apps.webhooks.models import (
    Callback,
    Delivery,
    Endpoint,
    EndpointKind,
    Format,
    Payload,
    Scheme,
    SigningSecret,
    Stopped,
)
from apps.webhooks.models.endpoints import LONGEST_URL

MOST_ENDPOINTS, MOST_SECRETS, MOST_AT_ONCE = 20, 5, 10
LONGEST_DESCRIPTION, LONGEST_OVERLAP_HOURS = 200, 168
NO_ENDPOINT = gettext_noop("There is no endpoint with this id.")
NO_SECRET = gettext_noop("There is no secret with this id.")
CHANGEABLE = ("url", "description", "types", "version", "payload", "format", "at_once")


def get_endpoint(actor: Actor, id: UUID) -> Endpoint:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        return find_endpoint(id)


def create_endpoint(actor: Actor, url: str, **wanted: Any) -> tuple[Endpoint, str]:
    """An endpoint that is sent events from the next one on, and its first secret, which is shown this once."""
    actor.require(MANAGE)
    actor.require_open()
    values = _checked({"url": url, "version": VERSION} | wanted)
    with tenancy.scope(actor.organization_id):
        _require_member(values)
        if Endpoint.objects.filter(kind=EndpointKind.EVENTS).count() >= MOST_ENDPOINTS:
            raise Conflict("An organization has at most %(most)s endpoints.", values={"most": MOST_ENDPOINTS})
        last = EventCounter.objects.values_list("last", flat=True).first() or 0
        made: Endpoint = Endpoint.objects.create(
            organization_id=actor.organization_id, created_by_id=actor.user_id, position=last, **values
        )
        made.refresh_from_db()
        _row, secret = new_signing_secret(actor.organization_id, made, Scheme.HMAC)
        _record(actor, "webhook_endpoint.created", made, after={"url": origin_of(made.url), "types": made.types})
    return made, secret


def change_endpoint(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> Endpoint:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found = find_endpoint(id, lock=True)
        values = _checked({name: changes.get(name, getattr(found, name)) for name in CHANGEABLE})
        if any(getattr(found, name) != values[name] for name in values):
            _require_member(values)
        before = {name: getattr(found, name) for name in values if getattr(found, name) != values[name]}
        if before:
            for name, value in values.items():
                setattr(found, name, value)
            found.save(update_fields=list(values))
            after = {name: values[name] for name in before}
            if "url" in before:
                _require_results(actor, found)
                before["url"], after["url"] = origin_of(before["url"]), origin_of(after["url"])
            _record(actor, "webhook_endpoint.changed", found, before=before, after=after)
    return found


def pause_endpoint(actor: Actor, id: UUID) -> Endpoint:
    """Nothing is sent any more; what waits stays, and what happens meanwhile may be replayed."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found = find_endpoint(id, lock=True)
        if found.is_enabled:
            found.stopped = Stopped.PAUSED
            found.save(update_fields=["stopped"])
            record_stop(actor, found)
    return found


def resume_endpoint(actor: Actor, id: UUID) -> Endpoint:
    """Goes on with what waits and with the next event."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found = find_endpoint(id, lock=True)
        if not found.is_enabled:
            found.stopped, found.failing_since = Stopped.NO, None
            found.position = EventCounter.objects.values_list("last", flat=True).first() or 0
            found.save(update_fields=["stopped", "failing_since", "position"])
            _record(actor, "webhook_endpoint.resumed", found)
    return found


def delete_endpoint(actor: Actor, id: UUID) -> None:
    """Removes the endpoint with its secrets and all its messages."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        found = find_endpoint(id, lock=True)
        _record(actor, "webhook_endpoint.deleted", found)
        found.delete()


# ---------------------------------------------------------------- secrets


def secrets_of(actor: Actor, endpoint_id: UUID | None) -> list[SigningSecret]:
    """Those that sign now, the oldest first; without an endpoint those that sign results."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        return list(alive().filter(endpoint=endpoint_id).order_by("created_at", "id"))


def add_secret(
    actor: Actor, endpoint_id: UUID | None, scheme: str = Scheme.HMAC, expire_others_in_hours: int | None = None
) -> tuple[SigningSecret, str]:
    """Another secret beside the others, all of which sign, and its text, shown this once.

    With `expire_others_in_hours` those of the same scheme sign for so long and no longer: that is a rotation. Of an
    Ed25519 key the text is the public half; the other is shown to nobody.
    """
    actor.require(MANAGE)
    if scheme not in Scheme.values:
        raise InvalidRequest("A secret is for v1 or v1a.", param="scheme")
    if expire_others_in_hours is not None and not 0 <= expire_others_in_hours <= LONGEST_OVERLAP_HOURS:
        raise InvalidRequest(
            "Others may go on for up to %(most)s hours.",
            values={"most": LONGEST_OVERLAP_HOURS},
            param="expire_others_in_hours",
        )
    with tenancy.scope(actor.organization_id):
        endpoint = find_endpoint(endpoint_id, lock=True) if endpoint_id else None
        mine = alive().filter(endpoint=endpoint)
        if expire_others_in_hours is not None:
            until = timezone.now() + timedelta(hours=expire_others_in_hours)
            mine.filter(Q(expires_at=None) | Q(expires_at__gt=until), scheme=scheme).update(expires_at=until)
        if alive().filter(endpoint=endpoint).count() >= MOST_SECRETS:
            raise Conflict("At most %(most)s secrets sign at a time; remove one first.", values={"most": MOST_SECRETS})
        row, text = new_signing_secret(actor.organization_id, endpoint, scheme)
        if endpoint is not None:
            _record(actor, "webhook_endpoint.secret_added", endpoint, hint=row.hint, scheme=scheme)
        else:
            audit.record(actor, "webhook_callbacks.secret_added", row, hint=row.hint, scheme=scheme)
    return row, text


def remove_secret(actor: Actor, endpoint_id: UUID | None, id: UUID) -> None:
    """The last one that signs cannot be removed: nobody would know a message for genuine."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        endpoint = find_endpoint(endpoint_id, lock=True) if endpoint_id else None
        found: SigningSecret | None = alive().filter(endpoint=endpoint, pk=id).first()
        if found is None:
            raise NotFound(NO_SECRET)
        if not alive().filter(endpoint=endpoint, expires_at=None).exclude(pk=id).exists():
            raise Conflict("This is the last secret: add another one first.")
        if endpoint is not None:
            _record(actor, "webhook_endpoint.secret_removed", endpoint, hint=found.hint, scheme=found.scheme)
        else:
            audit.record(actor, "webhook_callbacks.secret_removed", found, hint=found.hint, scheme=found.scheme)
        found.delete()


def new_signing_secret(organization_id: UUID, endpoint: Endpoint | None, scheme: str) -> tuple[SigningSecret, str]:
    row = SigningSecret(organization_id=organization_id, endpoint=endpoint, scheme=scheme)
    if scheme == Scheme.ED25519:
        secret, row.public = signatures.new_key()
        shown = row.public
    else:
        secret = shown = signatures.new_secret()
    row.hint = shown.rstrip("=")[-6:]
    seal_into(row, "secret", secret)
    row.save(force_insert=True)
    row.refresh_from_db(fields=["created_at"])
    return row, shown


def alive() -> Any:
    """The secrets in scope that sign now."""
    return SigningSecret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


# ---------------------------------------------------------------- shared


def record_stop(actor: Actor, endpoint: Endpoint) -> None:
    """In the transaction that has stopped it."""
    audit.record(actor, "webhook_endpoint.stopped", endpoint, reason=str(Stopped(endpoint.stopped).label))
    facts = {"url": origin_of(endpoint.url), "reason": endpoint.stopped}
    events.record("webhook_endpoint.stopped", endpoint.pk, facts)


def _record(actor: Actor, action: str, endpoint: Endpoint, **detail: Any) -> None:
    audit.record(actor, action, endpoint, **detail)
    events.record(action, endpoint.pk, {"url": origin_of(endpoint.url)})


def origin_of(url: str) -> str:
    """Of an address only the server, of a mailbox too: the rest may be a secret, and events go to every receiver."""
    if "://" not in url:
        return "mailto:" + url.rpartition("@")[2]
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _require_results(actor: Actor, endpoint: Endpoint) -> None:
    """Where results of jobs are on their way to an endpoint, only who may read them sends them elsewhere."""
    unsent = Delivery.objects.filter(endpoint=endpoint, type__endswith=".result").exclude(state="delivered")
    if Callback.objects.filter(endpoint=endpoint).exists() or unsent.exists():
        actor.require(RESULTS)


def find_endpoint(id: UUID, lock: bool = False) -> Endpoint:
    rows = Endpoint.objects.filter(kind=EndpointKind.EVENTS)
    found: Endpoint | None = (rows.select_for_update() if lock else rows).filter(pk=id).first()
    if found is None:
        raise NotFound(NO_ENDPOINT)
    return found


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    url, description = str(values["url"]).strip(), " ".join(str(values.get("description", "")).split())
    if len(url) > LONGEST_URL:
        raise InvalidRequest("The address is too long.", param="url")
    format, types = values.get("format", Format.STANDARD), feed.checked_types(values.get("types", ()))
    if format not in Format.values:
        raise InvalidRequest("There is no such format.", param="format")
    if format == Format.EMAIL:
        url = _mailbox(url, types)
    else:
        target_of(url, settings.OUTBOUND_ALLOW_PRIVATE, "url")
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(
            "A description has at most %(most)s characters.", values={"most": LONGEST_DESCRIPTION}, param="description"
        )
    version, payload, at_once = values["version"], values.get("payload", Payload.FULL), values.get("at_once", 4)
    if version not in VERSIONS:
        raise InvalidRequest("There is no such version.", param="version")
    if payload not in Payload.values:
        raise InvalidRequest("A payload is full or thin.", param="payload")
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise InvalidRequest(
            "Between 1 and %(most)s requests at a time.", values={"most": MOST_AT_ONCE}, param="at_once"
        )
    facts = {"url": url, "description": description, "types": types}
    return facts | {"version": version, "payload": payload, "format": format, "at_once": at_once}


def _mailbox(address: str, types: Sequence[str]) -> str:
    """The address of a mailbox as it is stored; a mail for everything that happens is what nobody reads."""
    if settings.MAIL_DELIVERY_BACKEND.endswith("dummy.EmailBackend"):
        raise Conflict("This installation sends no mails.")
    if not types:
        raise InvalidRequest("Name the types of events that are worth a mail.", param="types")
    return address.removeprefix("mailto:").strip()


def _require_member(values: dict[str, Any]) -> None:
    """Mails go to members alone, or anybody's mailbox could be filled from here. Writes the address as theirs is."""
    if values["format"] == Format.EMAIL:
        values["url"] = member_of(values["url"])
        if not values["url"]:
            raise InvalidRequest("Events are mailed to members of the organization alone.", param="url")


def member_of(address: str) -> str:
    """The address of who is a member now, in the organization's scope, or ""."""
    members = Membership.objects.filter(user__email__iexact=address, user__is_active=True)
    return members.values_list("user__email", flat=True).first() or ""
