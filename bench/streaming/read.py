"""The browsers' part: `python -m bench.streaming.read FILE PORT KEY SSE`; ids in FILE, SSE says how many over SSE.

Prints one line when all have had their first frame, reads until a line comes in, and prints what it has seen. The
protocols are spoken by hand: a client library would cost more than the server that is measured.
"""

from __future__ import annotations

import array
import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench.streaming.load import parse

AT_ONCE = 40


class Stream(asyncio.Protocol):
    """One open stream: counts frames and tokens, and holds the lag of each token in seconds."""

    def __init__(self, lags: array.array[float], request: bytes) -> None:
        self.lags, self.request = lags, request
        self.buffer = bytearray()
        self.shaken = False
        self.open = asyncio.get_running_loop().create_future()
        self.frames = self.tokens = self.bytes = self.next = self.missing = self.repeated = 0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(error or ConnectionError("closed in the handshake"))

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        self.buffer += data
        if not self.shaken:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            status = bytes(head.split(b" ", 2)[1])
            if status not in {b"101", b"200"}:
                self.open.set_exception(ConnectionError(head.decode("latin-1")))
                return
            self.buffer = rest
            self.shaken = True
        self.parse()

    def parse(self) -> None:
        raise NotImplementedError

    def frame(self, body: dict[str, Any]) -> None:
        if not self.open.done():
            # The first frame: this reader has been let in, and follows.
            self.open.set_result(None)
        if "text" not in body:
            return
        now = time.monotonic()
        self.frames += 1
        for number, due in parse(body["text"]):
            self.lags.append(now - due)
            self.tokens += 1
            if number < self.next:
                self.repeated += 1
            else:
                self.missing += number - self.next
                self.next = number + 1


class Socket(Stream):
    """RFC 6455, section 5.2: frames from the server are not masked, and ours are."""

    def parse(self) -> None:
        buffer = self.buffer
        while len(buffer) >= 2:
            length, start = buffer[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(buffer[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(buffer[2:10], "big"), 10
            if len(buffer) < start + length:
                return
            opcode, payload = buffer[0] & 15, bytes(buffer[start : start + length])
            del buffer[: start + length]
            if opcode == 1:
                self.frame(json.loads(payload))
            elif opcode == 9:
                self.transport.write(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)


class Events(Stream):
    """Server-sent events in chunks, of which the server sends one for each write."""

    def parse(self) -> None:
        while True:
            size, found, rest = self.buffer.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                return
            length = int(size, 16)
            for line in bytes(rest[:length]).split(b"\n"):
                if line.startswith(b"data: "):
                    self.frame(json.loads(line[6:]))
            self.buffer = rest[length + 2 :]


def request(id: str, port: int, key: str, sse: bool) -> bytes:
    path = f"/api/v1/generations/{id}/stream" if sse else f"/ws/generations/{id}/"
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {key}"]
    if not sse:
        nonce = base64.b64encode(os.urandom(16)).decode()
        lines += ["Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {nonce}", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*lines, "", ""]).encode()


async def run(ids: list[str], port: int, key: str, sse: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    lags: array.array[float] = array.array("d")
    free = asyncio.Semaphore(AT_ONCE)

    async def connect(index: int, id: str) -> Stream:
        kind = Events if index < sse else Socket
        async with free:
            _, stream = await loop.create_connection(
                lambda: kind(lags, request(id, port, key, index < sse)), "127.0.0.1", port
            )
            await stream.open
            return stream

    streams = await asyncio.gather(*(connect(index, id) for index, id in enumerate(ids)))
    print("ready", flush=True)
    began = time.process_time()
    await loop.run_in_executor(None, sys.stdin.readline)
    spent = time.process_time() - began
    names = ("frames", "tokens", "bytes", "missing", "repeated")
    found: dict[str, Any] = {name: sum(getattr(stream, name) for stream in streams) for name in names}
    return found | {"cpu_seconds": spent, "behind": [stream.next for stream in streams], "lags": lags.tolist()}


def main() -> int:
    file, port, key, sse = sys.argv[1:5]
    found = asyncio.run(run(json.loads(Path(file).read_text()), int(port), key, int(sse)))
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
