"""What the tests of the two APIs share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.helpers.people import Tenant

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
