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
from apps.core.tenancy.scope import current

M = TypeVar("M", bound=models.Model)
R = TypeVar("R")


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


def _compiled(rows: models.QuerySet[Any]) -> _Compiled:
    compiler = _Compiled(rows.query, connection, DEFAULT_DB_ALIAS)
    compiler.ready = compiler.as_sql()
    return compiler


def _answered(compiler: _Compiled, iterable: type[Any], parameters: tuple[Any, ...]) -> list[Any]:
    compiler = copy(compiler)
    compiler.connection = connection
    compiler.ready = compiler.ready[0], parameters
    asked = SimpleNamespace(
        db=DEFAULT_DB_ALIAS,
        query=SimpleNamespace(get_compiler=lambda using: compiler),
        _known_related_objects={},
    )
    return list(iterable(asked))


class Statement(Generic[M]):
    """A query of models across tenants, with all that it selects and joins, that differs in one text only.

    `build` is called once, with a stand-in for that text, which it must pass on as a parameter. Within one organization
    managers put that organization into a query: for those there is `TenantStatement`.
    """

    def __init__(self, build: Callable[[str], models.QuerySet[M]]) -> None:
        self._build = build
        self._compiled: _Compiled | None = None
        self._lock = Lock()

    def ask(self, text: str) -> list[M]:
        if not isinstance(current(), Across):
            raise ScopeMissing("A statement is asked within `across_tenants` only.")
        compiler = self._compile()
        parameters = tuple(text if value == _STAND_IN else value for value in compiler.ready[1])
        return cast("list[M]", _answered(compiler, ModelIterable, parameters))

    def _compile(self) -> _Compiled:
        with self._lock:
            if self._compiled is None:
                compiler = _compiled(self._build(_STAND_IN))
                if compiler.ready[1].count(_STAND_IN) != 1:
                    raise ValueError("the text of a statement must be one of its parameters")
                self._compiled = compiler
            return self._compiled


_STAND_IN = "\0the text of the question"


class TenantStatement(Generic[R]):
    """A query within one organization that differs in that organization and in values of `kinds` only: UUID, int, str.

    `build` is called once, with a stand-in for each value, which it must pass on as a parameter. What it gives are
    models, or with `values_list` tuples or values.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any, R]], *kinds: type) -> None:
        self._build = build
        self._stand_ins = tuple(_stand_in(kind, place) for place, kind in enumerate(kinds))
        self._ready: tuple[_Compiled, type[Any], tuple[Callable[[UUID, tuple[Any, ...]], Any], ...]] | None = None
        self._lock = Lock()

    def ask(self, *values: Any) -> list[R]:
        """In scope; raises ScopeMissing outside of one organization's."""
        organization = current_organization()
        if len(values) != len(self._stand_ins):
            raise TypeError(f"the statement takes {len(self._stand_ins)} values")
        values = tuple(as_one_type(value) for value in values)
        compiler, iterable, slots = self._compile(organization)
        return _answered(compiler, iterable, tuple(slot(organization, values) for slot in slots))

    def first(self, *values: Any) -> R | None:
        """For a query that is limited, or gives one row at most."""
        found = self.ask(*values)
        return found[0] if found else None

    def _compile(self, organization: UUID) -> Any:
        with self._lock:
            if self._ready is None:
                rows = self._build(*self._stand_ins)
                compiler = _compiled(rows)
                parameters = compiler.ready[1]
                if organization not in parameters:
                    raise ValueError("a statement of a tenant must name the organization in scope")
                if not all(each in parameters for each in self._stand_ins):
                    raise ValueError("each value of a statement must be one of its parameters")
                slots = tuple(self._slot(organization, each) for each in parameters)
                self._ready = compiler, rows._iterable_class, slots
            return self._ready

    def _slot(self, organization: UUID, value: Any) -> Callable[[UUID, tuple[Any, ...]], Any]:
        if value == organization:
            return lambda organization, values: organization
        if value in self._stand_ins:
            return _value_of(self._stand_ins.index(value))
        return lambda organization, values: value


def _value_of(place: int) -> Callable[[UUID, tuple[Any, ...]], Any]:
    return lambda organization, values: values[place]


def _stand_in(kind: type, place: int) -> Any:
    if kind is UUID:
        return UUID(int=(0xFACE << 112) + place)
    # Within what every integer column holds: a condition that cannot hold would be left out of the query.
    return 2_000_000_011 + place if kind is int else f"\0the value {place} of the question"
