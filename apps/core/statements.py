"""Questions of one shape that are asked with nearly every request: put together once, and planned once a session.

Django puts a query together anew each time, and PostgreSQL plans it anew: for a query of many joins that takes several
times as long as its answer. Only questions that are asked all the time are worth one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from threading import Lock
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler
from psycopg import Cursor

from apps.core.tenancy import Across, ScopeMissing
from apps.core.tenancy.scope import current

M = TypeVar("M", bound=models.Model)


class _PreparedCursor(Cursor[Any]):
    """The session plans each text once. psycopg forgets its statements with every ROLLBACK, so that one which a
    migration has made impossible fails one transaction at most."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(query, params, **options | {"prepare": True})


@contextmanager
def prepared_cursor() -> Iterator[Any]:
    """A cursor of Django's connection, inside a transaction, whose statements stay prepared."""
    connection.ensure_connection()
    if connection.queries_logged:
        # Who counts questions wants to read them, and the server's own form of them is not kept.
        with connection.cursor() as cursor:
            yield cursor
        return
    plain: Any = _PreparedCursor(connection.connection)
    with connection.make_cursor(plain) as cursor:
        yield cursor


class _Compiled(SQLCompiler):
    """A compiler that has done its work: what it found out serves every question of its shape."""

    ready: tuple[str, tuple[Any, ...]]

    def execute_sql(self, *_: Any, **__: Any) -> Any:
        with prepared_cursor() as cursor:
            cursor.execute(*self.ready)
            return [cursor.fetchall()]


class Statement(Generic[M]):
    """A query of models across tenants, with all that it selects and joins, that differs in one text only.

    `build` is called once, with a stand-in for that text, which it must pass on as a parameter. Within one organization
    managers put that organization into a query, which must not be kept; so it is asked across all of them only.
    """

    def __init__(self, build: Callable[[str], models.QuerySet[M]]) -> None:
        self._build = build
        self._compiled: _Compiled | None = None
        self._lock = Lock()

    def ask(self, text: str) -> list[M]:
        if not isinstance(current(), Across):
            raise ScopeMissing("A statement is asked within `across_tenants` only.")
        compiler = copy(self._compile())
        compiler.connection = connection
        sql, parameters = compiler.ready
        compiler.ready = sql, tuple(text if value == _STAND_IN else value for value in parameters)
        asked = SimpleNamespace(
            db=DEFAULT_DB_ALIAS,
            query=SimpleNamespace(get_compiler=lambda using: compiler),
            _known_related_objects={},
        )
        return list(ModelIterable(cast("models.QuerySet[M]", asked)))

    def _compile(self) -> _Compiled:
        with self._lock:
            if self._compiled is None:
                compiler = _Compiled(self._build(_STAND_IN).query, connection, DEFAULT_DB_ALIAS)
                compiler.ready = compiler.as_sql()
                if compiler.ready[1].count(_STAND_IN) != 1:
                    raise ValueError("the text of a statement must be one of its parameters")
                self._compiled = compiler
            return self._compiled


_STAND_IN = "\0the text of the question"
