"""The worker's side of an engine that runs in a process of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ml
from ml.engine.apart import wire
from ml.engine.spec import ModelSpec
from ml.types import EngineError, EngineRequest, EngineStats, StepOutput

log = logging.getLogger(__name__)

ROOT = Path(ml.__file__).parents[1]
CHILD = "ml.engine.apart.child"
CLOSE_SECONDS = 2.0
# Whoever does not even answer for so long does nothing any more.
ANSWER_SECONDS = 120.0


class EngineLost(OSError):
    """The engine's process has ended without having been told to."""


class ApartEngine:
    """An engine in a process of its own; see the Engine protocol in ml/types.py.

    Where the process has ended, by itself or by the system for want of memory, `step` raises EngineLost, and so do
    `submit` and `cancel`: a new worker has to take over what was running. The thread that calls `step` must not wait
    for one that submits, since the process answers no order while nobody takes its reports.
    """

    def __init__(self, process: subprocess.Popen[bytes], orders: Connection, reports: Connection) -> None:
        self._process, self._orders, self._reports = process, orders, reports
        # One waits for its answer at a time, and beside it somebody may cancel.
        self._asking, self._sending = threading.Lock(), threading.Lock()
        self._stats = EngineStats()
        self.max_running = 0

    @classmethod
    def load(cls, spec: ModelSpec) -> ApartEngine:
        """Start the process and wait until its model is loaded; raises EngineError if it cannot be served.

        To be called by a thread that lives as long as the engine: the process ends with it.
        """
        orders, childs_orders = Pipe()
        reports, childs_reports = Pipe()
        with childs_orders, childs_reports:
            ends = (childs_orders.fileno(), childs_reports.fileno())
            path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
            process = subprocess.Popen(
                [sys.executable, "-m", CHILD, str(os.getpid()), *map(str, ends)],
                env=os.environ | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                pass_fds=ends,
            )
        engine = cls(process, orders, reports)
        try:
            engine._wait_until_ready(spec)
        except BaseException:
            engine.close()
            raise
        return engine

    def _wait_until_ready(self, spec: ModelSpec) -> None:
        try:
            self._order("load", spec, logging.getLogger(__name__).getEffectiveLevel())
            while not self.max_running:
                self._take()
        except EngineLost as error:
            raise EngineError(f"The process of the model {spec.source} ended.", "model_unavailable") from error

    def submit(self, request: EngineRequest) -> None:
        with self._asking:
            self._order("submit", request)
            try:
                if not self._orders.poll(ANSWER_SECONDS):
                    self._process.kill()
                failure = self._orders.recv()
            except (EOFError, OSError) as error:
                raise self._lost() from error
        if failure:
            raise EngineError(*failure)

    def cancel(self, request_id: str) -> None:
        self._order("cancel", request_id)

    def stats(self) -> EngineStats:
        """The engine's figures of a moment ago, also once it is gone."""
        return self._stats

    def step(self, timeout: float = 0.1) -> Sequence[StepOutput]:
        """What the process has produced; it steps by itself."""
        return self._take() if self._reports.poll(timeout) else []

    def close(self) -> None:
        with contextlib.suppress(EngineLost):
            self._order("close")
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._orders.close()
        self._reports.close()

    def _take(self) -> list[StepOutput]:
        """The next message: outputs are returned, all else is seen to."""
        try:
            kind, *content = wire.read(self._reports.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._lost() from error
        if kind == "outputs":
            outputs: list[StepOutput] = content[0]
            return outputs
        if kind == "ready":
            self.max_running, self._stats = content
        elif kind == "stats":
            [self._stats] = content
        elif kind == "failed":
            raise EngineError(*content)
        else:
            [record] = content
            if (logger := logging.getLogger(record.name)).isEnabledFor(record.levelno):
                logger.handle(record)
        return []

    def _order(self, name: str, *arguments: Any) -> None:
        if not self._sending.acquire(timeout=ANSWER_SECONDS):
            self._process.kill()  # which ends the wait of whoever sends
            self._sending.acquire()
        try:
            self._orders.send((name, *arguments))
        except OSError as error:
            raise self._lost() from error
        finally:
            self._sending.release()

    def _lost(self) -> EngineLost:
        return EngineLost(f"the engine's process {self._process.pid} ended")
