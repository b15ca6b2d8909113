"""`/healthz` asks nothing; `/readyz` names each part that is down."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_py
from django.db import connection
from django.test import Client

from apps.core import views

PARTS = {"database", "redis", "worker_generation", "worker_default"}


@pytest.fixture
def workers(redis: Any) -> None:
    for queue in ("generation", "default"):
        redis.set(views.worker_key(queue), time.time())


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    """The server's address is wrong, as when it has gone away."""
    port = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    yield
    connection.close()
    connection.settings_dict["PORT"] = port


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent_stores(transactional_db: None, silent: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(views, "DATABASE_SILENT_SECONDS", 0.2)
    mute = redis_py.Redis(port=silent, socket_timeout=0.2, retry=None)
    monkeypatch.setattr(views, "quick_redis_client", lambda: mute)
    port = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = str(silent)
    yield
    connection.settings_dict["PORT"] = port


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = redis_py.Redis(port=1, socket_connect_timeout=0.2, retry=None)
    monkeypatch.setattr(views, "quick_redis_client", lambda: nobody)


def readiness() -> tuple[int, dict[str, str]]:
    response = Client().get("/readyz")
    return response.status_code, response.json()


def down() -> set[str]:
    status, body = readiness()
    assert (status, body["status"]) == (503, "unavailable")
    return {part for part in PARTS if body[part] != "ok"}


def test_ready_when_every_part_answers(db: None, workers: None) -> None:
    assert readiness() == (200, {"status": "ok"} | dict.fromkeys(PARTS, "ok"))


def test_a_worker_that_was_never_seen_is_named(db: None, redis: Any) -> None:
    redis.set(views.worker_key("default"), time.time())
    assert down() == {"worker_generation"}
    assert "generation" in readiness()[1]["worker_generation"]


def test_a_worker_that_has_gone_silent_is_named(db: None, workers: None, redis: Any) -> None:
    redis.pexpire(views.worker_key("default"), 1)
    time.sleep(0.05)
    assert down() == {"worker_default"}


def test_a_lost_database_is_named_alone(workers: None, no_database: None) -> None:
    assert down() == {"database"}


def test_without_redis_no_worker_can_be_seen(db: None, no_redis: None) -> None:
    assert down() == {"redis", "worker_generation", "worker_default"}


def test_stores_that_take_connections_and_say_nothing_are_named(silent_stores: None) -> None:
    assert down() == PARTS


def test_the_process_is_healthy_while_everything_else_is_down(no_database: None, no_redis: None) -> None:
    response = Client().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_readiness_tells_no_secret(no_database: None, no_redis: None) -> None:
    text = str(readiness()[1])
    assert connection.settings_dict["PASSWORD"] not in text
    assert "127.0.0.1" not in text
