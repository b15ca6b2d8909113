"""A real HTTP server that answers as a test says, and breaks off where it says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What one request gets. `parts` are sent one by one; `cut` ends the connection behind them, or before any."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] | None = None
    cut: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Scripted = Answer | Callable[[Asked], Answer]


class Server:
    """Answers in the order of `answers`; the last one is repeated."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[Scripted] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.respond(self, Asked(self.command, self.path, headers, self.rfile.read(length)))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def script(self, *answers: Scripted) -> None:
        self.answers = list(answers)

    def respond(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)
            given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = given(asked) if callable(given) else given
        handler.close_connection = answer.cut or answer.parts is not None
        if answer.cut and answer.parts is None:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        content = b"" if answer.body is None else _bytes(answer.body)
        handler.send_response(answer.status)
        headers = {"content-type": "application/json", **answer.headers}
        if answer.parts is None:
            headers["content-length"] = str(len(content))
        else:
            headers |= {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        for part in answer.parts or []:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            handler.wfile.flush()
        if answer.parts is None:
            handler.wfile.write(content)
        elif not answer.cut:
            handler.wfile.write(b"0\r\n\r\n")

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
