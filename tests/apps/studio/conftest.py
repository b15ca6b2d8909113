"""What the tests of the two APIs share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.core import streams
from apps.registry.models import ModelVersion
from apps.studio import rows, streaming
from apps.studio.models import Generation
from tests.helpers.people import Tenant
from tests.helpers.studio import ask, start

Post = Callable[[str, Any], tuple[int, dict[str, Any]]]


@pytest.fixture
def client_of_key(org_a: Tenant, model: Any) -> Post:
    """`post(path, body)` as org_a's program; returns the status and the error."""
    client = Client()

    def post(path: str, body: Any) -> tuple[int, dict[str, Any]]:
        response = client.post(path, json.dumps(body), content_type="application/json", headers=org_a.bearer)
        found: dict[str, Any] = response.json()
        return response.status_code, found.get("error", found)

    return post


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers look at their rows all the time."""
    for module, name in ((rows, "LOOK_SECONDS"), (streaming, "SILENCE_SECONDS"), (streaming, "LAST_ENTRY_SECONDS")):
        monkeypatch.setattr(module, name, 0.03)


@pytest.fixture
def running(org_a: Tenant, model: ModelVersion, redis: Any) -> Generation:
    """A generation of org_a in its first attempt, its stream open."""
    ask(org_a)
    generation = start()
    streams.take_over(redis, generation.pk, 1)
    return generation
