"""What a worker does about batches: reads their requests, and writes their answers to files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from apps.studio.models import Batch

PIECE_ROWS = 500

log = structlog.get_logger(__name__)


def look(worker: str) -> bool:
    """Does what there is to do about one batch; False if there is nothing."""
    from apps.studio.models import BatchState
    from apps.studio.services import batches

    batch = batches.claim_batch(worker)
    if batch is None:
        return False
    with structlog.contextvars.bound_contextvars(request_id=batch.request_id, batch=str(batch.pk)):
        if batch.attempt > batches.MOST_ATTEMPTS:
            batches.give_up(batch)
        elif batch.state == BatchState.VALIDATING:
            read(batch)
        else:
            write(batch)
    return True


def read(batch: Batch) -> None:
    """The file's lines become rows of a run, or the batch fails with what is wrong with them."""
    from apps.core import tenancy
    from apps.studio.api.batch_lines import read_requests
    from apps.studio.models import StoredFile
    from apps.studio.services import batches
    from apps.studio.services.files import path_of

    with tenancy.scope(batch.organization_id):
        file = StoredFile.objects.filter(pk=batch.input_id).first()
    try:
        if file is None:
            raise FileNotFoundError
        with path_of(batch.organization_id, file.path).open("rb") as lines:
            requests, errors = read_requests(lines, batch.endpoint)
    except FileNotFoundError:
        message = "The input file is gone."
        requests, errors = [], [{"code": "file_not_found", "message": message, "param": None, "line": None}]
    if errors:
        batches.fail_batch(batch, errors)
    else:
        batches.begin_batch(batch, requests)


def write(batch: Batch) -> None:
    """The answers of a run that is over, each request in one of two files; written anew if a worker was lost."""
    from apps.core import tenancy
    from apps.studio.api.batch_lines import answer_of
    from apps.studio.models import BulkRow, BulkRun, RunState
    from apps.studio.services import batches
    from apps.studio.services.files import path_of

    if not batches.begin_writing(batch):
        return
    with tenancy.scope(batch.organization_id):
        run = BulkRun.objects.filter(pk=batch.run_id).first()
    expired = run is not None and run.state == RunState.EXPIRED
    names = {True: f"files/{batch.pk}-output", False: f"files/{batch.pk}-error"}
    counts = {True: 0, False: 0}
    with (
        path_of(batch.organization_id, names[True]).open("w", encoding="utf-8") as answers,
        path_of(batch.organization_id, names[False]).open("w", encoding="utf-8") as errors,
    ):
        after: int | None = 0 if run is not None else None
        while after is not None:
            with tenancy.scope(batch.organization_id):
                rows = BulkRow.objects.filter(run=batch.run_id, number__gt=after).select_related("generation__model")
                found = list(rows.order_by("number")[:PIECE_ROWS])
                for row in found:
                    answered, line = answer_of(row, expired)
                    (answers if answered else errors).write(json.dumps(line, ensure_ascii=False) + "\n")
                    counts[answered] += 1
            after = found[-1].number if len(found) == PIECE_ROWS else None
    for answered, count in counts.items():
        if not count:
            path_of(batch.organization_id, names[answered]).unlink(missing_ok=True)
    batches.end_batch(batch, names[True] if counts[True] else "", names[False] if counts[False] else "")
