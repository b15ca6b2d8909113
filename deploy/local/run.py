"""`make run`: everything that the product needs, on one machine, until Ctrl-C or SIGTERM."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

from deploy.local.demo_bank import DemoBank
from deploy.local.keep import SECONDS_TO_END
from deploy.local.payments import Payments
from deploy.local.ports import HeldPort, hold_free_port, hold_port, port_is_free
from deploy.local.processes import (
    ServiceError,
    end_marked_processes,
    lock_folder,
    new_password,
    remembered,
    request_death_signal,
)
from deploy.local.server import Server
from deploy.local.services import start_postgres, start_redis
from deploy.local.supervise import PortLost, supervise

ROOT = Path(__file__).resolve().parents[2]
RUN_MARK = "MILLRACE_RUN"
USUAL_PORT = 8000
# The first of the organizations that `seed_demo` makes.
DEMO = "acme"


def main() -> int:
    """Start everything, stay until told to stop, stop everything; return an exit code."""
    if "MAKELEVEL" in os.environ:  # a make that is killed takes us along
        request_death_signal(signal.SIGTERM, os.getppid())
    signal.signal(signal.SIGTERM, _leave)
    var = Path(os.environ.get("MILLRACE_VAR") or ROOT / "var").resolve()
    try:
        return _run(var)
    except ServiceError as error:
        print(f"Millrace did not start: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"Millrace did not start: `{' '.join(error.cmd[1:])}` failed, see above.", file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    return 1


def _leave(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(var: Path) -> int:
    run_folder = var / "run"
    demo_file = run_folder / "demo.json"
    with _take(run_folder, demo_file):
        demo_file.unlink(missing_ok=True)
        if end_marked_processes(RUN_MARK, str(var)):
            say("Ended what an earlier run had left behind.")
        address = Address()
        _set_environment(var)
        payments = Payments(var)
        bank = DemoBank(var)
        with _servers(var) as servers:
            organizations = _prepare(run_folder, bank)
            while True:
                try:
                    demo = {"base_url": address.url, "organizations": organizations, "payments": payments.url}
                    beside = payments.processes | bank.processes
                    once_ready = payments.seed(ROOT / "manage.py", organizations[0]["slug"])
                    return supervise(ROOT / "Procfile", beside, demo, demo_file, servers, once_ready)
                except PortLost:
                    address.move()


def _take(run_folder: Path, demo_file: Path) -> IO[str]:
    """Take the run's folder; wait for an earlier run that is just ending, and refuse while one is at work."""
    deadline = time.monotonic() + SECONDS_TO_END + 10
    told = False
    while True:
        try:
            return lock_folder(run_folder)
        except ServiceError as error:
            # The file is there from the moment a run is ready until it is told to end.
            if demo_file.exists() or time.monotonic() > deadline:
                address = _address_in(demo_file)
                raise ServiceError(f"it is already running{address}, with its data in {run_folder.parent}") from error
            if not told:
                say("Waiting for an earlier run to end …")
                told = True
            time.sleep(0.2)


def say(text: str) -> None:
    """Print one line of progress at once, also into a pipe."""
    print(text, flush=True)


def _address_in(demo_file: Path) -> str:
    try:
        return f" at {json.loads(demo_file.read_text())['base_url']}"
    except (OSError, ValueError, KeyError):
        return ""


class Address:
    """Where the web process listens: settled in the environment's LISTEN_HOST, PORT and BASE_URL."""

    def __init__(self) -> None:
        self._asked = os.environ.get("PORT", "")
        self._named = "BASE_URL" in os.environ
        self._host = os.environ.setdefault("LISTEN_HOST", "127.0.0.1")
        if self._asked and not (self._asked.isdigit() and 0 < int(self._asked) < 65536):
            raise ServiceError(f"PORT must be a number from 1 to 65535, not {self._asked!r}")
        port = int(self._asked or USUAL_PORT)
        held = hold_port(port) if port_is_free(port, self._host) else None
        if held is None and self._asked:
            raise ServiceError(f"port {port} is in use; choose another with PORT=…, or leave PORT out")
        self._take(held or self._other_than(port))

    @property
    def url(self) -> str:
        """What to show to a person on this machine."""
        shown = "127.0.0.1" if self._host in {"0.0.0.0", "::"} else self._host  # noqa: S104 - compared, not bound
        return f"http://[{shown}]:{self._held.number}" if ":" in shown else f"http://{shown}:{self._held.number}"

    def move(self) -> None:
        """Take another port, because a program that holds none was quicker than our web process."""
        lost = self._held
        if self._asked:
            raise ServiceError(f"another program has taken port {lost.number}; choose another with PORT=…")
        self._take(self._other_than(lost.number))
        lost.release()

    def _other_than(self, port: int) -> HeldPort:
        held = hold_free_port(self._host)
        say(f"Port {port} is in use; taking {held.number} instead (PORT=… chooses one).")
        return held

    def _take(self, held: HeldPort) -> None:
        self._held = held
        os.environ["PORT"] = str(held.number)
        if not self._named:
            os.environ["BASE_URL"] = self.url


def _set_environment(var: Path) -> None:
    environment = os.environ
    environment["MILLRACE_VAR"] = environment[RUN_MARK] = str(var)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    environment["PYTHONUNBUFFERED"] = "1"
    # Celery's word to root, for each worker again; on a server the image's own user runs them.
    environment.setdefault("PYTHONWARNINGS", "ignore:You're running the worker")
    environment.setdefault("MILLRACE_LOCAL", "1")
    # One of the demo's organizations, so that the landing page can be tried as well.
    environment.setdefault("LIVE_DEMO_ORGANIZATION", DEMO)
    if "SECRET_KEY" not in environment and "SECRET_KEY_FILE" not in environment:
        # The prefix lets the settings refuse this key anywhere but on a developer's machine.
        environment["SECRET_KEY"] = remembered(var / "secret_key", lambda: f"local-{new_password()}{new_password()}")


@contextlib.contextmanager
def _servers(var: Path) -> Iterator[list[Server]]:
    """Start the servers that the environment does not name, and end them last."""
    started: list[Server] = []
    with contextlib.ExitStack() as stack:
        for name, variable, start in (
            ("PostgreSQL", "DATABASE_URL", start_postgres),
            ("Redis", "REDIS_URL", start_redis),
        ):
            if os.environ.get(variable) or os.environ.get(f"{variable}_FILE"):
                say(f"Using the {name} that {variable} names.")
                continue
            say(f"Starting {name} …")
            server = Server(name, functools.partial(start, var / name.lower()))
            stack.callback(server.stop)
            started.append(server)
            os.environ[variable] = server.url
        yield started


def _prepare(run_folder: Path, bank: DemoBank) -> list[dict[str, Any]]:
    """Bring database, translations and static files up to date and return the demo's organizations."""
    say("Preparing the database and the pages …")
    draft = run_folder / "demo.json.tmp"
    staff = os.environ.get("LOCAL_STAFF")
    # Tables belong to the owner; the application itself takes on a role that owns none.
    manage("migrate", "--no-input", "--skip-checks", "--verbosity", "0", DATABASE_ROLE="")
    steps = [
        ["translations", "compile"],
        ["collectstatic", "--no-input", "--verbosity", "0"],
        *([["create_staff", staff, "--role", "superuser"]] if staff else []),
        ["ensure_models"],
        ["reapply_erasures"],
        ["seed_demo", "--write", str(draft)],
        ["seed_documents"],
        ["seed_knowledge"],
        ["seed_conversations", DEMO],
        ["seed_templates", DEMO],
        ["seed_bulk", DEMO],
        ["seed_bot", DEMO, *bank.options],
    ]
    manage("in_turn", json.dumps(steps))
    organizations: list[dict[str, Any]] = json.loads(draft.read_text())["organizations"]
    draft.chmod(0o600)
    return organizations


def manage(*arguments: str, **environment: str) -> None:
    """Run a command of manage.py; raises CalledProcessError when it fails."""
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env={**os.environ, **environment}, check=True)


if __name__ == "__main__":
    sys.exit(main())
