"""Each wall between organizations alone: filters of the ORM taken away, and then none of Python at all."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import Error, connection, models, reset_queries, transaction
from django.test.utils import CaptureQueriesContext

from apps.core import tenancy
from apps.core.tenancy import TenantManager
from apps.studio.models import Generation
from tests.architecture.conftest import World, undone
from tests.architecture.test_authorization import ROUTES, path_of
from tests.helpers.plain_requests import query_of
from tests.helpers.tenancy import tenant_models
from tests.helpers.world import Side

# Found out once, and not once for each process.
pytestmark = pytest.mark.xdist_group("walls")

READS = sorted(
    name for name, route in ROUTES.items() if "GET" in route.rules and route.rules["GET"].audience != "everyone"
)
FILTERED = [model for model in tenant_models() if issubclass(model, tenancy.TenantModel)]
# Some tables are asked by every address: each alone is tried at as many, from the first to the last.
ADDRESSES_OF_A_TABLE = 12
_first_wall = TenantManager.get_queryset


@contextmanager
def without_filter(*forgotten: type[models.Model]) -> Iterator[None]:
    """As if somebody had forgotten the filter of these tables."""

    def unfiltered(self: TenantManager) -> Any:
        return models.Manager.get_queryset(self) if self.model in forgotten else _first_wall(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TenantManager, "get_queryset", unfiltered)
        yield


def ask(world: World, name: str, who: Any, ids: dict[str, Any]) -> str:
    path = path_of(ROUTES[name], ids) + query_of("GET", name, world.a)
    with undone():
        response = world.ask(who, "GET", path)
    assert response.status_code < 500, f"{path} by {who.name}"
    return "" if response.streaming else response.content.decode(errors="replace")


def shown_of(side: Side, text: str, ids: dict[str, Any]) -> list[str]:
    # What the caller has brought along is no secret, also where it is made of the organization's name.
    for brought in sorted(map(str, ids.values()), key=len, reverse=True):
        text = text.replace(brought, "")
    return [secret for secret in side.secrets if secret in text]


@pytest.fixture(scope="module")
def asked(world: World, django_db_blocker: Any) -> dict[str, set[str]]:
    """Which addresses ask which table, found out by asking: only they can show what a missing filter lets through."""
    found: dict[str, set[str]] = {}
    with django_db_blocker.unblock():
        for name in READS:
            for ids in (world.a.ids, world.b.ids):
                reset_queries()
                with CaptureQueriesContext(connection) as queries:
                    ask(world, name, _reader_of(world, name), ids)
                for query in queries:
                    for table in re.findall(r'(?:FROM|JOIN) "(\w+)"', query["sql"]):
                        found.setdefault(table, set()).add(name)
    return found


def _reader_of(world: World, name: str) -> Any:
    return world.named("a directory" if name.startswith("scim-") else "owner")


@pytest.mark.parametrize("model", FILTERED, ids=lambda model: model._meta.label)
def test_a_forgotten_filter_shows_nothing(model: type[models.Model], world: World, asked: dict[str, set[str]]) -> None:
    names = sorted(asked.get(model._meta.db_table, set()))
    with without_filter(model):
        with tenancy.scope(world.a.id):
            assert not model.objects.filter(organization_id=world.b.id).exists()  # type: ignore[attr-defined]
        assert_nothing_leaks(world, names[:: -(-len(names) // ADDRESSES_OF_A_TABLE) or 1])


def test_with_all_filters_forgotten_nothing_is_shown(world: World) -> None:
    with without_filter(*FILTERED):
        assert_nothing_leaks(world, READS)


def assert_nothing_leaks(world: World, names: list[str]) -> None:
    leaks = []
    for name in names:
        for ids in (world.a.ids, world.b.ids):
            if shown := shown_of(world.b, ask(world, name, _reader_of(world, name), ids), ids):
                leaks.append(f"{name}: {shown}")
    assert not leaks, "\n".join(leaks)


def test_without_both_walls_the_attack_would_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would pass whatever happens."""
    scope = import_module("apps.core.tenancy.scope")
    tell = scope._tell_postgres

    def tell_too_much(value: Any) -> None:
        tell(value)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.across', 'on', true)")

    monkeypatch.setattr(scope, "_tell_postgres", tell_too_much)
    with without_filter(Generation):
        text = ask(world, "history", world.named("owner"), world.a.ids)
    assert shown_of(world.b, text, {})


# ---------------------------------------------------------------- raw SQL, as the application's role


def run(statement: str, *parameters: Any) -> int:
    """How many rows were read or changed; none where PostgreSQL refuses."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)
    except Error as error:
        assert re.search("row-level security|permission denied", str(error)), error
        return 0


def a_row(model: type[models.Model], side: Side) -> dict[str, Any]:
    with tenancy.scope(side.id), connection.cursor() as cursor:
        cursor.execute(f"SELECT row_to_json(t)::text FROM {model._meta.db_table} t LIMIT 1")
        found: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return found


def a_copy(table: str, row: dict[str, Any]) -> tuple[str, str]:
    """A statement that adds the row once more under another id, and the row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'",
            [table],
        )
        columns = ", ".join(f'"{name}"' for (name,) in cursor.fetchall())
    statement = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_record(NULL::{table}, %s)"
    return statement, json.dumps(row | {"id": str(uuid4())})


@pytest.mark.parametrize("model", FILTERED, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("inside", [True, False], ids=["in another scope", "outside any scope"])
def test_raw_sql_reads_and_writes_nothing_of_others(model: type[models.Model], inside: bool, world: World) -> None:
    """All four verbs on every table; there is a row to steal in each."""
    table, theirs = model._meta.db_table, a_row(model, world.b)
    insert, copy = a_copy(table, theirs)
    with undone():
        # What the scope tells PostgreSQL, without its manager.
        with connection.cursor() as cursor:
            own = str(world.a.id) if inside else ""
            cursor.execute("SELECT set_config('app.org', %s, true), set_config('app.across', 'off', true)", [own])
        assert run(f"SELECT * FROM {table} WHERE organization_id = %s", world.b.id) == 0
        assert run(f"UPDATE {table} SET organization_id = organization_id WHERE organization_id = %s", world.b.id) == 0
        assert run(f"UPDATE {table} SET organization_id = %s", world.b.id) == 0
        assert run(f"DELETE FROM {table} WHERE organization_id = %s", world.b.id) == 0
        assert run(insert, copy) == 0
    assert a_row(model, world.b) is not None
    assert UUID(theirs["organization_id"]) == world.b.id
