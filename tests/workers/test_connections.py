"""A worker's threads keep their connections to PostgreSQL, and get over one that is lost."""

import os
import socket
from typing import Any

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection, connections

from tests.helpers.threads import together
from workers.celery import app, drop_lost_connection, keep_connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    keep_connections()


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def cut() -> None:
    """As if the server had been restarted."""
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as there:
        there.shutdown(socket.SHUT_RDWR)


def task(found: list[int]) -> None:
    """What surrounds every task, here without one."""
    fixup: Any = DjangoWorkerFixup(app)
    drop_lost_connection()
    fixup.close_database()
    found.append(backend())
    fixup.close_database()


def test_one_connection_serves_the_tasks_of_a_thread(kept: None) -> None:
    found: list[int] = []
    assert together([lambda: [task(found) for _ in range(3)]]) == [[None] * 3]
    assert len(set(found)) == 1


def test_a_connection_that_is_lost_costs_no_task(kept: None) -> None:
    found: list[int] = []
    assert together([lambda: [task(found), cut(), task(found)]]) == [[None] * 3]
    assert len(set(found)) == 2
