"""Exports of any length: read and sent a piece at a time, newest first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from apps.accounts.audit.presentation import as_json
from apps.accounts.audit.search import Filters, page_of
from apps.core import tenancy
from apps.core.sheets import safe
from apps.core.threads import release_thread

PIECE_ROWS = 1000
COLUMNS = (
    "sequence",
    "created_at",
    "sentence",
    "action",
    "actor_kind",
    "actor_name",
    "actor_id",
    "impersonator",
    "target_type",
    "target_name",
    "target_id",
    "address",
    "agent",
    "request_id",
    "before",
    "after",
    "detail",
    "hash",
)


def json_lines(entries: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()


def csv_lines(entries: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([safe(cell) for cell in _row(entry)] for entry in entries)
    return text.getvalue().encode()


def _row(entry: dict[str, Any]) -> list[str]:
    actor, target = entry["actor"], entry["target"]
    flat = entry | {f"actor_{name}": value for name, value in actor.items()}
    flat |= {f"target_{name}": value for name, value in target.items()}
    flat["impersonator"] = (actor["impersonator"] or {}).get("name", "")
    return [_cell(flat[name]) for name in COLUMNS]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else str(value)


# The mark lets spreadsheets read the file as UTF-8.
FORMATS: dict[str, tuple[str, bytes, Callable[[Sequence[dict[str, Any]]], bytes]]] = {
    "csv": ("text/csv; charset=utf-8", b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n", csv_lines),
    "jsonl": ("application/x-ndjson", b"", json_lines),
}


async def stream(organization_id: UUID, filters: Filters, format: str) -> AsyncGenerator[bytes]:
    """The file, piece by piece; between two pieces a slow reader holds neither thread nor connection."""
    _, head, lines = FORMATS[format]
    if head:
        yield head
    before: int | None = None
    while True:
        entries, before = await sync_to_async(_piece)(organization_id, filters, before)
        await release_thread()
        if entries:
            yield lines(entries)
        if before is None:
            return


def _piece(organization_id: UUID, filters: Filters, before: int | None) -> tuple[list[dict[str, Any]], int | None]:
    with tenancy.scope(organization_id):
        page = page_of(filters, before, size=PIECE_ROWS)
        return [as_json(entry) for entry in page.rows], page.older
