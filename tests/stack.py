"""The real product as processes: what `make run` starts, with its data in a temporary folder.

Loaded with `-p tests.stack`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.local.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 240
# Servers and settings of the test run itself, which the product started here must not share.
NOT_INHERITED = {"DATABASE_URL", "REDIS_URL", "DATABASE_ROLE", "REDIS_PREFIX", "DATABASE_POOL_SIZE", "BASE_URL", "PORT"}


@dataclass(frozen=True)
class Demo:
    """One of the demo's organizations."""

    slug: str
    name: str
    owner_email: str
    owner_password: str
    api_key: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}


class Stack:
    """A running product; `a` and `b` are its two organizations."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.log = (var / "run.log").open("wb")
        self.port = free_port()
        environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        environment |= {"MILLRACE_VAR": str(var), "PORT": str(self.port), "LOG_LEVEL": "INFO"}
        environment.pop("MAKELEVEL", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.run"],
            cwd=ROOT,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        demo = self._wait_for_demo()
        self.base_url: str = demo["base_url"]
        self.a, self.b = (Demo(**item) for item in demo["organizations"])

    def _wait_for_demo(self) -> dict[str, Any]:
        path = self.var / "run" / "demo.json"
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if path.is_file():
                found: dict[str, Any] = json.loads(path.read_text())
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        self.stop()
        raise RuntimeError("the product did not start:\n" + self.output()[-4000:])

    def output(self) -> str:
        return (self.var / "run.log").read_text(errors="replace")

    def client(self, who: Demo | None = None) -> httpx.Client:
        headers = who.bearer if who else {}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=60, trust_env=False)

    def pids(self, *words: str) -> list[int]:
        """Processes of this product whose command line holds all `words`, without their keepers."""
        found: list[int] = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                if all(word in line for word in words) and "deploy.local.keep" not in line:
                    found.append(process.pid)
        return found

    def kill(self, *words: str) -> None:
        """kill -9 of the matching processes; whoever keeps them starts them again."""
        pids = self.pids(*words)
        assert pids, f"no process {words} to kill"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.log.close()


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first truthy value of `condition`, asked ten times a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {seconds} s")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One real product for all flows and browser tests; their xdist group keeps them in one process."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    try:
        yield running
    finally:
        running.stop()
