"""What a started server is to the one who started it."""

import atexit
import os
import pwd
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

from deploy.local.ports import free_port, port_is_free
from deploy.local.processes import ServiceError, die_with_parent, unlock_folder, wait_until_ready, write_private

START_ATTEMPTS = 5


class Service:
    """A running server: where it is, and how to end it."""

    def __init__(
        self, url: str, child: "subprocess.Popen[bytes]", lock: IO[str], ending: tuple[tuple[int, float], ...]
    ):
        self.url = url
        self._child = child
        self._lock = lock
        self._ending = ending
        self._owner = os.getpid()
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child.pid

    def is_running(self) -> bool:
        """Tell whether the server still runs."""
        return self._child.poll() is None

    def stop(self) -> None:
        """End the server in an orderly way and give its folder free; a second call does nothing.

        A forked copy of this object does not own the server and leaves it alone.
        """
        if os.getpid() != self._owner or self._lock.closed:
            return
        for signum, seconds in self._ending:
            if self._child.poll() is not None:
                break
            self._child.send_signal(signum)
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        unlock_folder(self._lock)
        atexit.unregister(self.stop)


def launch(
    folder: Path,
    log: Path,
    command: Callable[[int], list[str]],
    is_ready: Callable[[int], bool],
    *,
    user: int | None = None,
    death_signal: int = signal.SIGTERM,
    seconds: float = 60,
) -> "tuple[subprocess.Popen[bytes], int]":
    """Start a server on the port `folder` remembers, or on another free one when that is taken.

    `command` and `is_ready` are given the port. Returns the child, ready to serve, and the port. The child has a
    session of its own: Ctrl-C reaches only the parent, which ends the server after those who use it.
    """
    for attempt in range(START_ATTEMPTS):
        port = _choose_port(folder / "port")
        with log.open("wb") as output:
            child = subprocess.Popen(
                command(port),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                user=user,
                group=user_group(user),
                extra_groups=None if user is None else [],
                start_new_session=True,
                preexec_fn=die_with_parent(death_signal),
            )
        try:
            wait_until_ready(child, lambda port=port: is_ready(port), log, seconds)  # type: ignore[misc]
        except ServiceError:
            # Someone else took the port between our look and the server's: only then is another one worth a try.
            if attempt + 1 == START_ATTEMPTS or "in use" not in log.read_text(errors="replace"):
                raise
            continue
        write_private(folder / "port", str(port))
        return child, port
    raise AssertionError("the loop returns or raises")


def _choose_port(remembered: Path) -> int:
    if remembered.exists() and remembered.read_text().strip().isdigit():
        port = int(remembered.read_text())
        if port_is_free(port):
            return port
    return free_port()


def user_group(user: int | None) -> int | None:
    """Return the primary group of a user id."""
    if user is None:
        return None
    return pwd.getpwuid(user).pw_gid
