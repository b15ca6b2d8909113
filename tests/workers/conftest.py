"""Workers whose engines say what the test wants."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.db import connections

from apps.registry.models import ModelVersion
from tests.helpers.people import Tenant
from tests.helpers.scripted import ScriptedEngine
from workers import runtime as engines
from workers.generation.runtime import GenerationRuntime


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    """What all workers' engines share: whether they are held, and what they were asked."""
    scripted = ScriptedEngine()
    monkeypatch.setattr(engines, "_load", lambda version: replace(scripted, said={}))
    return scripted


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reaper that has been watching for long enough."""
    monkeypatch.setattr("workers.generation.reaper.WATCH_SECONDS", 0)


@pytest.fixture
def worker(org_a: Tenant, model: ModelVersion, engine: ScriptedEngine) -> Iterator[Callable[[], GenerationRuntime]]:
    """`worker()` starts one; all are stopped after the test, without waiting for work that cannot end."""
    started: list[GenerationRuntime] = []

    def start_one() -> GenerationRuntime:
        started.append(GenerationRuntime())
        return started[-1]

    yield start_one
    engine.held.clear()
    for runtime in started:
        runtime.drain()
    connections.close_all()
