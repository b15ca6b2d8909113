"""Taking in a table: read in a bounded child, kept row by row."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import crypto, events, tenancy
from apps.core.errors import InvalidRequest, NotFound, PayloadTooLarge
from apps.core.said import said
from apps.studio.models import BulkRow, BulkRun, RowState
from apps.studio.services import safety
from apps.studio.services.safety.storing import Stored
from ml.text.tables import Bounds, Refused, Row, Table, read

READ, WRITE = "generations:read", "generations:write"
NO_RUN = gettext_noop("There is no bulk run with this id.")
LONGEST_NAME = 150
BATCH = 1_000


class Upload(Protocol):
    """What a form gives for a file."""

    name: str | None

    def chunks(self) -> Iterable[bytes]: ...


def get_run(actor: Actor, id: UUID) -> BulkRun:
    actor.require(READ)
    with tenancy.reading(actor.organization_id):
        run: BulkRun | None = BulkRun.objects.for_pages().filter(pk=id).first()
    if run is None:
        raise NotFound(NO_RUN)
    return run


def upload_run(actor: Actor, upload: Upload) -> BulkRun:
    """A draft from an uploaded file; raises InvalidRequest or PayloadTooLarge for what is no table to work on."""
    actor.require(WRITE)
    actor.require_open()
    name = PurePath((upload.name or "").replace("\\", "/")).name.strip()[-LONGEST_NAME:]
    if not name or not name.isprintable():
        raise InvalidRequest("Give the file a name of visible characters.", param="file")
    with tempfile.NamedTemporaryFile(prefix="bulk-") as file:
        size = 0
        for piece in upload.chunks():
            size += len(piece)
            if size > settings.BULK_MAX_FILE_BYTES:
                raise PayloadTooLarge(
                    "A table has at most %(most)s bytes.", values={"most": settings.BULK_MAX_FILE_BYTES}, param="file"
                )
            file.write(piece)
        file.flush()
        table = read_table(Path(file.name))
    return create_run(actor, name, table.columns, table.rows, format=table.format)


def read_table(path: Path) -> Table:
    """Read by a child process with bounds of its own, outside of any transaction."""
    try:
        return read(path, Bounds(rows=settings.BULK_MAX_ROWS))
    except Refused as refusal:
        raise InvalidRequest(refusal.template, values=refusal.values, param="file") from None


def create_run(actor: Actor, name: str, columns: Sequence[str], rows: Sequence[Row], *, format: str = "") -> BulkRun:
    """A draft with these rows; nothing is asked before it is set what, and started."""
    actor.require(WRITE)
    actor.require_open()
    # Before the transaction: it takes a while for a large table.
    masker = safety.Masker.of(actor.organization_id)
    stored = [masker.masked(row.values) for row in rows]
    with tenancy.scope(actor.organization_id):
        run = new_run(actor, name, columns, format)
        made = (_row(run, number, *pair) for number, pair in enumerate(zip(rows, stored, strict=True), 1))
        BulkRow.objects.bulk_create(made, batch_size=BATCH)
        audit.record(actor, "bulk_run.created", run, rows=len(rows))
        events.record("bulk_run.created", run.pk, {"name": name, "rows": len(rows)})
    return run


def new_run(actor: Actor, name: str, columns: Sequence[str], format: str) -> BulkRun:
    """The row of a draft without rows, in the organization's scope."""
    run: BulkRun = BulkRun.objects.create(
        organization_id=actor.organization_id,
        name=name,
        format=format,
        columns=list(columns),
        created_by_id=actor.user_id,
        api_key_id=actor.api_key_id,
        request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
    )
    run.refresh_from_db(fields=["created_at"])
    return run


def _row(run: BulkRun, number: int, row: Row, stored: Stored) -> BulkRow:
    made = BulkRow(
        organization_id=run.organization_id,
        run=run,
        number=number,
        values=stored.values,
        state=RowState.INVALID if row.problem else RowState.READY,
        problem_code="row_unreadable" if row.problem else "",
        problem=row.problem,
        problem_said=said(row.problem),
    )
    crypto.seal_into(made, "originals", stored.originals)
    return made
