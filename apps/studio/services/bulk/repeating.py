"""The same table once more, as a run of its own."""

from __future__ import annotations

from collections.abc import Iterator

from apps.accounts.access import Actor
from apps.core import crypto, tenancy
from apps.core.errors import Conflict
from apps.studio.models import BulkRow, BulkRun, RowState
from apps.studio.services import safety
from apps.studio.services.bulk.acts import start_run
from apps.studio.services.bulk.drafts import Draft, configure_run
from apps.studio.services.bulk.taking import BATCH, new_run

UNREADABLE = "row_unreadable"


def repeat_run(actor: Actor, table: BulkRun) -> BulkRun:
    """A further run of the rows of `table`, asked the same under what its template's name means now, and started.

    All of it or nothing. Raises what setting and starting a run raise.
    """
    if table.estimate is None:
        raise Conflict("Say first what is to be asked about each row.")
    with tenancy.scope(actor.organization_id):
        run = new_run(actor, table.name, table.columns, table.format)
        for rows in _batches(table):
            BulkRow.objects.bulk_create(_copy(run, row) for row in rows)
        draft = Draft(
            prompt=safety.unmasked(table.prompt, table.originals_kept),
            template=table.template,
            mapping=table.mapping,
            model=table.model_name,
            max_tokens=table.max_tokens,
            sampling=table.sampling,
        )
        configure_run(actor, run.pk, draft)
        return start_run(actor, run.pk)


def _batches(table: BulkRun) -> Iterator[list[BulkRow]]:
    last = 0
    while rows := list(BulkRow.objects.filter(run=table, number__gt=last).order_by("number")[:BATCH]):
        yield rows
        last = rows[-1].number


def _copy(run: BulkRun, row: BulkRow) -> BulkRow:
    unreadable = row.problem_code == UNREADABLE
    copied = BulkRow(
        organization_id=run.organization_id,
        run=run,
        number=row.number,
        values=row.values,
        state=RowState.INVALID if unreadable else RowState.READY,
        problem_code=row.problem_code if unreadable else "",
        problem=row.problem if unreadable else "",
        problem_said=row.problem_said if unreadable else {},
    )
    # An envelope opens in its own row alone.
    crypto.seal_into(copied, "originals", row.originals_kept)
    return copied
