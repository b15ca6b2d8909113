"""Background work: every task is in authorization.yaml, and none takes anybody's word for whose work to do."""

import inspect

import pytest

from apps.core.tenancy import Across, across_tenants
from tests.helpers.authorization import table
from workers import looks
from workers.celery import app


def own_tasks() -> dict[str, object]:
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_every_task_is_in_the_file() -> None:
    assert set(own_tasks()) == set(table()["tasks"])


def test_no_task_can_be_told_whose_work_to_do() -> None:
    """Whoever reaches the broker could send arguments; without any, all they can do is ring a bell."""
    takes = {name: list(inspect.signature(task.run).parameters) for name, task in own_tasks().items()}  # type: ignore[attr-defined]
    assert {name: parameters for name, parameters in takes.items() if parameters} == {}


def test_scheduled_tasks_are_those_that_the_file_gives_to_the_schedule() -> None:
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled == {name for name, by in table()["tasks"].items() if by.startswith("the schedule")}


@pytest.mark.django_db
def test_tasks_that_are_looked_for_are_those_that_the_file_gives_to_the_look_around() -> None:
    with across_tenants(Across.CLAIM_WORK):
        looked_for = set(looks.waiting())
    assert looked_for == {name for name, by in table()["tasks"].items() if "the look around" in by}
