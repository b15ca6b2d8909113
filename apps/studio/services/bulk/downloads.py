"""Who has taken a run's texts out of the organization."""

from __future__ import annotations

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.studio.models import BulkRun
from apps.studio.services.bulk.taking import READ


def note_download(actor: Actor, run: BulkRun, format: str) -> None:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        audit.record(actor, "bulk_run.downloaded", run, format=format)
