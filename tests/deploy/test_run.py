"""The run command, on a stand-in product: what it starts it also ends, however it is told to."""

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.ports import free_port
from deploy.local.processes import still_alive

ROOT = Path(__file__).resolve().parents[2]
# Only so that a test which fails does so at last; beside other work each start may take a while.
PATIENCE_SECONDS = 60

MANAGE = """
import json, os, pathlib, sys, time
if (gate := os.environ.get("GATE")) and sys.argv[1] == "migrate":
    pathlib.Path(gate, os.environ["PORT"]).touch()
    while not pathlib.Path(gate, "open").exists():
        time.sleep(0.05)
if sys.argv[1] == "in_turn":
    [seed] = [step for step in json.loads(sys.argv[2]) if step[0] == "seed_demo"]
    organization = {"slug": "a", "name": "A", "owner_email": "a@a.example", "owner_password": "p", "api_key": "k"}
    with open(seed[2], "w") as file:
        json.dump({"organizations": [organization]}, file)
"""

# Ready when Redis answers; counts its starts there, to show that data outlives a run.
WEB = """
import http.server, os, redis
client = redis.Redis.from_url(os.environ["REDIS_URL"])
client.incr("starts")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        starts = client.get("starts")  # fails while Redis is away, and then there is no answer at all
        self.send_response(200)
        self.end_headers()
        self.wfile.write(starts)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

PROCFILE = """\
web: python web.py
worker: sleep 600
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder (with spaces) that holds the real run command and a product that starts in no time."""
    folder = tmp_path_factory.mktemp("a folder") / "of the product"
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in {"manage.py": MANAGE, "web.py": WEB, "Procfile": PROCFILE}.items():
        (folder / name).write_text(text)
    return folder


def start(product: Path, **environment: str) -> "subprocess.Popen[str]":
    inherited = {name: value for name, value in os.environ.items() if name not in {"PORT", "LISTEN_HOST", "BASE_URL"}}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local.run"],
        cwd=product,
        env={
            **{name: value for name, value in inherited.items() if not name.startswith(("REDIS_URL", "MILLRACE_"))},
            "DATABASE_URL": "postgresql://unused@127.0.0.1:9/none",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until(met: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.05)


@contextlib.contextmanager
def running(product: Path, **environment: str) -> Iterator["tuple[subprocess.Popen[str], str]"]:
    """A run that is ready, and its address."""
    demo = product / "var" / "run" / "demo.json"
    demo.unlink(missing_ok=True)  # one that was killed leaves it
    run = start(product, **environment)
    try:
        wait_until(lambda: demo.exists() or run.poll() is not None)
        assert run.poll() is None, run.communicate()[0]
        yield run, json.loads(demo.read_text())["base_url"]
    finally:
        run.terminate()
        run.communicate(timeout=PATIENCE_SECONDS)


class Gate:
    """Where runs wait between choosing a port and starting what shall listen on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.environment = {"GATE": str(folder)}

    def ports(self) -> list[int]:
        """Chosen by those who wait here."""
        return sorted(int(file.name) for file in self._folder.iterdir())

    def open(self) -> None:
        (self._folder / "open").touch()


@contextlib.contextmanager
def stranger(port: int = 0) -> Iterator[int]:
    """A program that listens and finds everything well, and its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"1000")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def descendants(run: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(run.pid).children(recursive=True)


def named(run: "subprocess.Popen[str]", word: str) -> list[psutil.Process]:
    """The run's processes whose command line holds the word."""
    found = []
    for process in descendants(run):
        with contextlib.suppress(psutil.Error):
            if word in " ".join(process.cmdline()):
                found.append(process)
    return found


def answers(address: str) -> bool:
    try:
        return starts(address) > 0
    except OSError:
        return False


def starts(address: str) -> int:
    with urllib.request.urlopen(address, timeout=5) as response:
        return int(response.read())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_data_stays(product: Path, signum: signal.Signals) -> None:
    with running(product) as (run, address):
        before = starts(address)
        family = descendants(run)
        assert {"redis-server", "sleep"} <= {process.name() for process in family}
        run.send_signal(signum)
        output, _ = run.communicate(timeout=PATIENCE_SECONDS)
        assert run.returncode == 0, output
        assert "a@a.example  /  p" in output
        assert not still_alive(family, seconds=0)
        assert not (product / "var" / "run" / "demo.json").exists()
    with running(product) as (run, address):
        assert starts(address) == before + 1


def test_nothing_outlives_a_run_that_is_killed(product: Path) -> None:
    with running(product) as (run, address):
        before = starts(address)
        family = descendants(run)
        run.kill()
        run.wait()
        with running(product) as (_, again):
            assert starts(again) == before + 1
            assert not still_alive(family, seconds=0)


def test_a_killed_worker_comes_back(product: Path) -> None:
    with running(product) as (run, _):
        # By command line, as a person would: that must not find the worker's keeper too.
        found = named(run, "sleep")
        assert len(found) == 1
        worker = found[0]
        worker.kill()
        wait_until(lambda: any(process != worker for process in named(run, "sleep")))


def test_a_killed_server_comes_back_where_it_was_with_its_data(product: Path) -> None:
    with running(product) as (run, address):
        before = starts(address)
        (first,) = named(run, "redis-server")
        time.sleep(1.2)  # Redis writes its file out every second
        first.kill()
        wait_until(lambda: any(process != first for process in named(run, "redis-server")))
        wait_until(lambda: answers(address))
        # The web process may have met the gap, and then been started once more.
        assert starts(address) in {before, before + 1}


def test_everything_ends_when_a_server_cannot_come_back(product: Path) -> None:
    with running(product) as (run, _):
        password = product / "var" / "redis" / "redis.conf"
        password.unlink()
        password.mkdir()  # where the configuration is written
        try:
            named(run, "redis-server")[0].kill()
            output, _ = run.communicate(timeout=PATIENCE_SECONDS)
        finally:
            password.rmdir()
        assert run.returncode == 1
        assert "Redis does not start" in output


def test_a_second_run_on_the_same_data_says_where_the_first_is(product: Path) -> None:
    with running(product) as (_, address):
        output, _ = start(product).communicate(timeout=PATIENCE_SECONDS)
        assert f"already running at {address}" in output


def test_a_run_waits_for_one_that_is_just_ending(product: Path) -> None:
    with running(product) as (first, _):
        first.terminate()
        wait_until(lambda: not (product / "var" / "run" / "demo.json").exists())
        with running(product) as (second, _):
            assert second.poll() is None
            assert first.wait(PATIENCE_SECONDS) == 0


def test_a_taken_port_is_an_error_only_when_it_was_asked_for(product: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = start(product, PORT=str(port))
        assert f"port {port} is in use" in run.communicate(timeout=PATIENCE_SECONDS)[0]
        assert run.returncode == 1
    with running(product, PORT=str(port)) as (_, address):
        assert address == f"http://127.0.0.1:{port}"


def test_a_stranger_on_the_port_is_never_taken_for_the_product(product: Path, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    demo = product / "var" / "run" / "demo.json"
    run = start(product, **gate.environment)
    try:
        wait_until(gate.ports)
        [lost] = gate.ports()
        with stranger(lost):
            gate.open()
            wait_until(lambda: demo.exists() or run.poll() is not None)
            address = json.loads(demo.read_text())["base_url"]
            assert address != f"http://127.0.0.1:{lost}"
            assert starts(address) < 1000
    finally:
        run.terminate()
        output, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert f"Port {lost} is in use" in output
    assert run.returncode == 0


def test_a_port_that_was_asked_for_and_lost_is_an_error(product: Path, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    asked = free_port()
    run = start(product, PORT=str(asked), **gate.environment)
    wait_until(gate.ports)
    with stranger(asked):
        gate.open()
        output, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert f"another program has taken port {asked}" in output
    assert run.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that end with their process")
def test_two_runs_that_start_together_choose_two_ports(product: Path, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    runs = [start(product, MILLRACE_VAR=str(tmp_path / name), **gate.environment) for name in ("a", "b")]
    try:
        wait_until(lambda: len(gate.ports()) == 2 or any(run.poll() is not None for run in runs))
        assert len(gate.ports()) == 2
    finally:
        for run in runs:
            run.terminate()
            run.communicate(timeout=PATIENCE_SECONDS)


SIMULATOR = "deploy.stripe_simulator"


def test_payments_are_simulated_where_nobody_says_otherwise(product: Path, tmp_path: Path) -> None:
    var = tmp_path / "var"
    with running_in(product, var) as run:
        demo = json.loads((var / "run" / "demo.json").read_text())
        wait_until(lambda: answers_as_simulator(demo["payments"]))
        [web] = named(run, "web.py")[-1:]
        environment = web.environ()
        assert environment["STRIPE_API_BASE"] == demo["payments"]
        assert environment["STRIPE_WEBHOOK_SECRET"].startswith("whsec_")
        assert "STRIPE_SECRET_KEY" not in environment
        command = " ".join(named(run, SIMULATOR)[-1].cmdline())
        assert f"{demo['base_url']}/webhooks/stripe" in command and str(var) in command


@pytest.mark.parametrize(
    "environment",
    [{"STRIPE_SECRET_KEY": "sk_test_own"}, {"STRIPE_API_BASE": "http://127.0.0.1:9"}, {"MILLRACE_LOCAL": "0"}],
)
def test_payments_are_not_simulated_where_somebody_does(
    product: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    var = tmp_path / "var"
    with running_in(product, var, **environment) as run:
        assert json.loads((var / "run" / "demo.json").read_text())["payments"] == ""
        assert not named(run, SIMULATOR)


@contextlib.contextmanager
def running_in(product: Path, var: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A run that is ready, with its data in a folder of its own."""
    run = start(product, MILLRACE_VAR=str(var), **environment)
    try:
        wait_until(lambda: (var / "run" / "demo.json").exists() or run.poll() is not None)
        assert run.poll() is None, run.communicate()[0]
        yield run
    finally:
        run.terminate()
        run.communicate(timeout=PATIENCE_SECONDS)


def answers_as_simulator(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/simulator/", timeout=5) as response:
            return "no real money" in response.read().decode()
    except OSError:
        return False
