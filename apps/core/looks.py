"""What waits in many tables, asked in one question: nearly always nothing does, for a bell rings when something comes.

A task for each table would be a message, a thread and a transaction each time, which on a quiet installation is most of
what its processors do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DatabaseError, connection
from django.db.models import QuerySet

from apps.core.statements import prepared_cursor
from apps.core.tenancy import Across, across_tenants

log = logging.getLogger(__name__)

# For each name the rows that wait for it, where any does. Built once, across tenants: times are the database's.
Waiting = Callable[[], Mapping[str, Iterable[QuerySet[Any]]]]


class Look:
    """One statement for all of `waiting`, put together when it is first asked and planned once a session."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._ready: tuple[str, list[Any]] | None = None

    def names(self) -> list[str]:
        """For what something waits, each once; all, where a table cannot be asked: then each looks for itself."""
        try:
            with across_tenants(Across.CLAIM_WORK):
                if self._ready is None:
                    self._ready = _statement(self._waiting())
                with prepared_cursor() as cursor:
                    cursor.execute(*self._ready)
                    return list(dict.fromkeys(name for (name,) in cursor.fetchall()))
        except DatabaseError as error:
            log.warning("not looked around: %s", error)
            with across_tenants(Across.CLAIM_WORK):
                return list(self._waiting())


def _statement(waiting: Mapping[str, Iterable[QuerySet[Any]]]) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    for name, sources in waiting.items():
        for rows in sources:
            try:
                sql, given = rows.order_by().query.exists().get_compiler(connection=connection).as_sql()
            except EmptyResultSet:
                # As this installation is set, none can ever wait.
                continue
            parts.append(f"SELECT %s::text WHERE EXISTS ({sql})")
            values += [name, *given]
    return " UNION ALL ".join(parts), values
