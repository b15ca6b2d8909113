"""One migration of each app stands for those from before, and a database that has had all of these is up to date."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ModelState

from apps.core.operations import CreateTables

pytestmark = pytest.mark.django_db


def recorded() -> Any:
    return MigrationRecorder(connection).migration_qs


def as_it_was_before() -> None:
    """Only the names of the old migrations stand there, as in a database that these have made."""
    assert recorded().filter(name="0001_schema").delete()[0] > 10


def waiting() -> list[Any]:
    executor = MigrationExecutor(connection)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


def test_a_database_that_has_had_all_old_migrations_is_up_to_date() -> None:
    as_it_was_before()
    assert waiting() == []
    call_command("migrate", check_unapplied=True, verbosity=0)
    assert not recorded().filter(name="0001_schema").exists()


def test_a_database_that_has_had_only_some_of_them_is_refused() -> None:
    as_it_was_before()
    recorded().filter(app="billing", name__gte="0026").delete()
    with pytest.raises(CommandError, match=r"billing\.0026_teams_of_hours are missing"):
        call_command("migrate", verbosity=0)


def test_each_model_of_the_past_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = MigrationLoader(None)
    first = loader.graph.root_nodes("studio")[0]
    migration = loader.graph.nodes[first]
    state = loader.project_state(first, at_end=False)
    before = set(state.apps.get_models())
    built: list[str] = []
    render = ModelState.render
    monkeypatch.setattr(ModelState, "render", lambda model, apps: built.append(model.name) or render(model, apps))
    [tables] = [operation for operation in migration.operations if isinstance(operation, CreateTables)]
    tables.state_forwards("studio", state)
    assert sorted(built) == sorted(model.name for model in tables.models)
    assert before < set(state.apps.get_models())
