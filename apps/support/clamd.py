"""Asking a virus scanner: ClamAV's clamd, by its command INSTREAM, over TCP or a socket of this machine."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

# To connect, and how long a scanner may take over a file in all, however slowly it takes or answers.
CONNECT_SECONDS, SCAN_SECONDS = 5.0, 120.0
PIECE, LONGEST_ANSWER = 64 * 1024, 4_096


class ScannerAway(Exception):
    """The scanner cannot be reached."""


class NotScanned(Exception):
    """The scanner does not say whether the file is clean: it may be larger than it takes."""


def scanned(url: str, file: Path) -> str:
    """The name of what was found in the file, or nothing for a clean one. Raises ScannerAway and
    NotScanned.

    `url` is tcp://host:port or unix:///path.
    """
    try:
        with _connected(url) as line, file.open("rb") as content:
            until = time.monotonic() + SCAN_SECONDS
            _send(line, b"zINSTREAM\0", until)
            while piece := content.read(PIECE):
                _send(line, struct.pack(">I", len(piece)) + piece, until)
            _send(line, struct.pack(">I", 0), until)
            return _read(_answer(line, until))
    except FileNotFoundError:
        raise
    except OSError as error:
        # Also where it has hung up in the middle, as it does at what is too large.
        raise NotScanned(str(error)) from error


def _connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(CONNECT_SECONDS)
        try:
            line.connect(parts.path)
        except OSError as error:
            line.close()
            raise ScannerAway(str(error)) from error
    else:
        try:
            line = socket.create_connection((parts.hostname or "", parts.port or 3310), CONNECT_SECONDS)
        except OSError as error:
            raise ScannerAway(str(error)) from error
    return line


def _send(line: socket.socket, data: bytes, until: float) -> None:
    _bound(line, until)
    line.sendall(data)


def _bound(line: socket.socket, until: float) -> None:
    """The next step ends with the whole: a timeout alone begins anew with every byte that drips in."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    line.settimeout(left)


def _answer(line: socket.socket, until: float) -> str:
    found = b""
    while not found.endswith(b"\0") and len(found) < LONGEST_ANSWER:
        _bound(line, until)
        piece = line.recv(LONGEST_ANSWER)
        if not piece:
            break
        found += piece
    return found.rstrip(b"\0\n").decode("utf-8", "replace")


def _read(answer: str) -> str:
    said = answer.removeprefix("stream: ")
    if said == "OK":
        return ""
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND") or "?"
    # Among them: the file is larger than the scanner takes.
    raise NotScanned(answer or "no answer")
