"""A web process gives a database connection up that does not answer; a worker waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg_pool import ConnectionPool, PoolTimeout

from apps.core import env, patience
from apps.core.patience import PatientConnection

SLOW = "SELECT pg_sleep(%s)"


@pytest.fixture
def unbounded() -> Iterator[None]:
    """What a test bounds is as it was afterwards."""
    before = PatientConnection.answer_seconds
    patience.bound(0)
    yield
    PatientConnection.answer_seconds = before


@pytest.fixture
def server(db: None) -> Iterator[dict[str, Any]]:
    """How to connect to the test's database; what was left waiting there is ended."""
    parameters = connection.get_connection_params()
    wanted = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    yield wanted | {"application_name": "patience", "autocommit": True}
    with psycopg.connect(**wanted, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'patience'"
            " AND datname = current_database()"
        )


def test_an_answer_that_comes_in_time_costs_nothing(unbounded: None, server: dict[str, Any]) -> None:
    # On a busy machine the shortest answer may take its time.
    patience.bound(60)
    with PatientConnection.connect(**server) as asked:
        assert asked.execute("SELECT 1").fetchone() == (1,)
        assert not asked.closed


def test_an_answer_that_does_not_come_costs_the_connection(unbounded: None, server: dict[str, Any]) -> None:
    with PatientConnection.connect(**server) as asked:
        patience.bound(0.3)
        with pytest.raises(psycopg.OperationalError, match="no answer within"):
            asked.execute(SLOW, [60])
        assert asked.closed


def test_without_a_bound_any_answer_is_waited_for(unbounded: None, server: dict[str, Any]) -> None:
    with PatientConnection.connect(**server) as asked:
        assert asked.execute(SLOW, [0.5]).rowcount == 1


def test_the_pool_hands_out_no_connection_that_has_gone_silent(unbounded: None, server: dict[str, Any]) -> None:
    options = env.database(settings.DATABASE_URL, "", 2, patience=1)["OPTIONS"]["pool"]
    silent = ConnectionPool(kwargs=server, check=lambda each: each.execute(SLOW, [60]), open=False, **options)
    with silent:
        silent.wait()
        patience.bound(0.3)
        with pytest.raises(PoolTimeout):
            silent.getconn()
