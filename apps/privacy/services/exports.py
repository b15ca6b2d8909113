"""Exports: asking for one, ending it with its file or without, and removing what has expired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, jobs, media, tenancy
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.core.tenancy import Across, across_tenants
from apps.privacy.exporting import Written
from apps.privacy.models import Export, Scope
from apps.privacy.services.people import require_known

WAKE = "privacy.wake"
MANAGE = "privacy:manage"
MOST_WAITING = 3


def request_export(actor: Actor, scope: Scope, person_id: UUID | None = None) -> Export:
    """Asks for an export: of the organization or of a person in it by whoever manages privacy, of oneself by anybody.

    Raises PermissionDenied, NotFound for a person of whom nothing is stored here, and Conflict when three wait already.
    """
    person_id = authorized_person(actor, scope, person_id)
    with tenancy.scope(actor.organization_id):
        if scope == Scope.MEMBER and person_id:
            require_known(person_id)
        waiting = Export.objects.unfinished().filter(requested_by=actor.user_id)
        if waiting.count() >= MOST_WAITING:
            raise Conflict("Three exports are under way already; wait until one of them is ready.")
        export: Export = Export.objects.create(
            organization_id=actor.organization_id,
            scope=scope,
            person_id=person_id,
            requested_by_id=actor.user_id,
            request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        )
        export.refresh_from_db()
        audit.record(actor, "privacy.export_requested", export, scope=scope, person=str(person_id or ""))
        jobs.ring(WAKE)
    return export


def authorized_person(actor: Actor, scope: Scope, person_id: UUID | None) -> UUID | None:
    """Whom a request of this scope is about; raises PermissionDenied when it is not the actor's to make."""
    if scope != Scope.ACCOUNT:
        actor.require(MANAGE)
        return person_id
    if actor.user_id is None or actor.impersonator_id is not None:
        raise PermissionDenied("Only the person can ask for this, signed in as themselves.")
    return actor.user_id


def get_export(actor: Actor, id: UUID) -> Export:
    """One export that the actor may see; NotFound for anybody else's alike."""
    with tenancy.scope(actor.organization_id):
        found: Export | None = (
            Export.objects.visible_to(actor.user_id, MANAGE in actor.permissions).filter(pk=id).first()
        )
    if found is None:
        raise NotFound("There is no export with this id.")
    return found


def file_of(export: Export) -> Path:
    return media.folder_of(export.organization_id) / export.path


def part_path(export: Export) -> Path:
    """Where one attempt writes; no other attempt touches it."""
    return media.folder_of(export.organization_id) / "exports" / f"{export.pk}.{export.attempt}.part"


def finish_export(export: Export, written: Written) -> bool:
    """Offers the file of the current attempt; False, and no file, when that attempt has been given up meanwhile."""
    part = part_path(export)
    path = part.with_name(f"{export.pk}.{export.attempt}.zip")
    part.replace(path)
    with tenancy.scope(export.organization_id):
        mine = Export.objects.filter(pk=export.pk, attempt=export.attempt, status=Status.RUNNING)
        finished = mine.update(
            status=Status.SUCCEEDED,
            path=f"{path.parent.name}/{path.name}",
            size=written.size,
            rows=written.rows,
            sha256=written.sha256,
            finished_at=Now(),
            expires_at=timezone.now() + timedelta(days=settings.EXPORT_DAYS),
            lease_until=None,
        )
        if finished:
            events.record("privacy.export_ready", export.pk, {"scope": export.scope})
    for other in path.parent.glob(f"{export.pk}.*"):
        # Of an attempt that was given up, or this one if it was itself.
        if (other == path) != bool(finished):
            other.unlink(missing_ok=True)
    return bool(finished)


def fail_export(export: Export, code: str, message: str) -> bool:
    """Ends the current attempt without a file."""
    with tenancy.scope(export.organization_id):
        mine = Export.objects.filter(pk=export.pk, attempt=export.attempt, status=Status.RUNNING)
        failed = mine.update(
            status=Status.FAILED, error_code=code, error_message=message, finished_at=Now(), lease_until=None
        )
    for left in part_path(export).parent.glob(f"{export.pk}.*"):
        left.unlink(missing_ok=True)
    return bool(failed)


def note_download(actor: Actor, export: Export) -> None:
    """Records that somebody took the file."""
    with tenancy.scope(export.organization_id):
        audit.record(actor, "privacy.export_downloaded", export, scope=export.scope)


def remove_expired_exports() -> int:
    """Removes files whose time has passed, and what crashes have left; how many exports were closed."""
    with across_tenants(Across.HOUSEKEEPING):
        due = Export.objects.filter(status=Status.SUCCEEDED, removed_at=None, expires_at__lte=Now())
        expired = list(due.order_by("expires_at")[:500])
    for export in expired:
        file_of(export).unlink(missing_ok=True)
        with tenancy.scope(export.organization_id):
            Export.objects.filter(pk=export.pk).update(removed_at=Now())
            audit.record(audit.system(export.organization_id), "privacy.export_removed", export, scope=export.scope)
    _remove_strays()
    return len(expired)


def _remove_strays() -> None:
    """Files that no row names: a worker was killed between writing and telling, or a backup was restored."""
    old = timezone.now().timestamp() - timedelta(days=1).total_seconds()
    for path in Path(settings.MEDIA_ROOT).glob("organizations/*/exports/*"):
        if path.stat().st_mtime > old:
            continue
        with across_tenants(Across.HOUSEKEEPING):
            named = Export.objects.filter(path=f"{path.parent.name}/{path.name}", removed_at=None)
            if not named.exists():
                path.unlink(missing_ok=True)
