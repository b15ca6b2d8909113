"""A bad line between a client and a server: it loses answers, and breaks connections where a test says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

UNCUT = 1 << 40


@contextmanager
def closing_both_ways(near: socket.socket) -> Iterator[None]:
    """Closing alone would leave the connection open until the thread that reads from it has read something."""
    try:
        yield
    finally:
        near.shutdown(socket.SHUT_RDWR)


class BadLine:
    """Passes connections on; each lets as many bytes of answers through as the next of `allowed`, then ends.

    Zero loses the answer to a request that the server has carried out. After the last of them nothing is cut.
    """

    def __init__(self, upstream: str, allowed: Iterable[int]) -> None:
        self._upstream = (urlsplit(upstream).hostname or "", urlsplit(upstream).port or 80)
        self._allowed = iter(allowed)
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._pass_on, args=(near, next(self._allowed, UNCUT)), daemon=True).start()

    def _pass_on(self, near: socket.socket, allowed: int) -> None:
        with near, socket.create_connection(self._upstream) as far:
            threading.Thread(target=self._copy, args=(near, far), daemon=True).start()
            with contextlib.suppress(OSError), closing_both_ways(near):
                while content := far.recv(4096):
                    near.sendall(content[:allowed])
                    allowed -= len(content)
                    if allowed <= 0:
                        return

    @staticmethod
    def _copy(near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := near.recv(65_536):
                far.sendall(content)
            far.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def bad_line(upstream: str, *allowed: int) -> Iterator[BadLine]:
    line = BadLine(upstream, allowed)
    try:
        yield line
    finally:
        line.close()
