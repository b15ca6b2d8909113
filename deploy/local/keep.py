"""Keep one process of the Procfile running: `KEEP_COMMAND='…' python -m deploy.local.keep`.

A worker that is killed comes back within a second, as it would under Docker or systemd. One that cannot start at all
is given up after a few tries, so that a wrong setting is reported once and not for ever.
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from deploy.local.processes import die_with_parent, request_death_signal

COMMAND_VARIABLE = "KEEP_COMMAND"
# Longer than the web server gives open requests (15 s) and a worker its whole leave (25 s).
SECONDS_TO_END = 27.0
RESTART_DELAY_SECONDS = 1.0
SHORT_LIFE_SECONDS = 15.0
SHORT_LIVES_ALLOWED = 5


class Keeper:
    """Starts a shell command, starts it again when it ends by itself, and ends it when told to."""

    def __init__(self, command: str):
        self.command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._stop_by: float | None = None

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """End the child and do not start it again."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + SECONDS_TO_END
            if self._child is not None and self._child.poll() is None:
                self._child.terminate()

    def run(self) -> int:
        """Keep the command running until told to stop; return its exit code."""
        short_lives = 0
        while self._stop_by is None:
            started = time.monotonic()
            code = self._run_once()
            if self._stop_by is not None:
                break
            short_lives = short_lives + 1 if time.monotonic() - started < SHORT_LIFE_SECONDS else 0
            reason = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
            if short_lives >= SHORT_LIVES_ALLOWED:
                print(f"{reason} {short_lives} times in a row; giving up", flush=True)
                return code or 1
            print(f"{reason}; starting again", flush=True)
            time.sleep(RESTART_DELAY_SECONDS)
        return 0

    def _run_once(self) -> int:
        # A session of its own: the signal that ends this process is passed on once and not twice.
        self._child = child = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self.command}"],
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        if self._stop_by is not None:  # told between the loop's test and the start
            child.terminate()
        while True:
            try:
                return child.wait(0.2)
            except subprocess.TimeoutExpired:
                if self._stop_by is not None and time.monotonic() > self._stop_by:
                    child.kill()


def main() -> int:
    """Keep the command in KEEP_COMMAND running.

    It is no argument, so that who looks for the worker by its command line, to kill it, finds the worker alone.
    """
    parent = os.getppid()
    command = os.environ.pop(COMMAND_VARIABLE, "")
    if not command:
        print(f"{COMMAND_VARIABLE} must hold the command to keep running", file=sys.stderr)
        return 2
    keeper = Keeper(command)
    signal.signal(signal.SIGTERM, keeper.stop)
    signal.signal(signal.SIGINT, keeper.stop)
    request_death_signal(signal.SIGTERM, parent)
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main())
