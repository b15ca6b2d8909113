"""Celery's worker in a world that is a little different: `python -m tests.faults.altered worker -Q generation …`.

The product has no switch for any of this, so the process is altered from outside before Celery starts; each request
and each engine is real. ALTER_CLOCK is the seconds by which this process's wall clock is wrong. ALTER_FILE holds JSON
that every step of an engine reads anew when it has changed, so that nothing has to be started again for it:

- step: seconds that each engine step takes longer, so that a fault can fall into the middle of an answer.
- poison: a request whose text holds this phrase kills the engine's process at its 25th token.
- hungry: while a request whose text holds this phrase runs, the engine's process may take no more memory (RLIMIT_AS).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ml.types import Engine, EngineRequest, EngineStats, StepOutput

POISON_TOKENS = 25
# The module's name, its parent and two ends of sockets: Celery's worker has more.
ENGINE_ARGUMENTS = 4


class Wanted:
    """What the test wants of engines now."""

    def __init__(self) -> None:
        self._path = Path(os.environ["ALTER_FILE"])
        self._version = (0, 0)
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        found = self._path.stat()
        version = (found.st_ino, found.st_mtime_ns)
        if version != self._version:
            self._values, self._version = json.loads(self._path.read_text()), version
        return self._values.get(name)


class AlteredEngine:
    """A real engine with the faults that the file names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.max_running = engine.max_running
        self._wanted = Wanted()
        self._poisoned: dict[str, int] = {}
        self._hungry: set[str] = set()
        self._arrived: SimpleQueue[EngineRequest] = SimpleQueue()

    def submit(self, request: EngineRequest) -> None:
        text = " ".join(message.content for message in request.messages)
        if (poison := self._wanted["poison"]) and poison in text:
            self._poisoned[request.request_id] = len(request.progress.token_ids)
        if (hungry := self._wanted["hungry"]) and hungry in text:
            # Handed on by the thread that steps: the limit holds while the request runs, and not while another thread
            # takes it apart, or while a step waits for it.
            self._arrived.put(request)
            return
        self._engine.submit(request)

    def cancel(self, request_id: str) -> None:
        self._engine.cancel(request_id)

    def step(self, timeout: float = 0.1) -> Sequence[StepOutput]:
        while not self._arrived.empty():
            request = self._arrived.get()
            self._hungry.add(request.request_id)
            self._engine.submit(request)
        outputs = self._limited_step(timeout) if self._hungry else self._engine.step(timeout)
        for output in outputs:
            if output.request_id in self._poisoned:
                self._poisoned[output.request_id] += len(output.token_ids)
                if self._poisoned[output.request_id] >= POISON_TOKENS:
                    os.kill(os.getpid(), signal.SIGKILL)
            if output.finish_reason:
                self._hungry.discard(output.request_id)
        if outputs:
            time.sleep(self._wanted["step"] or 0)
        return outputs

    def _limited_step(self, timeout: float) -> Sequence[StepOutput]:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), before[1]))
        try:
            return self._engine.step(timeout)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    def stats(self) -> EngineStats:
        return self._engine.stats()

    def close(self) -> None:
        self._engine.close()


def alter_clock(seconds: float) -> None:
    from datetime import datetime, timedelta

    from django.utils import timezone

    right_time, right_now = time.time, timezone.now
    time.time = lambda: right_time() + seconds

    def now() -> datetime:
        return right_now() + timedelta(seconds=seconds)

    timezone.now = now


def alter_engines() -> None:
    """In the engine's process, which the worker starts as this module."""
    import ml.engine

    load = ml.engine.load_engine
    ml.engine.load_engine = lambda spec: AlteredEngine(load(spec))


def main() -> None:
    if len(sys.argv) == ENGINE_ARGUMENTS:
        alter_engines()
        from ml.engine.apart import child

        sys.exit(child.main())
    if clock := float(os.environ.get("ALTER_CLOCK", "0")):
        alter_clock(clock)
    from celery.__main__ import main as celery

    from ml.engine.apart import parent

    parent.CHILD = "tests.faults.altered"
    celery()


if __name__ == "__main__":
    main()
