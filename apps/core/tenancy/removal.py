"""Removing an organization's rows for good, also those that the application may only add (decision 17).

The application's role cannot change what has been written to the ledger, the events and the audit trail. For the moment
of a removal the transaction takes on a role that may do nothing but read and delete tenant rows, and which row-level
security binds to the one organization.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, models

from apps.core.tenancy.migrations import REMOVAL_ROLE
from apps.core.tenancy.models import TenantModel
from apps.core.tenancy.scope import scope

# Deleted rows wait in memory for the check of their references, so that a transaction takes only so many.
BATCH_ROWS = 5_000


@contextmanager
def removing(organization_id: UUID) -> Iterator[None]:
    """A transaction in the organization's scope that may delete its rows of every tenant table, and write nothing."""
    with scope(organization_id), connection.cursor() as cursor:
        cursor.execute("SHOW role")
        before = cursor.fetchone()[0]
        cursor.execute(f"SET LOCAL ROLE {REMOVAL_ROLE}")
        yield
        # After an error the savepoint's or the transaction's end takes the role back.
        cursor.execute("SELECT set_config('role', %s, true)", [before])


def remove_rows(organization_id: UUID, batch: int = BATCH_ROWS) -> dict[str, int]:
    """Deletes every row of the organization, batch by batch; how many of each table. Takes up what was broken off."""
    counts: dict[str, int] = {}
    at_the_end = _with_the_organization()
    for model in children_first():
        removed = 0 if model in at_the_end else batch
        while removed == batch:
            removed = _remove_batch(organization_id, model, batch)
            counts[model._meta.label] = counts.get(model._meta.label, 0) + removed
    for label, removed in _remove_root(organization_id).items():
        counts[label] = counts.get(label, 0) + removed
    return counts


def _remove_root(organization_id: UUID) -> dict[str, int]:
    """The organization, what goes in its transaction, and what was written meanwhile; nothing can refer to it now."""
    # An abstract model's field still holds the name.
    root = apps.get_model(TenantModel._meta.get_field("organization").remote_field.model)  # type: ignore[arg-type]
    counts: dict[str, int] = {}
    with removing(organization_id), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {root._meta.db_table} WHERE id = %s", [organization_id])
        for model in children_first():
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE organization_id = %s", [organization_id])
            counts[model._meta.label] = cursor.rowcount
    return counts


def _with_the_organization() -> set[type[models.Model]]:
    """Tables whose changes a trigger records at the commit, those of a circle, and all that these refer to.

    It would write into the trail that is being removed, unless the organization goes with the same commit; and rows of
    tables that refer to each other can only go together. Such tables hold settings and people, so that they are small
    enough for one transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tginitdeferred AND NOT tgisinternal")
        watched = {row[0] for row in cursor.fetchall()}
    found: set[type[models.Model]] = set()
    for model in children_first():
        if (
            model._meta.db_table in watched
            or len(_circle_of(model)) > 1
            or any(model in _referred_to(other) for other in found)
        ):
            found.add(model)
    return found


def _remove_batch(organization_id: UUID, model: type[TenantModel], batch: int) -> int:
    table = model._meta.db_table
    with removing(organization_id), connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("
            f"SELECT ctid FROM {table} WHERE organization_id = %s LIMIT %s))",
            [organization_id, batch],
        )
        return int(cursor.rowcount)


def children_first() -> list[type[TenantModel]]:
    """Every tenant table, each before those that it refers to; those of one circle stand together."""
    waiting: dict[type[TenantModel], set[type[models.Model]]] = {
        model: _referred_to(model) for model in apps.get_models() if issubclass(model, TenantModel)
    }
    circles = {model: _circle_of(model) for model in waiting}
    ordered: list[type[TenantModel]] = []
    while waiting:
        free = [
            model
            for model in waiting
            if not any(circles[model] & targets for other, targets in waiting.items() if other not in circles[model])
        ]
        ordered += free
        for model in free:
            del waiting[model]
    return ordered


def _referred_to(model: type[models.Model]) -> set[type[models.Model]]:
    fields: list[Any] = [field for field in model._meta.get_fields() if isinstance(field, models.ForeignKey)]
    return {field.related_model for field in fields} - {model}


def _circle_of(model: type[models.Model]) -> set[type[models.Model]]:
    """The table and those that it reaches by references and that reach it."""
    return {model} | {other for other in _reached(model) if model in _reached(other)}


@cache
def _reached(model: type[models.Model]) -> frozenset[type[models.Model]]:
    found: set[type[models.Model]] = set()
    coming = [model]
    while coming:
        fresh = _referred_to(coming.pop()) - found
        found |= fresh
        coming += fresh
    return frozenset(found)
