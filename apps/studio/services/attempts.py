"""Between a generation's attempts: what is tried again, and what has been cleared of having brought a worker down."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F

from apps.core import jobs, tenancy
from apps.core.jobs import Status
from apps.studio.models import Generation
from apps.studio.services.admission import WAKE


def retry_generation(organization_id: UUID, id: UUID, attempt: int) -> bool:
    """Puts a running generation back into the queue after a failure that may pass; counted like a lost worker.

    False if the attempt does not hold it any more.
    """
    with tenancy.scope(organization_id):
        held = Generation.objects.filter(pk=id, attempt=attempt, status=Status.RUNNING)
        returned = held.update(status=Status.QUEUED, lease_until=None, worker="", crashes=F("crashes") + 1)
        if returned:
            jobs.ring(WAKE)
    return bool(returned)


def acquit_generation(organization_id: UUID, id: UUID, attempt: int) -> None:
    """Forgets the crashes of a generation that has come past them: it was in a lost worker's batch by chance."""
    with tenancy.scope(organization_id):
        Generation.objects.filter(pk=id, attempt=attempt, status=Status.RUNNING).update(crashes=0)
