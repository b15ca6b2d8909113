"""Setting a security policy, and seeing from outside and inside what it does."""

from __future__ import annotations

from typing import Any

from django.test import Client

from apps.accounts.models import User
from apps.accounts.services import security
from apps.accounts.services.security import Demands
from tests.apps.sso.conftest import confirm
from tests.helpers.people import PASSWORD, Tenant


def demand(tenant: Tenant, *, vouched: bool = True, **given: Any) -> list[str]:
    usual: dict[str, Any] = {
        "sso_required": False,
        "mfa_required": False,
        "grace_days": 0,
        "sso_session_hours": 24,
        "keys_need_sso_days": None,
    }
    return security.set_policy(tenant.actor, Demands(**usual | given), vouched=vouched)


def by_password(user: User) -> Client:
    client = Client()
    answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def assert_outside(client: Client, code: str = "sso_required") -> None:
    """No page, no call of the API, reading or writing, and no page of the console."""
    for path in ("/dashboard/", "/studio/", "/history/", "/keys/", "/settings/sso/", "/settings/security/"):
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer["location"].startswith("/sso/step-up/"), path
    assert client.post("/keys/", {"name": "x", "scopes": ["models:read"]})["location"] == "/sso/step-up/"
    for path in ("/api/v1/generations", "/api/v1/models", "/api/v1/usage", "/v1/models"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code), path
    answer = client.post("/api/v1/generations", {"prompt": "x"}, "application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    assert client.get("/sso/step-up/").status_code == 403


def assert_inside(client: Client) -> None:
    assert client.get("/dashboard/").status_code == 200
    assert client.get("/api/v1/usage").status_code == 200
    assert client.get("/sso/step-up/")["location"] == "/dashboard/"


def by_password_of(user: User) -> Client:
    confirm(user)
    return by_password(user)
