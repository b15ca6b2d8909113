"""A product for fault tests: every process on its own and by name, so that each can be killed, halted and restarted.

Nothing here starts a process again by itself: what a test kills stays dead until the test, or the next one's `mend`,
brings it back at the same address.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from honcho.environ import parse_procfile
from psycopg.rows import dict_row

from deploy.local.ports import free_port, hold_free_port
from deploy.local.processes import die_with_parent
from deploy.local.services import Service, ServiceError, start_postgres, start_redis
from tests.faults.follow import Readers
from tests.stack import NOT_INHERITED, ROOT, Demo, wait_for

START_SECONDS = 240
SERVERS = ("postgres", "redis")
PROCESSES = ("web0", "web1", "generation0", "generation1", "default", "schedule")
WORKERS = ("generation0", "generation1")
ENDED = ("succeeded", "failed", "cancelled")

# Run once before the start, in one process: each of these would otherwise pay for Django's start again.
PREPARE = """
import sys, django
django.setup()
from django.core.management import call_command
call_command("ensure_models")
call_command("seed_demo", write=__import__("pathlib").Path(sys.argv[1]))
call_command("translations", "compile")
call_command("collectstatic", interactive=False, verbosity=0)
"""


class Product:
    """`a` and `b` are its two organizations, whose plan has no limit that a test could reach."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.logs = var / "log"
        for folder in (self.logs, var / "run"):
            folder.mkdir()
        self._servers: dict[str, Service] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = parse_procfile((ROOT / "Procfile").read_text()).processes
        self._marks: dict[str, int] = {}
        self._extra: dict[str, dict[str, str]] = {}
        self._ports = {name: hold_free_port() for name in PROCESSES if name.startswith("web")}
        self.alter()
        for name in SERVERS:
            (var / name).mkdir()
            (var / name / "port").write_text(str(free_port()))
            self.start(name)
        self.environment = self._environment()
        self.a, self.b = self._prepare()
        try:
            self.restart(*PROCESSES)
        except BaseException:
            self.stop()
            raise

    # ------------------------------------------------------------ the start
    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED | {"TEST_DATABASE_NAME"}}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": self._servers["postgres"].url,
            "REDIS_URL": self._servers["redis"].url,
            "MILLRACE_VAR": str(self.var),
            "MILLRACE_LOCAL": "1",
            "MILLRACE_TORCH_THREADS": "1",
            "SECRET_KEY": "local-key-of-the-fault-tests-which-protects-nothing-at-all",
            "LOG_LEVEL": "INFO",
            "PYTHONUNBUFFERED": "1",
            "ALTER_FILE": str(self._altered),
        }

    def _prepare(self) -> tuple[Demo, Demo]:
        demo = self.var / "demo.json"
        for arguments, role in (
            (["manage.py", "migrate", "--no-input", "--skip-checks", "--verbosity", "0"], {"DATABASE_ROLE": ""}),
            (["-c", PREPARE, str(demo)], {}),
        ):
            subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self.environment | role, check=True)
        with self.database() as database:
            columns = database.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'billing_plan'"
                " AND data_type IN ('integer', 'bigint')"
            ).fetchall()
            limits = [row["column_name"] for row in columns if row["column_name"] != "weight"]
            database.execute(f"UPDATE billing_plan SET {', '.join(f'{name} = 100000000' for name in limits)}")
        first, second = (Demo(**item) for item in json.loads(demo.read_text())["organizations"])
        return first, second

    # ------------------------------------------------------------ processes and servers by name
    def start(self, name: str, **environment: str) -> None:
        """Starts it; `wait_until_up` tells when it serves. The environment is kept for later starts, until `mend`."""
        if environment:
            self._extra[name] = environment
        if name in SERVERS:
            self._start_server(name)
            return
        kind = name.rstrip("0123456789")
        command = self._commands[kind].replace(f"{kind}@%h", f"{name}@%h")
        extra = self._extra.get(name, {})
        if name in self._ports:
            extra = {"PORT": str(self._ports[name].number)} | extra
        if kind == "generation" or "ALTER_CLOCK" in extra:
            command = command.replace("-m celery", "-m tests.faults.altered")
        log = self.logs / f"{name}.log"
        self._marks[name] = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._processes[name] = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=ROOT,
                env=self.environment | extra,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def _start_server(self, name: str) -> None:
        before = self._servers.get(name)
        start = start_postgres if name == "postgres" else start_redis

        def started() -> Service | None:
            try:
                return start(self.var / name)
            except ServiceError:  # children of the dead server may hold its memory for a moment
                return None

        self._servers[name] = wait_for(started, START_SECONDS, f"the start of {name}")
        assert before is None or before.url == self._servers[name].url, f"{name} lost its port"

    def pid(self, name: str) -> int:
        return self._servers[name].pid if name in SERVERS else self._processes[name].pid

    def is_running(self, name: str) -> bool:
        return self._servers[name].is_running() if name in SERVERS else self._processes[name].poll() is None

    def kill(self, name: str) -> None:
        """kill -9, and back when it is gone."""
        os.kill(self.pid(name), signal.SIGKILL)
        self.wait_until_gone(name, 30)

    def wait_until_gone(self, name: str, seconds: float) -> None:
        wait_for(lambda: not self.is_running(name), seconds, f"the end of {name}")
        if name in SERVERS:
            self._servers[name].stop()

    def terminate(self, name: str) -> None:
        """SIGTERM; the process may take its time (`wait_until_gone`)."""
        os.kill(self.pid(name), signal.SIGTERM)

    def halt(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGSTOP)

    def resume(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)

    def restart(self, *names: str) -> None:
        """Starts the named ones again, and waits until they serve."""
        for name in names:
            if not self._has(name):
                self.start(name)
        for name in names:
            self.wait_until_up(name)

    def _has(self, name: str) -> bool:
        return name in (self._servers if name in SERVERS else self._processes) and self.is_running(name)

    def replace(self, *names: str, **environment: str) -> None:
        """Kills the named ones and starts them again with this environment, until `mend`."""
        for name in names:
            if self.is_running(name):
                self.kill(name)
            self.start(name, **environment)
        for name in names:
            self.wait_until_up(name)

    def alter(self, **wanted: Any) -> None:
        """What engines do otherwise than usual from now on; see `tests.faults.altered`."""
        fresh = self._altered.with_suffix(".new")
        fresh.write_text(json.dumps(wanted))
        fresh.rename(self._altered)

    @property
    def _altered(self) -> Path:
        return self.var / "altered.json"

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """The block runs with these killed; afterwards they are back."""
        for name in names:
            self.kill(name)
        yield
        self.restart(*names)

    @contextmanager
    def frozen_database(self) -> Iterator[None]:
        """The block runs with every process of PostgreSQL stopped: connections stay open, and nobody answers."""
        with self.database() as database:
            own, rows = database.info.backend_pid, database.execute("SELECT pid FROM pg_stat_activity").fetchall()
        pids = [self.pid("postgres"), *(row["pid"] for row in rows if row["pid"] != own)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def wait_until_up(self, name: str) -> None:
        checks: dict[str, Callable[[], bool]] = {
            "web": lambda: self._answers(name),
            "generation": lambda: "loaded in" in self.log(name),
            "default": lambda: " ready." in self.log(name),
        }
        # Beat says nothing when it is up, and the servers answer when they have been started.
        if check := checks.get(name.rstrip("0123456789")):
            wait_for(lambda: self._alive(name) and check(), START_SECONDS, f"the start of {name}")

    def _alive(self, name: str) -> bool:
        assert self.is_running(name), f"{name} has ended:\n{self.log(name)[-4000:]}"
        return True

    def _answers(self, name: str) -> bool:
        try:
            return httpx.get(f"{self.url(name)}/healthz", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def log(self, name: str) -> str:
        """What the process has said since its latest start."""
        with (self.logs / f"{name}.log").open("rb") as file:
            file.seek(self._marks[name])
            return file.read().decode(errors="replace")

    def mend(self) -> None:
        """Everything runs again, with its usual settings, and nothing is left to do."""
        self.alter()
        changed = [name for name in self._extra if name not in SERVERS]
        for name in changed:
            del self._extra[name]
            if self.is_running(name):
                self.kill(name)
        for name in (*SERVERS, *PROCESSES):
            if self.is_running(name):
                self.resume(name)
            else:
                self.start(name)
        self.redis().config_set("maxmemory", 0)
        for name in PROCESSES:
            self.wait_until_up(name)
        with self.database() as database:
            database.execute(
                "UPDATE studio_generation SET cancel_requested_at = clock_timestamp()"
                " WHERE status IN ('queued', 'running') AND cancel_requested_at IS NULL"
            )
        wait_for(lambda: not self.rows("status IN ('queued', 'running')"), 120, "the end of all generations")

    def stop(self) -> None:
        with ExitStack() as ending:
            for port in self._ports.values():
                ending.callback(port.release)
            for server in self._servers.values():
                ending.callback(server.stop)
            for process in self._processes.values():
                if process.poll() is None:
                    process.kill()
                    ending.callback(process.wait)

    # ------------------------------------------------------------ asking for work, and what became of it
    def url(self, web: str = "web0") -> str:
        return f"http://127.0.0.1:{self._ports[web].number}"

    def client(self, who: Demo | None = None, web: str = "web0") -> httpx.Client:
        headers = (who or self.a).bearer
        return httpx.Client(base_url=self.url(web), headers=headers, timeout=60, trust_env=False)

    def submit(self, count: int = 1, tokens: int = 400, *, who: Demo | None = None, about: str = "tea") -> list[str]:
        """`count` greedy requests that each write exactly `tokens` tokens, different from each other; their ids."""
        with self.client(who) as client:
            answers = [client.post("/api/v1/generations", json=self.body(n, tokens, about)) for n in range(count)]
        assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
        return [str(answer.json()["id"]) for answer in answers]

    @staticmethod
    def body(number: int = 0, tokens: int = 400, about: str = "tea") -> dict[str, Any]:
        words = f"Write a long page about {about}, kind {number}."
        return {
            "messages": [{"role": "user", "content": words}],
            "temperature": 0,
            "repetition_penalty": 1.3,
            "min_tokens": tokens,
            "max_tokens": tokens,
        }

    @contextmanager
    def following(
        self, ids: Sequence[str], *, who: Demo | None = None, webs: Sequence[str] = ("web0", "web1")
    ) -> Iterator[Readers]:
        """Readers of all these streams, who come back with their last id whenever they are cut off."""
        readers = Readers([self.url(web) for web in webs], (who or self.a).bearer, ids)
        try:
            yield readers
        finally:
            readers.stop()

    def expected(self, count: int = 1, tokens: int = 400, about: str = "tea") -> list[str]:
        """What the same requests write when nothing goes wrong; asked once for each kind."""
        ids = self.submit(count, tokens, about=about)
        return [str(row["text"]) for row in self.finished(ids)]

    def finished(self, ids: Sequence[str], seconds: float = 180) -> list[dict[str, Any]]:
        """The rows, once all have ended, in the order of `ids`."""

        def ended() -> list[dict[str, Any]] | None:
            found = self.rows_of(ids)
            return found if all(row["status"] in ENDED for row in found) else None

        rows: list[dict[str, Any]] = wait_for(ended, seconds, f"the end of {len(ids)} generations")
        return rows

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """The superuser's view, which no wall between tenants narrows."""
        password = (self.var / "postgres" / "superuser-password").read_text().strip()
        port = int((self.var / "postgres" / "port").read_text())
        keys: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "postgres", "password": password}
        with psycopg.connect(dbname="millrace", autocommit=True, row_factory=dict_row, **keys) as connection:
            yield connection

    def rows(self, condition: str) -> list[dict[str, Any]]:
        with self.database() as database:
            return database.execute(f"SELECT * FROM studio_generation WHERE {condition} ORDER BY created_at").fetchall()

    def rows_of(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        with self.database() as database:
            found = database.execute("SELECT * FROM studio_generation WHERE id = ANY(%s::uuid[])", [list(ids)])
            rows = {str(row["id"]): row for row in found}
        return [rows[id] for id in ids]

    def row(self, id: str) -> dict[str, Any]:
        return self.rows_of([id])[0]

    def worker_of(self, row: dict[str, Any]) -> str:
        """The name of the process that holds this row; empty when none of ours does."""
        pids = {self.pid(name): name for name in WORKERS if self.is_running(name)}
        parts = str(row["worker"]).split(":")
        return pids.get(int(parts[1]), "") if len(parts) > 1 else ""

    def ledger(self, id: str) -> list[tuple[str, int]]:
        """(kind, tokens) of a generation's entries, the hold first."""
        with self.database() as database:
            found = database.execute(
                "SELECT kind, tokens FROM billing_ledgerentry WHERE job_id = %s ORDER BY kind", [id]
            )
            return [(row["kind"], row["tokens"]) for row in found]

    def assert_charged_once(self, rows: Sequence[dict[str, Any]]) -> None:
        """Each row has its hold and exactly one settlement, over the tokens that it says."""
        for row in rows:
            entries = self.ledger(str(row["id"]))
            assert [kind for kind, _ in entries] == ["hold", "settle"], entries
            assert entries[1][1] == row["prompt_tokens"] + row["completion_tokens"]

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.environment["REDIS_URL"], socket_timeout=10)

    def wait_until_writing(self, ids: Sequence[str], entries: int = 10) -> None:
        """Until every one of these streams holds some text."""
        client = self.redis()
        wait_for(
            lambda: all(int(client.xlen(f"millrace:stream:{id}")) >= entries for id in ids),  # type: ignore[arg-type]
            120,
            f"the beginning of {len(ids)} texts",
        )
