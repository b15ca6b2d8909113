"""The engine's process: `python -m ml.engine.apart.child PARENT ORDERS REPORTS`, which ApartEngine starts.

It ends with its parent, whatever ended that; signals to the whole group are the parent's to act upon.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from typing import Any

from ml.engine.apart import wire
from ml.types import Engine, EngineError, EngineRequest

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
STEP_WAIT_SECONDS = 0.2
# How old the engine's figures may be where its parent reads them.
STATS_SECONDS = 0.2
# The stepping thread gives the interpreter away with every tensor operation and must have it back soon.
SWITCH_SECONDS = 0.0005

# What became of a request that was handed in: nothing to say, or the message and code of an EngineError.
Answer = tuple[str, str] | None


class Reports:
    """Messages to the parent, from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: bytes) -> None:
        with self._lock:
            self._connection.send_bytes(message)


class ParentsLog(QueueHandler):
    """Log lines go to the parent, which writes them as it writes its own."""

    def __init__(self, reports: Reports) -> None:
        super().__init__(reports)  # type: ignore[arg-type]
        self._reports = reports

    def enqueue(self, record: logging.LogRecord) -> None:
        self._reports.send(wire.message("log", record))


def main() -> int:
    parent, orders, reports = int(sys.argv[1]), Connection(int(sys.argv[2])), Reports(Connection(int(sys.argv[3])))
    _end_with(parent)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_SECONDS)
    _, spec, level = orders.recv()
    logging.basicConfig(level=level, format="%(message)s", handlers=[ParentsLog(reports)])
    try:
        engine = _load(spec)
    except EngineError as error:
        reports.send(wire.message("failed", str(error), error.code))
        return 0
    reports.send(wire.message("ready", engine.max_running, engine.stats()))
    closing = threading.Event()
    threading.Thread(target=_obey, args=(engine, orders, closing), name="orders", daemon=True).start()
    _step(engine, reports, closing)
    engine.close()
    return 0


def _step(engine: Engine, reports: Reports, closing: threading.Event) -> None:
    told, told_at = None, float("-inf")
    while not closing.is_set():
        outputs = engine.step(STEP_WAIT_SECONDS)
        is_due = (now := time.monotonic()) - told_at >= STATS_SECONDS
        # Whoever is told that a request has ended finds it in the figures.
        if (is_due or any(output.finish_reason for output in outputs)) and (stats := engine.stats()) != told:
            reports.send(wire.message("stats", stats))
            told, told_at = stats, now
        if outputs:
            reports.send(wire.outputs_message(outputs))


def _load(spec: Any) -> Engine:
    import ml.engine

    try:
        return ml.engine.load_engine(spec)
    except EngineError:
        raise
    except Exception as error:
        log.exception("model not loaded")
        raise EngineError(f"The model {spec.source} could not be loaded.", "model_unavailable") from error


def _end_with(parent: int) -> None:
    """Ask the kernel to end this process with the thread that started it: Linux's prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was in place
        os._exit(1)


def _obey(engine: Engine, orders: Connection, closing: threading.Event) -> None:
    """Follows the parent's orders until it says "close" or is gone."""
    try:
        while True:
            match orders.recv():
                case "submit", request:
                    orders.send(_submitted(engine, request))
                case "cancel", request_id:
                    engine.cancel(request_id)
                case _:
                    closing.set()
                    return
    except (EOFError, OSError):
        os._exit(0)
    except BaseException:
        os._exit(1)


def _submitted(engine: Engine, request: EngineRequest) -> Answer:
    try:
        engine.submit(request)
    except EngineError as error:
        return str(error), error.code
    except Exception as error:
        log.exception("request %s was not taken", request.request_id)
        return f"The engine could not take this request ({type(error).__name__}).", EngineError.code
    return None


if __name__ == "__main__":
    sys.exit(main())
