"""A server that speaks clamd's INSTREAM and knows one virus: the EICAR test file."""

from __future__ import annotations

import socketserver
import struct
import threading
import time
from contextlib import suppress
from typing import Any

# In two parts, so that no scanner takes this file for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        if self.rfile.read(10) != b"zINSTREAM\0":
            self.wfile.write(b"UNKNOWN COMMAND\0")
            return
        found = b""
        while size := struct.unpack(">I", self.rfile.read(4))[0]:
            found += self.rfile.read(size)
            if len(found) > self.server.most:  # type: ignore[attr-defined]
                self.server.refused += 1  # type: ignore[attr-defined]
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.server.seen += 1  # type: ignore[attr-defined]
        if drips := self.server.drips:  # type: ignore[attr-defined]
            # For ever, until the other side has had enough.
            with suppress(OSError):
                while True:
                    self.wfile.write(b"s")
                    time.sleep(drips)
        self.wfile.write(b"stream: Eicar-Signature FOUND\0" if EICAR in found else b"stream: OK\0")


class Clamd:
    """It listens on a port of this machine, or on a socket at a path."""

    def __init__(self, path: str = "", most: int = 10_000_000, drips: float = 0.0) -> None:
        server: Any = (
            socketserver.ThreadingUnixStreamServer(path, _Handler)
            if path
            else socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler)
        )
        server.daemon_threads = True
        server.most, server.drips = most, drips
        server.seen = server.refused = 0
        self.server = server
        self.url = f"unix://{path}" if path else f"tcp://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def refused(self) -> int:
        """How often it was given what it does not take."""
        return int(self.server.refused)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
