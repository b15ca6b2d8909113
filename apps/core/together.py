"""Several lists by one question to the database, for pages that need many short ones.

Each list is a query of Django's as it would be asked alone, with its manager's filter and the row-level security of its
table: only the way to the database is shared. What is read with `prefetch_related` is still asked for by itself.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models.sql.compiler import SQLCompiler

Row = tuple[Any, ...]


def fetch_together(**queries: models.QuerySet[Any]) -> dict[str, list[Any]]:
    """The rows of each query, under its name.

    PostgreSQL gives each list as JSON: for long lists a query of its own is the better way, and columns of bytes or of
    decimal numbers raise TypeError.
    """
    compilers = {name: rows.query.get_compiler(connection=connection) for name, rows in queries.items()}
    lists: dict[str, str] = {}
    given: list[Any] = []
    for name, compiler in compilers.items():
        try:
            sql, values = compiler.as_sql()
        except EmptyResultSet:
            # Django knows that there is none, as of `none()` or of `in` with nothing.
            continue
        columns = ", ".join(f"c{place}" for place in range(len(compiler.select)))
        lists[name] = f"(SELECT coalesce(json_agg(listed), '[]')::text FROM ({sql}) AS listed ({columns}))"
        given += values
    answers: dict[str, str] = {}
    if lists:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(lists.values())}", given)
            answers = dict(zip(lists, cursor.fetchone(), strict=True))
    return {
        name: _as_asked(rows, compilers[name], _read(compilers[name], answers.get(name, "[]")))
        for name, rows in queries.items()
    }


def counted(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """How many rows of an organization's there are, as a query of one number, or of none where there are none."""
    numbers = rows.order_by().values("organization_id").annotate(counted=models.Count("pk"))
    found: models.QuerySet[Any] = numbers.values_list("counted", flat=True)
    return found


def _read(compiler: SQLCompiler, answer: str) -> list[Row]:
    """What a cursor would have given: the values of the query's columns, as Python has them."""
    fields = [each[0].output_field for each in compiler.select]
    return [
        tuple(_value(field, value) for field, value in zip(fields, row.values(), strict=False))
        for row in json.loads(answer)
    ]


def _value(field: models.Field[Any, Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, models.JSONField):
        # A cursor gives these as text, which the field then reads.
        return json.dumps(value)
    if isinstance(field, ArrayField):
        return [_value(field.base_field, each) for each in value]
    if isinstance(field, models.BinaryField | models.DecimalField):
        raise TypeError(f"{type(field).__name__} is not read together with other lists: JSON would change it.")
    return field.to_python(value)


def _as_asked(rows: models.QuerySet[Any], compiler: SQLCompiler, values: list[Row]) -> list[Any]:
    """What the query makes of these rows: instances with their relations and annotations, or values."""
    answered = rows.all()
    # In this one copy the question has been asked already.
    compiler.execute_sql = lambda *_args, **_options: [values]  # type: ignore[method-assign, assignment]
    answered.query.get_compiler = lambda *_args, **_options: compiler  # type: ignore[method-assign]
    return list(answered)
