"""A run's table with the texts beside it, as CSV, XLSX or JSON lines, sent while it is read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from apps.core import tenancy
from apps.core.sheets import safe
from apps.core.threads import release_thread
from apps.core.workbooks import Workbook
from apps.studio.models import BulkRow, BulkRun, RowState

PIECE_ROWS = 500
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl; charset=utf-8",
}
EXTRA = ("output", "status", "model", "model_version", "prompt_tokens", "completion_tokens", "error_code", "error")
Rows = Sequence[Sequence[str]]


class _Csv:
    def rows(self, rows: Rows) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows([safe(cell) for cell in row] for row in rows)
        return text.getvalue().encode()

    def close(self) -> bytes:
        return b""


class _JsonLines:
    """Objects whose names are the first row's."""

    def __init__(self) -> None:
        self._names: Sequence[str] = ()

    def rows(self, rows: Rows) -> bytes:
        if not self._names and rows:
            self._names, rows = rows[0], rows[1:]
        objects = (dict(zip(self._names, row, strict=True)) for row in rows)
        return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects).encode()

    def close(self) -> bytes:
        return b""


WRITERS: dict[str, Callable[[], Any]] = {"csv": _Csv, "xlsx": Workbook, "jsonl": _JsonLines}


async def stream(run: BulkRun, format: str) -> AsyncGenerator[bytes]:
    """The file; between two pieces a slow reader holds neither thread nor connection."""
    writer = WRITERS[format]()
    if format == "csv":
        # The mark lets spreadsheets read the file as UTF-8.
        yield b"\xef\xbb\xbf"
    yield await sync_to_async(writer.rows)([names_of(run.columns)])
    after: int | None = 0
    while after is not None:
        rows, after = await sync_to_async(_piece)(run.organization_id, run.pk, run.columns, after)
        await release_thread()
        if piece := await sync_to_async(writer.rows)(rows):
            yield piece
    yield await sync_to_async(writer.close)()


def names_of(columns: Sequence[str]) -> list[str]:
    """The table's own columns and ours, none twice."""
    names = list(columns)
    for name in EXTRA:
        while name in names:
            name = f"{name}_"
        names.append(name)
    return names


def _piece(organization_id: UUID, run_id: UUID, columns: Sequence[str], after: int) -> tuple[Rows, int | None]:
    with tenancy.scope(organization_id):
        rows = BulkRow.objects.filter(run=run_id, number__gt=after).select_related("generation__model")
        found: list[BulkRow] = list(rows.order_by("number")[:PIECE_ROWS])
        last = found[-1].number if len(found) == PIECE_ROWS else None
        return [[str(row.values.get(name, "")) for name in columns] + _extra(row) for row in found], last


def _extra(row: BulkRow) -> list[str]:
    written = row.generation if row.state == RowState.ASKED else None
    if written is None:
        return ["", row.standing, "", "", "", "", row.problem_code, row.problem]
    used = written.completion_tokens or written.status == "succeeded"
    return [
        written.text,
        row.standing,
        written.model_name,
        written.model.name,
        str(written.prompt_tokens if used else 0),
        str(written.completion_tokens),
        written.error_code,
        written.error_message,
    ]
