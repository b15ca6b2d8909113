"""Each process's own listener for its metrics, apart from what the public can reach.

By default it takes a free port of the loopback interface, so that any number of processes share a machine, and writes
where it listens to MILLRACE_VAR/run/metrics/, in the form that Prometheus' file discovery reads.
"""

from __future__ import annotations

import atexit
import errno
import json
import logging
import os
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from prometheus_client import Gauge

from apps.core.errors import MethodNotAllowed, MillraceError, NotAuthenticated, NotFound
from apps.core.metrics.exposition import exposition, has_token

log = logging.getLogger(__name__)

# With a fixed METRICS_PORT, the processes of one machine take the first free one of so many.
PORTS_TRIED = 32
SILENT_CLIENT_SECONDS = 10

PROCESS_UP = Gauge("millrace_process_up", "1, with the name that the Procfile gives this process.", ["process"])


class _Handler(BaseHTTPRequestHandler):
    timeout = SILENT_CLIENT_SECONDS
    server_version, sys_version = "Millrace", ""

    def do_GET(self) -> None:
        try:
            if self.path.partition("?")[0] != "/metrics":
                raise NotFound("There is nothing at this address.")
            if settings.METRICS_TOKEN and not has_token(self.headers.get("authorization", "")):
                raise NotAuthenticated("Send METRICS_TOKEN: `Authorization: Bearer TOKEN`.")
            page = exposition(self.headers.get("accept", ""))
        except MillraceError as error:
            self._refuse(error)
        else:
            self._answer(200, page.content_type, page.body)
        finally:
            # Reading the stores took a connection for this thread, which ends now.
            connections.close_all()

    do_HEAD = do_GET

    def _refuse(self, error: MillraceError) -> None:
        self._answer(error.status, "application/json", json.dumps(error.body()).encode())

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("www-authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses by itself, told as everything else is."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._refuse(MethodNotAllowed("The metrics are only read: GET."))
        else:
            super().send_error(code, message, explain)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.warning("metrics not answered", exc_info=True)


class MetricsServer:
    """A listener in a thread of its own; `address` is what Prometheus is to be given."""

    def __init__(self, process: str) -> None:
        self.process = process
        self._server = _listen(settings.METRICS_HOST, settings.METRICS_PORT)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.METRICS_HOST, settings.METRICS_HOST)  # noqa: S104
        self.address = f"{f'[{host}]' if ':' in host else host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        self._file = _publish(process, self.address)

    def stop(self) -> None:
        """Ends the listener and takes its address back; may be called twice."""
        self._server.shutdown()
        self._server.server_close()
        self._file.unlink(missing_ok=True)


def _listen(host: str, port: int) -> _Server:
    """A listener on the first free port from `port` on; any free one for 0."""
    for tried in range(port, port + (PORTS_TRIED if port else 1)):
        try:
            return _Server(host, tried)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"all ports from {port} to {port + PORTS_TRIED - 1} are taken")


def _publish(process: str, address: str) -> Path:
    folder = Path(settings.VAR) / "run" / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.json"):
        if not _lives(left):
            left.unlink(missing_ok=True)
    file = folder / f"{process}-{os.getpid()}.json"
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps([{"targets": [address], "labels": {"process": process}}]) + "\n")
    draft.replace(file)
    return file


def _lives(file: Path) -> bool:
    """Whether the process that wrote the file is still there; one that was killed leaves its file behind."""
    try:
        os.kill(int(file.stem.rpartition("-")[2]), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def serve(process: str) -> MetricsServer | None:
    """Starts this process's listener; None where METRICS_PORT is -1, or where there is no room for one.

    A process works without its metrics sooner than not at all, so a failure is logged and nothing more.
    """
    PROCESS_UP.labels(process).set(1)
    if settings.METRICS_PORT < 0:
        return None
    try:
        server = MetricsServer(process)
    except OSError as error:
        log.error("metrics are not served: %s", error)
        return None
    atexit.register(server.stop)
    log.info("metrics of %s at http://%s/metrics", process, server.address)
    return server
