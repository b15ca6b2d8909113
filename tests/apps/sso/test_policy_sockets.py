"""A WebSocket is no way around “single sign-on required” either."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.accounts.models import SecurityPolicy
from apps.core import tenancy
from config.asgi import application
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cookie(org_a: Tenant) -> str:
    """A session of a member that was made before the organization demanded more."""
    client = Client()
    client.force_login(org_a.member)
    with tenancy.scope(org_a.id):
        SecurityPolicy.objects.create(organization=org_a.organization, sso_required_from=timezone.now())
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def test_a_websocket_does_not_get_in(cookie: str) -> None:
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/ws/generations/0190a000-0000-7000-8000-000000000000/",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())],
        "subprotocols": [],
    }
    socket = ApplicationCommunicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=10))["type"] == "websocket.accept"
    assert "sso_required" in (await socket.receive_output(timeout=10))["text"]
    assert (await socket.receive_output(timeout=10))["code"] == 4403
