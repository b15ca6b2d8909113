"""Workers show their engines and tasks, and pre-announce the faults that alerts wait for."""

import subprocess
import sys
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from celery.signals import after_task_publish

from ml.types import EngineStats
from tests.helpers.metrics import value
from tests.helpers.sources import ROOT
from workers import metrics
from workers.celery import app
from workers.metrics import ENGINE_FIGURES, EngineCollector


@dataclass
class StillEngine:
    """An engine that stands still with these figures."""

    figures: EngineStats = field(default_factory=EngineStats)

    def stats(self) -> EngineStats:
        return self.figures


def thread(model: str, engine: StillEngine | None) -> Any:
    return SimpleNamespace(version=SimpleNamespace(name=model), engine=engine)


def collected(*threads: Any) -> dict[tuple[str, str], float]:
    collector = EngineCollector()
    collector.watch(lambda: threads)
    samples = [sample for family in collector.collect() for sample in family.samples]
    return {(sample.name, sample.labels["model"]): sample.value for sample in samples}


def test_every_figure_of_an_engine_is_shown() -> None:
    assert set(ENGINE_FIGURES) == {each.name for each in fields(EngineStats)}
    figures = EngineStats(*range(1, 11))
    found = collected(thread("house", StillEngine(figures)))
    for name, (metric, _, _) in ENGINE_FIGURES.items():
        shown = found.get((metric, "house"), found.get((f"{metric}_total", "house")))
        assert shown == getattr(figures, name), name
    assert found[("millrace_engine_generated_tokens_total", "house")] == 7
    assert found[("millrace_engine_loaded", "house")] == 1


def test_a_model_that_is_not_loaded_is_shown_as_such() -> None:
    found = collected(thread("house", StillEngine(EngineStats(running=3))), thread("large", None))
    assert (found[("millrace_engine_loaded", "large")], found[("millrace_engine_loaded", "house")]) == (0, 1)
    assert (found[("millrace_engine_running", "large")], found[("millrace_engine_running", "house")]) == (0, 3)


def test_a_worker_without_engines_shows_none() -> None:
    assert collected() == {}


@pytest.fixture
def task() -> Any:
    """A task that does what it is told; gone from the application afterwards."""
    name = f"test.{uuid4()}"

    @app.task(name=name)
    def told(failing: bool) -> None:
        if failing:
            raise ValueError("as told")

    yield told
    app.tasks.pop(name)


def test_tasks_are_counted_by_how_they_end(task: Any) -> None:
    # `apply` traces the task as a worker does; the signals are what counts here.
    task.apply([False])
    task.apply([False])
    task.apply([True])
    assert value("millrace_tasks_total", task=task.name, outcome="succeeded") == 2
    assert value("millrace_tasks_total", task=task.name, outcome="failed") == 1
    assert value("millrace_task_duration_seconds_count", task=task.name) == 3
    assert metrics._began == {}


def test_the_schedules_ticks_are_counted() -> None:
    before = value("millrace_tasks_sent_total", task="core.beat")
    after_task_publish.send(sender="core.beat")
    assert value("millrace_tasks_sent_total", task="core.beat") == before + 1


def test_faults_are_zero_before_the_first_so_that_its_increase_shows() -> None:
    code = "import workers.metrics; from prometheus_client import generate_latest;print(generate_latest().decode())"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for series in (
        'millrace_lease_losses_total{queue="generation",seen_by="reaper"} 0.0',
        'millrace_lease_losses_total{queue="generation",seen_by="worker"} 0.0',
        'millrace_job_retries_total{queue="generation",reason="lease_lapsed"} 0.0',
    ):
        assert series in shown
    assert "torch" not in shown
