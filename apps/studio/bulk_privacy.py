"""What bulk runs store."""

from __future__ import annotations

from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core import tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention, Texts
from apps.studio.models import BulkRow, BulkRun, RunState
from apps.studio.models.bulk import OVER

WITH_SCHEDULE = Retention(words=_("as long as the schedule"))
WITH_RUN = Retention(words=_("as long as the bulk run"))


def erase_bulk_runs(erasing: Erasing) -> int:
    """Stops what still runs in the person's name and takes the name off; with the texts the tables go as well."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        runs = BulkRun.objects.filter(created_by=erasing.person_id)
        going = runs.exclude(state__in=[*OVER, RunState.DRAFT])
        going.update(state=RunState.ENDING, next_at=Now())
        if erasing.texts == Texts.ERASE:
            BulkRow.objects.filter(run__in=runs).update(values={}, originals="", problem="", problem_said={})
            runs.update(prompt="", originals="", name=erasing.pseudonym, mapping={}, columns=[])
        return int(runs.update(created_by=None))


BULK_KINDS = (
    DataKind(
        name="schedules",
        label=_("Schedules"),
        model="studio.Schedule",
        what=_("What is asked again and again, from which sources, and when."),
        why=_("It is written at its times."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="schedule_recipients",
        label=_("Recipients of schedules"),
        model="studio.Recipient",
        what=_("Addresses that texts are sent to, and whether they want them."),
        why=_("Nobody gets mail who has not said yes, or has said no."),
        basis=Basis.CONSENT,
        addresses=("email",),
        erasure=OnErasure.DELETE,
        retention=WITH_SCHEDULE,
    ),
    DataKind(
        name="occurrences",
        label=_("Occurrences of schedules"),
        model="studio.Occurrence",
        what=_("When a schedule was carried out, what was read, which text came of it, and how many got it."),
        why=_("Each time is carried out once, and failures can be seen."),
        basis=Basis.CONTRACT,
        retention=WITH_SCHEDULE,
    ),
    DataKind(
        name="files",
        label=_("Files of programs"),
        model="studio.StoredFile",
        what=_("Files that programs uploaded, and those with the answers of batches: names, sizes, digests."),
        why=_("Batches read their requests from them."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=Retention(words=_("until they are deleted")),
        where=_("PostgreSQL and the file store"),
    ),
    DataKind(
        name="batches",
        label=_("Batches"),
        model="studio.Batch",
        what=_("Which file of requests was asked, when, and how that ended; the requests are rows of a bulk run."),
        why=_("Programs ask much at once and come back for it."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="bulk_runs",
        label=_("Bulk runs"),
        model="studio.BulkRun",
        what=_("What was asked about the rows of a table: prompt or template, settings, state."),
        why=_("Its rows are asked one after the other, and their texts are downloaded together."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.CHOICE,
        erase=erase_bulk_runs,
        retention=Retention(least=1, most=3650, since="finished_at", only={"state__in": sorted(OVER)}),
    ),
    DataKind(
        name="bulk_rows",
        label=_("Rows of bulk runs"),
        model="studio.BulkRow",
        what=_("The cells of an uploaded table, and which text was written for each row."),
        why=_("Each row is asked once, and downloaded with its text."),
        basis=Basis.CONTRACT,
        retention=WITH_RUN,
    ),
    DataKind(
        name="bulk_attempts",
        label=_("Attempts at rows of bulk runs"),
        model="studio.BulkAttempt",
        what=_("How often a row was asked, and which text came of it."),
        why=_("No row is asked or charged twice."),
        basis=Basis.CONTRACT,
        retention=WITH_RUN,
    ),
)
