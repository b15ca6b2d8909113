"""The embedded servers keep their data through every kind of end, and leave each other alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from kombu import Connection

from deploy.local.processes import still_alive
from deploy.local.services import Service, ServiceError, start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running(start: Any, folder: Path, **options: Any) -> Iterator[Service]:
    service = start(folder, **options)
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="module")
def postgres_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path is too long for a unix socket, and which other users may not list."""
    return tmp_path_factory.mktemp("deep") / ("d" * 60) / ("e" * 60)


def test_postgres_gives_an_owner_who_is_no_superuser_and_keeps_its_data(postgres_folder: Path) -> None:
    with running(start_postgres, postgres_folder) as service, psycopg.connect(service.url) as connection:
        row = connection.execute(
            "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
        ).fetchone()
        assert row == (False, True, True)
        assert connection.execute("select '[1,2]'::vector::text").fetchone() == ("[1,2]",)
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('Grüße 你好')")
        connection.commit()
    assert not service.is_running()

    with running(start_postgres, postgres_folder) as service, psycopg.connect(service.url) as connection:
        assert connection.execute("select word from kept").fetchone() == ("Grüße 你好",)
        connection.execute("insert into kept values ('committed before the kill')")
        connection.commit()
        os.kill(service.pid, signal.SIGKILL)

    with running(start_postgres, postgres_folder) as service, psycopg.connect(service.url) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (2,)


def test_postgres_refuses_a_wrong_password(postgres_folder: Path) -> None:
    with running(start_postgres, postgres_folder) as service:
        address = service.url.split("@")[1]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://millrace:wrong@{address}")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://postgres@{address}")


def test_postgres_starts_over_a_pid_file_that_now_names_a_stranger(postgres_folder: Path) -> None:
    with running(start_postgres, postgres_folder):
        content = (postgres_folder / "data" / "postmaster.pid").read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        (postgres_folder / "data" / "postmaster.pid").write_text("\n".join([str(stranger.pid), *content[1:]]) + "\n")
        with running(start_postgres, postgres_folder) as service, psycopg.connect(service.url):
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_redis_keeps_its_data_and_accepts_every_client(tmp_path: Path) -> None:
    with running(start_redis, tmp_path / "redis") as service, redis.Redis.from_url(service.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.xadd("stream", {"text": "kept"}, id="1-1")
        with Connection(service.url) as broker:
            broker.ensure_connection(max_retries=1)
    assert not service.is_running()

    with running(start_redis, tmp_path / "redis") as service, redis.Redis.from_url(service.url) as client:
        assert client.xlen("stream") == 1
        client.set("after", "1")
        time.sleep(1.2)  # the file is written out every second
        os.kill(service.pid, signal.SIGKILL)

    with running(start_redis, tmp_path / "redis") as service, redis.Redis.from_url(service.url) as client:
        assert client.get("after") == b"1"


def test_redis_moves_when_its_port_is_taken(tmp_path: Path) -> None:
    with running(start_redis, tmp_path / "redis") as service:
        port = int(service.url.rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        with running(start_redis, tmp_path / "redis") as service, redis.Redis.from_url(service.url) as client:
            assert f":{port}/" not in service.url
            assert client.ping()


def test_two_copies_run_side_by_side(tmp_path: Path) -> None:
    with running(start_redis, tmp_path / "a") as first, running(start_redis, tmp_path / "b") as second:
        with redis.Redis.from_url(first.url) as client:
            client.set("whose", "first")
        with redis.Redis.from_url(second.url) as client:
            assert client.get("whose") is None


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with running(start_redis, tmp_path), pytest.raises(ServiceError, match="in use by another"):
        start_redis(tmp_path)
    with running(start_redis, tmp_path) as service:
        assert service.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_servers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from deploy.local.services import start_redis;"
        f"service = start_redis(Path({str(tmp_path)!r})); print(service.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    with running(start_redis, tmp_path) as service:
        assert service.pid != pid
        assert not (psutil.pid_exists(pid) and still_alive([psutil.Process(pid)], seconds=0))
