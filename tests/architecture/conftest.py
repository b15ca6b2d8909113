"""Two full organizations for a whole module: made once, and put back by savepoints."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from apps.core.connections import redis_client
from apps.licensing.api import waiting
from tests.helpers import principals
from tests.helpers.market import turn_on
from tests.helpers.principals import Principal
from tests.helpers.world import Side, make_side


@dataclass
class World:
    """Organization `a` with everybody in it, and `b`, whose things must stay its own."""

    a: Side
    b: Side
    everybody: list[Principal]
    borderline: dict[str, list[Principal]]
    client: Client

    def named(self, name: str) -> Principal:
        return next(who for who in self.everybody if who.name == name)

    def ask(self, who: Principal, method: str, path: str, body: Any = None) -> Any:
        """The answer; whatever the request has written is still there until the caller's savepoint ends."""
        # What earlier requests have counted towards limits would be answered here.
        forget_counts()
        self.client.cookies.clear()
        if who.cookie:
            self.client.cookies[settings.SESSION_COOKIE_NAME] = who.cookie
        if method == "GET":
            response: HttpResponse = self.client.get(path, headers=who.headers)
        elif is_api_path(path):
            response = self.client.generic(method, path, _json(body), "application/json", headers=who.headers)
        elif method == "POST":
            response = self.client.post(path, body or {}, headers=who.headers)
        else:
            response = self.client.generic(method, path, b"", "application/x-www-form-urlencoded", headers=who.headers)
        return response


def is_api_path(path: str) -> bool:
    return path.startswith(("/api/", "/v1/", "/scim/", "/public/api/"))


def _json(body: Any) -> bytes:
    return json.dumps(body or {}).encode()


def forget_counts() -> None:
    redis = redis_client()
    if keys := list(redis.scan_iter(match=f"{settings.REDIS_PREFIX}:*", count=1000)):
        redis.delete(*keys)


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside has not happened afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _market_is_open(_no_switch_is_set: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is off by default must be as safe as the rest where an operator turns it on."""
    turn_on(monkeypatch, "data_offers", "sponsored_slots")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        # There is no signer to wait for.
        patch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
        patch.setattr(settings, "MEDIA_ROOT", Path(tmp_path_factory.mktemp("media")))
        with undone():
            a, b = make_side("Xylophone"), make_side("Quetzal")
            everybody = [*principals.strangers(), *principals.members(a), *principals.keys(a)]
            everybody += [principals.service_account(a), principals.directory(a)]
            yield World(a, b, everybody, principals.borderline(a), Client(raise_request_exception=False))
