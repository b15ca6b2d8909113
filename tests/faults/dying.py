"""A worker that is killed with kill -9 at a chosen step, on the database of the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from django.db import connection

from deploy.local.processes import die_with_parent
from tests.stack import ROOT

MOST_STEPS = 400
NEVER = 0


class Worker:
    """Runs a task of `tests.faults.killed` in a process that dies at a step; `more` is added to its environment."""

    def __init__(self, **more: str) -> None:
        own = connection.settings_dict
        keys = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
        where = "&".join(f"{key}={own[name]}" for key, name in keys.items() if own[name])
        environment = os.environ | {
            "DATABASE_URL": f"postgresql:///{own['NAME']}?{where}",
            "DATABASE_ROLE": "millrace_app",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "CRITICAL",
            **more,
        }
        environment.pop("STRIPE_SECRET_KEY", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.killed"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )

    def runs(self, task: str, *, dies_at: int = NEVER) -> bool:
        """Whether it was killed; it must have ended well otherwise."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{task} {dies_at}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer in {"0", str(-signal.SIGKILL)}, f"{task} ended with {answer or 'nothing'} at step {dies_at}"
        return answer != "0"

    def stop(self) -> None:
        self.process.kill()
        # Closes both pipes.
        self.process.communicate()
