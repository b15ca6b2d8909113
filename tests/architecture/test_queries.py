"""No page asks the database more than a dozen questions, nor more because there are more rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import Error, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts import sessions
from apps.core import tenancy
from tests.architecture.conftest import World, is_api_path, undone
from tests.architecture.test_authorization import ROUTES, path_of
from tests.helpers.counting import MOST, questions_in
from tests.helpers.tenancy import tenant_models

# How many questions more a page may take where there is much: once for what a longer list has, never for each row.
MORE = 3
DOUBLINGS = 5


@pytest.fixture(autouse=True)
def _the_session_is_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a page is asked for first in a while, that is written down, which is a question of no page."""
    monkeypatch.setattr(sessions, "NOTED_SECONDS", 86_400.0)


def test_no_page_asks_more_questions_because_there_are_more_rows(world: World) -> None:
    owner = world.named("owner")
    # Between two queries of a page a busy machine may let more time pass than a service may take.
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    few = dict(counted(world, owner))
    with undone():
        grown = [model for model in tenant_models()[1:] if multiply(world, model)]
        many = dict(counted(world, owner))
    assert len(grown) > 100
    assert len(many) > 120
    assert {name: (few[name], count) for name, count in many.items() if count > few[name] + MORE} == {}


def test_no_page_asks_more_than_a_dozen_questions(world: World) -> None:
    """The world has a row of everything."""
    asked = counted(world, world.named("owner")), counted(world, world.named("nobody"))
    assert {name: count for each in asked for name, count in each if count > MOST} == {}


def counted(world: World, who: Any) -> Iterator[tuple[str, int]]:
    """Every page that is shown to them as such, and how many queries it takes."""
    for name, route in ROUTES.items():
        rule = route.rules.get("GET")
        if rule is None or rule.audience == "directory" or (rule.audience == "everyone") == who.is_person:
            continue
        path = path_of(route, world.a.ids)
        if is_api_path(path):
            continue
        with undone(), CaptureQueriesContext(connection) as asked:
            answer = world.ask(who, "GET", path)
        if answer.status_code == 200 and answer.get("content-type", "").startswith("text/html"):
            yield name, questions_in(asked)


# ---------------------------------------------------------------- many rows


def multiply(world: World, model: type[models.Model]) -> bool:
    """Doubles the organization's rows several times; False where what the table demands forbids it."""
    with tenancy.scope(world.a.id):
        before = model.objects.count()  # type: ignore[attr-defined]
        for number in range(1, DOUBLINGS + 1):
            try:
                with transaction.atomic():
                    _double(model, number)
            except Error:
                break
        return bool(model.objects.count() > before)  # type: ignore[attr-defined]


def _double(model: type[models.Model], number: int) -> None:
    """Each row again, under another key, beside what it belongs to."""
    fields = [
        field
        for field in model._meta.concrete_fields
        if not (field.generated or (isinstance(field, models.AutoField) and not field.remote_field))
    ]
    unique = {name for constraint in model._meta.constraints for name in getattr(constraint, "fields", ())}
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(_other(field, number) if _differs(field, unique) else f'"{field.column}"' for field in fields)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} ON CONFLICT DO NOTHING")


def _differs(field: Any, unique: set[str]) -> bool:
    # An organization's money is in one currency, or a few.
    is_free = not field.remote_field and not field.choices and field.name != "currency"
    return is_free and (field.unique or field.name in unique)


def _other(field: Any, number: int) -> str:
    """In SQL, a value that the field does not have in the row that is copied."""
    column = f'"{field.column}"'
    match field:
        case models.UUIDField():
            return "gen_random_uuid()"
        case models.IntegerField():
            return f"{column} + {1_000 * 2**number}"
        case models.CharField() | models.TextField():
            return f"left({column} || '{number}', {field.max_length or 2_000})"
        case models.DateTimeField():
            return f"{column} + interval '{2**number} minutes'"
    return column
