"""The revenue page as CSV, which people open in spreadsheets. Amounts are in units of their currency."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, date
from typing import Any

from apps.billing.revenue import Collected, Failed, Movements
from apps.core.currencies import minor_digits
from apps.core.sheets import safe

_MOVED = [field.name for field in fields(Movements) if field.name not in ("currency", "month")]
_PAID = [field.name for field in fields(Collected) if field.name not in ("currency", "month")]


def months(moved: Sequence[Movements], collected: Sequence[Collected]) -> bytes:
    """A line for each month and currency."""
    recurring = {(row.month, row.currency): row for row in moved}
    paid = {(row.month, row.currency): row for row in collected}
    keys: list[tuple[date, str]] = sorted({*recurring, *paid})
    names = [name.removesuffix("_minor") for name in (*_MOVED, *_PAID)]
    lines = [
        [f"{key[0]:%Y-%m}", key[1], *_cells(recurring.get(key), _MOVED, key[1]), *_cells(paid.get(key), _PAID, key[1])]
        for key in keys
    ]
    return _written(["month", "currency", *names], lines)


def failed(rows: Iterable[Failed]) -> bytes:
    """A line for each open invoice whose payment failed."""
    lines = [
        [
            row.organization,
            row.organization_id,
            row.number,
            _amount(row.remaining_minor, row.currency),
            row.currency,
            row.failed_at.astimezone(UTC).isoformat(timespec="seconds"),
            row.page_url,
        ]
        for row in rows
    ]
    return _written(["organization", "organization_id", "invoice", "open", "currency", "failed_at", "page"], lines)


def _cells(row: Any, names: Sequence[str], currency: str) -> list[Any]:
    values = [(name, getattr(row, name) if row else 0) for name in names]
    return [_amount(value, currency) if name.endswith("_minor") else value for name, value in values]


def _amount(minor: int, currency: str) -> str:
    digits = minor_digits(currency)
    return f"{minor}" if not digits else f"{minor // 10**digits}.{minor % 10**digits:0{digits}d}"


def _written(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    # The mark lets spreadsheets read the file as UTF-8.
    text = io.StringIO("\ufeff", newline="")
    text.seek(0, io.SEEK_END)
    sheet = csv.writer(text)
    sheet.writerow(columns)
    sheet.writerows([safe(str(cell)) for cell in line] for line in lines)
    return text.getvalue().encode()
