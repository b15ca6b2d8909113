"""Bringing sealed columns under the current master key while the product runs (`apps.core.crypto`).

Reads work all the while, since an envelope names its key. A row is written by compare-and-set on the envelope that was
read, so a secret that somebody stores meanwhile is never replaced by the one before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import apps
from django.db import models, transaction

from apps.core import crypto
from apps.core.errors import SealedValueUnreadable
from apps.core.tenancy import Across, across_tenants

# A batch is one transaction, and holds the locks of its rows for some tens of milliseconds.
BATCH = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Column:
    """A sealed column of a table."""

    model: type[models.Model]
    name: str

    @property
    def label(self) -> str:
        return f"{self.model._meta.db_table}.{self.name}"

    def rows(self) -> models.QuerySet[Any]:
        """Rows with an envelope; to be read across tenants."""
        return self.model._default_manager.exclude(**{self.name: ""}).exclude(**{f"{self.name}__isnull": True})

    def old_rows(self) -> models.QuerySet[Any]:
        prefix = f"{crypto.VERSION}.{crypto.keyring().current}."
        return self.rows().exclude(**{f"{self.name}__startswith": prefix}).order_by("pk")


@dataclass(slots=True)
class Outcome:
    """What a rotation did; `contested` rows were written by others at the same moment, `unreadable` ones stay."""

    resealed: int = 0
    contested: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How many envelopes of a column are under which key."""

    column: str
    by_key: dict[str, int]

    @property
    def old(self) -> int:
        current = crypto.keyring().current
        return sum(count for key, count in self.by_key.items() if key != current)


def columns() -> list[Column]:
    """Every sealed column of the product, found by its type."""
    return [
        Column(model, field.name)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, crypto.SealedText)
    ]


def standing() -> list[Standing]:
    """Where rotation stands, column by column."""
    found = []
    for column in columns():
        with across_tenants(Across.OPERATE):
            counts = Counter(_key_of(envelope) for envelope in _envelopes(column))
        found.append(Standing(column.label, dict(counts)))
    return found


def _envelopes(column: Column) -> Iterator[str]:
    return iter(column.rows().values_list(column.name, flat=True).iterator(chunk_size=1000))


def _key_of(envelope: str) -> str:
    try:
        return crypto.key_id(envelope)
    except SealedValueUnreadable:
        return "unreadable"


def rotate(at_most: int | None = None, told: Callable[[str, Outcome], None] | None = None) -> Outcome:
    """Reseals what is under an older key, in batches; `told` hears of each column's progress after each of them.

    Ends after `at_most` rows, or when every row has been tried once. Rows that were contested or unreadable are left as
    they are: the former are under a writer's key, the latter need an operator.
    """
    total = Outcome()
    for column in columns():
        done = Outcome()
        after: Any = None
        while at_most is None or total.resealed + done.resealed < at_most:
            after = _rotate_batch(column, after, done)
            if told and after is not None:
                told(column.label, done)
            if after is None:
                break
        total.resealed += done.resealed
        total.contested += done.contested
        total.unreadable += done.unreadable
    return total


def _rotate_batch(column: Column, after: Any, done: Outcome) -> Any:
    """One transaction's worth of rows behind the primary key `after`; the last key seen, or None at the end."""
    with across_tenants(Across.OPERATE), transaction.atomic():
        rows = column.old_rows()
        batch = list((rows.filter(pk__gt=after) if after is not None else rows)[:BATCH])
        for row in batch:
            _reseal(column, row, done)
    return batch[-1].pk if batch else None


def _reseal(column: Column, row: models.Model, done: Outcome) -> None:
    before = getattr(row, column.name)
    try:
        envelope = crypto.reseal(before, crypto.place_of(row, column.name))
    except SealedValueUnreadable as error:
        done.unreadable += 1
        log.error("sealed value not rotated", column=column.label, row=str(row.pk), reason=error.code)
        return
    same = column.model._default_manager.filter(**{"pk": row.pk, column.name: before})
    if same.update(**{column.name: envelope}):
        done.resealed += 1
    else:
        done.contested += 1
