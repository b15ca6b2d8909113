"""Child processes that end with their parent, and the few facts needed about other people's."""

import contextlib
import ctypes
import fcntl
import functools
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import psutil

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ServiceError(RuntimeError):
    """A service could not be started; the message says why and names its log."""


def request_death_signal(signum: int, parent: int) -> None:
    """Ask the kernel to send this process `signum` when `parent`, the process that forked it, dies.

    Only Linux has this; elsewhere the next start finds what was left running and ends it. The kernel watches the
    thread that forked, so children are started from a thread that lives as long as they should.
    """
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was in place
        os.kill(os.getpid(), signum)


def die_with_parent(signum: int) -> Callable[[], None]:
    """Return `request_death_signal` as a hook for the child's side of a fork by this process."""
    return functools.partial(request_death_signal, signum, os.getpid())


def is_handling_interrupt(pid: int) -> bool:
    """Tell whether the process blocks SIGINT just now, as make does from the moment it gets one.

    make passes SIGTERM on to what it runs but expects the terminal to have sent SIGINT to all; a program that sends it
    to make alone would wait for ever.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # no Linux, or gone
        return False
    blocked = next((line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), "0")
    return bool(int(blocked, 16) >> (signal.SIGINT - 1) & 1)


def remembered(path: Path, make: Callable[[], str]) -> str:
    """Return what an earlier start wrote to `path` (readable by the owner only), or make and write it."""
    if path.exists() and (kept := path.read_text().strip()):
        return kept
    value = make()
    write_private(path, value)
    return value


def write_private(path: Path, value: str) -> None:
    """Write a small file in one step, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value)
    draft.replace(path)


def new_password() -> str:
    """Return a random password that needs no escaping in a URL or a configuration file."""
    return secrets.token_urlsafe(24)


def lock_folder(folder: Path) -> IO[str]:
    """Take `folder` for this process for as long as the returned file stays open.

    The kernel drops the lock with the process, so kill -9 leaves nothing to clean up. Raises ServiceError when
    another live process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ServiceError(f"{folder} is in use by another running copy") from error
    return file


def unlock_folder(lock: IO[str]) -> None:
    """Give a folder free, also when a forked process still holds a copy of the file."""
    if not lock.closed:
        fcntl.flock(lock, fcntl.LOCK_UN)
        lock.close()


def still_alive(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for the processes to end; return those that have not after `seconds`.

    A zombie has ended: in a container whose first process adopts no orphans it may stay for ever.
    """
    deadline = time.monotonic() + seconds
    while alive := [process for process in processes if _lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_process(pid: int, steps: tuple[tuple[int, float], ...]) -> None:
    """Send each signal of `steps` in turn and wait its seconds, until the process is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for signum, seconds in steps:
            process.send_signal(signum)
            if not still_alive([process], seconds):
                return


def is_running_in(pid: int, name: str, folder: Path) -> bool:
    """Tell whether `pid` is a `name` process working in `folder`, and not a stranger that got the same number."""
    try:
        process = psutil.Process(pid)
        return process.name().startswith(name) and Path(process.cwd()) == folder.resolve()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def end_marked_processes(variable: str, value: str, seconds: float = 10) -> int:
    """End every process whose environment says `variable=value`, and return how many there were.

    These are the children of a run that was killed before it could stop them.
    """
    kin = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in kin and process.environ().get(variable) == value:
                found.append(process)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    alive = still_alive(found, seconds)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    still_alive(alive, 5)
    return len(found)


def wait_until_ready(child: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path, seconds: float) -> None:
    """Wait until `is_ready` says so; raise ServiceError with the end of `log` when the child stops or is too slow."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if child.poll() is not None:
            raise ServiceError(f"{log.stem} stopped at once (code {child.returncode}):\n{log_tail(log)}")
        if time.monotonic() > deadline:
            child.send_signal(signal.SIGKILL)
            child.wait()
            raise ServiceError(f"{log.stem} was not ready after {seconds:.0f} s:\n{log_tail(log)}")
        time.sleep(0.05)


def log_tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
