"""Usage as CSV: a line for each hour, member, key, model and meter, of any number, sent a piece at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import Q

from apps.accounts.audit.export import safe
from apps.billing.models import UsageHour
from apps.billing.usage import TEXT, Filters
from apps.core import tenancy
from apps.core.threads import release_thread

PIECE_ROWS = 1000
COLUMNS = (
    "hour",
    "member",
    "service_account",
    "api_key",
    "api_key_prefix",
    "model",
    "meter",
    "requests",
    "prompt_tokens",
    "completion_tokens",
    "tokens",
    "quantity",
    "amount",
    "currency",
    "charge",
    "charge_currency",
)
Place = tuple[datetime, UUID]


async def stream(organization_id: UUID, filters: Filters) -> AsyncGenerator[bytes]:
    """The file; between two pieces a slow reader holds neither thread nor connection."""
    # The mark lets spreadsheets read the file as UTF-8.
    yield b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"
    after: Place | None = None
    while True:
        lines, after = await sync_to_async(_piece)(organization_id, filters, after)
        await release_thread()
        if lines:
            yield lines
        if after is None:
            return


def _piece(organization_id: UUID, filters: Filters, after: Place | None) -> tuple[bytes, Place | None]:
    with tenancy.scope(organization_id):
        rows = filters.rows().select_related("spender__user", "spender__service_account", "api_key")
        if after is not None:
            rows = rows.filter(Q(hour__gt=after[0]) | Q(hour=after[0], id__gt=after[1]))
        found: list[UsageHour] = list(rows.order_by("hour", "id")[:PIECE_ROWS])
        text = io.StringIO()
        csv.writer(text).writerows([safe(str(cell)) for cell in _cells(row)] for row in found)
    last = found[-1] if len(found) == PIECE_ROWS else None
    return text.getvalue().encode(), (last.hour, last.pk) if last else None


def _cells(row: UsageHour) -> list[Any]:
    spender, key = row.spender, row.api_key
    robot = spender.service_account if spender else None
    return [
        row.hour.astimezone(UTC).isoformat(timespec="minutes"),
        str(spender) if spender and robot is None else "",
        robot or "",
        key.name if key else "",
        key.prefix if key else "",
        row.model_name,
        row.meter or TEXT,
        row.requests,
        row.prompt_tokens,
        row.completion_tokens,
        row.tokens,
        row.quantity,
        _amount(row.amount_micros),
        row.currency,
        _amount(row.charge_micros),
        row.charge_currency,
    ]


def _amount(micros: int) -> str:
    return f"{Decimal(micros) / 1_000_000:.6f}"
