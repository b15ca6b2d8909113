"""Questions of one shape that are asked with nearly every request: put together once, and planned once a session.

Django puts a query together anew each time, and PostgreSQL plans it anew: for a query of many joins that takes several
times as long as its answer. Only questions that are asked all the time are worth one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, models
from django.db.models.expressions import DatabaseDefault, RawSQL
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler
from psycopg import Cursor
from psycopg.types.numeric import Int8

from apps.core.tenancy import Across, ScopeMissing, TenantModel, current_organization
from apps.core.tenancy.scope import current, pretending

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


def rows_of(model: type[M], question: str, values: Mapping[str, Any]) -> list[M]:
    """Instances from a statement of SQL that is prepared, with `:columns` for all of the model's.

    As with `raw` of a manager, but what that finds out about the columns is found out once. They are named, since a
    prepared `*` fails once a migration has added a column.
    """
    if issubclass(model, TenantModel) and current() is None:
        raise ScopeMissing(f"{model.__name__} was read outside a tenant scope.")
    columns = _columns(model)
    names = [field.attname for field in model._meta.concrete_fields]
    with prepared_cursor() as cursor:
        cursor.execute(_named(model, question), {name: as_one_type(value) for name, value in values.items()})
        return [
            model.from_db(DEFAULT_DB_ALIAS, names, [column.read(row) for column in columns])
            for row in cursor.fetchall()
        ]


def as_one_type(value: Any) -> Any:
    """Whole numbers as one type: psycopg's depends on how large they are, and each would be a statement of its own."""
    return Int8(value) if type(value) is int else value


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a field's value stands in a row, and what makes of it what the field has."""

    place: int
    converters: list[Callable[..., Any]]
    expression: Any

    def read(self, row: tuple[Any, ...]) -> Any:
        value = row[self.place]
        for convert in self.converters:
            value = convert(value, self.expression, connection)
        return value


@cache
def _named(model: type[models.Model], question: str) -> str:
    return question.replace(":columns", ", ".join(map(_column, model._meta.concrete_fields)))


@cache
def _columns(model: type[models.Model]) -> list[_Column]:
    table = model._meta.db_table
    return [
        _Column(place, field.get_db_converters(connection), field.get_col(table))
        for place, field in enumerate(model._meta.concrete_fields)
    ]


def insert(row: TenantModel, told: str) -> Any:
    """Writes a new row by a statement whose text is put together once, and returns what the SQL of `told` finds.

    That sees the table without the new row. What has a value in the database only, as its clock's, is read back.
    """
    fields = row._meta.concrete_fields
    parts, values = _written((field, field.pre_save(row, add=True)) for field in fields)
    asked = [field for field, part in zip(fields, parts, strict=True) if part != "%s"]
    with connection.cursor() as cursor:
        cursor.execute(_insert(type(row), tuple(parts), tuple(map(_column, asked)), told), values)
        *found, answer = cursor.fetchone()
    for field, value in zip(asked, found, strict=True):
        column = _Column(0, field.get_db_converters(connection), field.get_col(row._meta.db_table))
        setattr(row, field.attname, column.read((value,)))
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return answer


@lru_cache(maxsize=256)
def _insert(model: type[TenantModel], parts: tuple[str, ...], asked: tuple[str, ...], told: str) -> str:
    columns = ", ".join(map(_column, model._meta.concrete_fields))
    back = "".join(f"{column}, " for column in asked)
    return f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({', '.join(parts)}) RETURNING {back}({told})"


def update(row: TenantModel, changes: Mapping[str, Any]) -> None:
    """Writes these values of a row, which the caller holds locked; DatabaseError where it is gone."""
    fields = [row._meta.get_field(name) for name in changes]
    parts, values = _written(zip(fields, changes.values(), strict=True))
    changed = ", ".join(f"{_column(field)} = {part}" for field, part in zip(fields, parts, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET {changed} WHERE organization_id = %s AND id = %s",
            [*values, row.organization_id, row.pk],
        )
        if cursor.rowcount != 1:
            raise DatabaseError(f"There is no {row._meta.verbose_name} {row.pk} to change.")


def _column(field: Any) -> str:
    return str(connection.ops.quote_name(field.column))


def _written(given: Iterable[tuple[Any, Any]]) -> tuple[list[str], list[Any]]:
    """For each field and its value, how it stands in a statement; and the parameters of all."""
    parts: list[str] = []
    values: list[Any] = []
    for field, value in given:
        if isinstance(value, DatabaseDefault):
            parts.append("DEFAULT")
        elif isinstance(value, RawSQL):
            parts.append(value.sql)
            values += value.params
        else:
            parts.append("%s")
            values.append(field.get_db_prep_save(value, connection))
    return parts, values


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
        return _read(compiler)

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
_SOME_ORGANIZATION, _SOME_VALUE = UUID(int=1), UUID(int=2)


class OwnStatement(Generic[M]):
    """The same within the organization in scope: a query that differs in one value and in whose rows it finds.

    `build` is called once, with a stand-in for the value, an id or what `extra` takes, which it must pass on as a
    parameter; the organization that managers put into the query has a stand-in as well.
    """

    def __init__(self, build: Callable[[UUID], models.QuerySet[M]]) -> None:
        self._build = build
        self._compiled: _Compiled | None = None
        self._lock = Lock()

    def ask(self, value: Any) -> list[M]:
        organization = current_organization()
        compiler = copy(self._compile())
        compiler.connection = connection
        given = {_SOME_ORGANIZATION: organization, _SOME_VALUE: value}
        sql, parameters = compiler.ready
        compiler.ready = sql, tuple(given[each] if isinstance(each, UUID) else each for each in parameters)
        return _read(compiler)

    def _compile(self) -> _Compiled:
        with self._lock:
            if self._compiled is None:
                with pretending(_SOME_ORGANIZATION):
                    compiler = _Compiled(self._build(_SOME_VALUE).query, connection, DEFAULT_DB_ALIAS)
                    compiler.ready = compiler.as_sql()
                if _SOME_VALUE not in compiler.ready[1] or _SOME_ORGANIZATION not in compiler.ready[1]:
                    raise ValueError("the value and the organization of a statement must be among its parameters")
                self._compiled = compiler
            return self._compiled


def _read(compiler: _Compiled) -> list[Any]:
    asked = SimpleNamespace(
        db=DEFAULT_DB_ALIAS,
        query=SimpleNamespace(get_compiler=lambda using: compiler),
        _known_related_objects={},
    )
    return list(ModelIterable(cast("models.QuerySet[Any]", asked)))
