"""What an organization decides about its audit trail: how long it is kept, and where it is sent."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.audit import syslog
from apps.accounts.audit.streaming import SYSLOG
from apps.accounts.models import AuditHead, AuditSettings, AuditStream
from apps.accounts.models.audit import SHORTEST_RETENTION_DAYS
from apps.core import tenancy
from apps.core.crypto import seal_into
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.outbound import target_of
from apps.core.signatures import new_secret

MANAGE = "audit:manage"
MOST_STREAMS = 5
LONGEST_RETENTION_DAYS = 36_500


def set_audit_retention(actor: Actor, days: int | None) -> AuditSettings:
    """How many days entries are kept, None for ever; the nightly task removes what is older."""
    actor.require(MANAGE)
    if days is not None and not SHORTEST_RETENTION_DAYS <= days <= LONGEST_RETENTION_DAYS:
        raise InvalidRequest(
            "Keep entries for at least %(least)s days.",
            values={"least": SHORTEST_RETENTION_DAYS},
            param="retention_days",
        )
    with tenancy.scope(actor.organization_id):
        rule: AuditSettings
        rule, _ = AuditSettings.objects.select_for_update().get_or_create(organization_id=actor.organization_id)
        if rule.retention_days != days:
            before, rule.retention_days = rule.retention_days, days
            rule.save(update_fields=["retention_days"])
            audit.record(actor, "audit.retention_changed", rule, before={"days": before}, after={"days": days})
    return rule


def add_audit_stream(actor: Actor, url: str, from_beginning: bool = False) -> tuple[AuditStream, str]:
    """Has every entry sent to an address; the webhook's secret is shown this once ("" for a log server)."""
    actor.require(MANAGE)
    url = url.strip()
    is_syslog = url.startswith(SYSLOG)
    if len(url) > 500:
        raise InvalidRequest("The address is too long.", param="url")
    if is_syslog:
        syslog.server_of(url)
    else:
        target_of(url, settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES)
    secret = "" if is_syslog else new_secret()
    with tenancy.scope(actor.organization_id):
        # The head's lock also keeps two requests from adding the same address at once.
        head = AuditHead.objects.select_for_update().first()
        if AuditStream.objects.filter(url=url).exists():
            raise Conflict("The audit log is already sent there.", param="url")
        if AuditStream.objects.count() >= MOST_STREAMS:
            raise Conflict(
                "The audit log can be sent to %(most)s places; remove one first.", values={"most": MOST_STREAMS}
            )
        stream = AuditStream(organization_id=actor.organization_id, url=url)
        stream.cursor = 0 if from_beginning or head is None else head.sequence
        seal_into(stream, "secret", secret)
        stream.save()
        audit.record(actor, "audit.stream_added", stream, from_beginning=from_beginning)
    return stream, secret


def switch_audit_stream(actor: Actor, stream_id: UUID, enabled: bool) -> AuditStream:
    """Pauses a stream, or lets it go on where it stood, at once and whatever it had failed with."""
    with tenancy.scope(actor.organization_id):
        stream = _locked(actor, stream_id)
        if stream.enabled != enabled:
            stream.enabled, stream.failures, stream.last_error = enabled, 0, ""
            stream.save(update_fields=["enabled", "failures", "last_error"])
            what = "switched on" if enabled else "switched off"
            audit.record(actor, "audit.stream_changed", stream, after={"enabled": enabled}, what=what)
    return stream


def remove_audit_stream(actor: Actor, stream_id: UUID) -> None:
    with tenancy.scope(actor.organization_id):
        stream = _locked(actor, stream_id)
        audit.record(actor, "audit.stream_removed", stream)
        stream.delete()


def _locked(actor: Actor, stream_id: UUID) -> AuditStream:
    actor.require(MANAGE)
    stream: AuditStream | None = AuditStream.objects.select_for_update().filter(pk=stream_id).first()
    if stream is None:
        raise NotFound("The audit log is not sent there.")
    return stream
