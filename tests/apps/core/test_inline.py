"""Django's middleware does the same in an asynchronous process, and changes no thread for it."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref import sync
from django.conf import settings
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.test import AsyncClient
from django.utils.module_loading import import_string

from tests.helpers.people import Tenant


def test_the_protections_that_djangos_checks_look_for_by_name_are_there() -> None:
    classes = [import_string(path) for path in settings.MIDDLEWARE]
    for wanted in (SecurityMiddleware, XFrameOptionsMiddleware, CsrfViewMiddleware):
        assert any(isinstance(found, type) and issubclass(found, wanted) for found in classes), wanted


async def test_a_form_without_its_token_is_refused() -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    response = await client.post("/accounts/login/", {"login": "a@b.example", "password": "x"})
    assert response.status_code == 403


@pytest.mark.django_db(transaction=True)
async def test_a_signed_in_person_whose_form_has_no_token_is_told_so(org_a: Tenant) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    await client.aforce_login(org_a.owner)
    response = await client.post("/keys/", {"name": "mine"})
    assert response.status_code == 403
    assert "Reload the page" in response.content.decode()


@pytest.mark.django_db(transaction=True)
async def test_a_form_with_its_token_passes() -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    page = await client.get("/accounts/login/")
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    form = {"login": "nobody@example.com", "password": "wrong", "csrfmiddlewaretoken": token}
    response = await client.post("/accounts/login/", form, headers={"referer": "http://testserver/"})
    assert (page.status_code, response.status_code) == (200, 200)
    assert response["referrer-policy"] == page["referrer-policy"] != ""
    assert response["x-frame-options"] == "DENY"
    assert "script-src" in response["content-security-policy"]


async def test_a_request_that_stores_nothing_changes_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    before = sync.SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(self.func)
        return await before(self, *args, **kwargs)

    monkeypatch.setattr(sync.SyncToAsync, "__call__", counted)
    assert (await AsyncClient().get("/healthz")).status_code == 200
    names = [getattr(func, "__qualname__", repr(func)) for func in called]
    assert len([name for name in names if "process_" in name]) == 0, names
