"""Run the Procfile's processes with honcho, tell when they are ready, and end them together."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from honcho import manager as honcho
from honcho.environ import parse_procfile
from honcho.printer import Printer

from deploy.local.keep import COMMAND_VARIABLE, SECONDS_TO_END
from deploy.local.ports import port_is_free, serves
from deploy.local.processes import (
    ServiceError,
    die_with_parent,
    is_handling_interrupt,
    request_death_signal,
    write_private,
)
from deploy.local.server import Server

READY_POLL_SECONDS = 0.5
SLOW_START_SECONDS = 120.0


class PortLost(Exception):
    """Another program listens where the web process should."""


def supervise(
    procfile: Path,
    beside: dict[str, str],
    demo: dict[str, Any],
    demo_file: Path,
    servers: list[Server],
    once_ready: Sequence[str] = (),
) -> int:
    """Start every process of `procfile` and `beside` it, and return when all have ended.

    `demo` says where the product is and who may sign in; it is written to `demo_file` when all is ready. Then the
    command `once_ready` is run beside the rest, for what needs all of it; nothing waits for it.

    A signal ends them in an orderly way, and so does the end of a process or of one of `servers` that cannot be kept
    running. Returns 0 after a signal and 1 after a failure; raises PortLost when all have been ended because another
    program was quicker to listen on the port, and no signal has come.
    """
    honcho.KILL_WAIT = SECONDS_TO_END + 3
    manager = _Manager(Printer(sys.stdout, colour=sys.stdout.isatty()), demo, demo_file, servers, once_ready)
    keeper = f"exec {shlex.quote(sys.executable)} -m deploy.local.keep"
    for name, command in [*parse_procfile(procfile.read_text()).processes.items(), *beside.items()]:
        environment = {**os.environ, COMMAND_VARIABLE: command}
        manager.add_process(name, keeper, cwd=str(procfile.parent), env=environment)
    # honcho forks one reader per process; should we be killed, the kernel ends it, and then the process itself.
    own_pid = os.getpid()
    os.register_at_fork(after_in_child=lambda: request_death_signal(signal.SIGKILL, own_pid))
    handlers = {signum: signal.getsignal(signum) for signum in honcho.SIGNALS}
    manager.loop()
    if manager.port_lost:  # before the look at what has come, so that no signal falls in between
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
    signalled = manager.returncode in {entry["rc"] for entry in honcho.SIGNALS.values()}
    if manager.port_lost and not signalled:
        raise PortLost
    return 0 if signalled and not manager.failed else 1


class _Manager(honcho.Manager):
    """honcho's manager with a watch on readiness and on the servers."""

    def __init__(
        self, printer: Printer, demo: dict[str, Any], demo_file: Path, servers: list[Server], once_ready: Sequence[str]
    ):
        super().__init__(printer)
        self.failed = self.port_lost = False
        self._demo = demo
        self._demo_file = demo_file
        self._servers = servers
        self._once_ready = once_ready

    def _start(self) -> None:
        super()._start()
        # Only now, because a thread that runs while others are forked could leave them a lock that nobody opens.
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def terminate(self) -> None:
        """End all processes; from here on there is no demo to find."""
        self._demo_file.unlink(missing_ok=True)
        if self._all_started():
            super().terminate()
        else:  # honcho cannot end a process whose number it has not heard yet
            timer = threading.Timer(0.1, self.terminate)
            timer.daemon = True
            timer.start()

    def _watch(self) -> None:
        started, told, ready = time.monotonic(), False, False
        while not self._terminating:
            if "MAKELEVEL" in os.environ and is_handling_interrupt(os.getppid()):
                os.kill(os.getpid(), signal.SIGINT)
                return
            if not self._revive_servers():
                self.failed = True
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if not ready and self._has_lost_port():
                self.port_lost = True
                self.terminate()
                return
            problem = None if ready else self._problem()
            if not ready and problem is None:
                ready = True
                write_private(self._demo_file, json.dumps(self._demo, indent=2) + "\n")
                print(welcome(self._demo), flush=True)
                self._run_once_ready()
            elif not told and problem and time.monotonic() - started > SLOW_START_SECONDS:
                told = True
                print(f"Still not ready: {problem}", flush=True)
            time.sleep(READY_POLL_SECONDS)

    def _run_once_ready(self) -> None:
        """Run from the watch's own thread, which lives as long as this process: the command does not outlive it."""
        if self._once_ready:
            subprocess.Popen(self._once_ready, preexec_fn=die_with_parent(signal.SIGTERM))

    def _problem(self) -> str | None:
        """Return why the product is not ready; an answer counts only if it is the answer of our own web process."""
        port = int(os.environ["PORT"])
        return not_ready(self._demo["base_url"]) or (None if serves(port) else f"nothing of ours serves port {port}")

    def _has_lost_port(self) -> bool:
        """Tell whether another program listens on our port: asked twice, for our own process may end in between."""
        port, host = int(os.environ["PORT"]), os.environ["LISTEN_HOST"]
        for _ in range(2):
            if port_is_free(port, host) or serves(port):
                return False
            time.sleep(READY_POLL_SECONDS)
        return True

    def _revive_servers(self) -> bool:
        """Start again what has died; tell whether every server runs."""
        for server in self._servers:
            if server.is_running():
                continue
            print(f"{server.name} stopped by itself; starting it again", flush=True)
            try:
                server.revive()
            except (ServiceError, OSError) as error:
                print(f"{server.name} does not start: {error}\nStopping everything.", flush=True)
                return False
        return True


def not_ready(base_url: str) -> str | None:
    """Return what /readyz says is missing, or None when everything is there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{base_url}/readyz", timeout=5) as response:
            return None if response.status == 200 else f"status {response.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def welcome(demo: dict[str, Any]) -> str:
    """Return what a person needs to begin: the address, and who to sign in as."""
    lines = ["", f"  Millrace is running at {demo['base_url']}", ""]
    for organization in demo["organizations"]:
        lines += [
            f"  {organization['name']}",
            f"    sign in   {organization['owner_email']}  /  {organization['owner_password']}",
            f"    API key   {organization['api_key']}",
        ]
    if demo["payments"]:
        lines += ["", f"  Payments go to a Stripe simulator at {demo['payments']} and move no money."]
    return "\n".join([*lines, "", "  Stop with Ctrl-C.", ""])
