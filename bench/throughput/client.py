"""The customers: `python -m bench.throughput.client PORT KEY`, with the orders of bench.throughput.bare.

Each text is asked for with a POST and followed over a WebSocket from its beginning to its end. The protocols are spoken
by hand, since a client library would take more of the processors than the product that is measured.
"""

from __future__ import annotations

import array
import asyncio
import json
import sys
import time
from typing import Any

from bench.streaming.read import Socket, request
from bench.throughput.work import Text, length, prompt, result


class Follower(Socket):
    """A socket that knows when its first text came, and what its end said."""

    def __init__(self, handshake: bytes) -> None:
        super().__init__(array.array("d"), handshake)
        self.first = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def frame(self, body: dict[str, Any]) -> None:
        if not self.open.done():
            self.open.set_result(None)
        if body["type"] == "delta" and not self.first:
            self.first = time.monotonic()
        elif body["type"] == "done":
            self.done.set_result(body["generation"])
        elif body["type"] == "error":
            self.done.set_exception(RuntimeError(str(body)))


class Poster:
    """A connection that is open before it is needed, as a program's client keeps it."""

    def __init__(self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.key, self.reader, self.writer = key, reader, writer

    async def post(self, body: dict[str, Any]) -> dict[str, Any]:
        reader, writer = self.reader, self.writer
        content = json.dumps(body).encode()
        head = f"POST /api/v1/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(int(line.split(":")[1]) for line in answer.splitlines() if line.startswith("content-length"))
        found: dict[str, Any] = json.loads(await reader.readexactly(length))
        if " 202 " not in answer.splitlines()[0] + " ":
            raise RuntimeError(str(found))
        return found


class Customers:
    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key
        self.posters: list[Poster] = []

    async def write(self, number: int, tokens: int, round_number: int) -> Text:
        body = {"prompt": prompt(number, round_number), "temperature": 0, "max_tokens": tokens, "min_tokens": tokens}
        accepted = await self.posters[number % len(self.posters)].post(body)
        handshake = request(accepted["id"], self.port, self.key, sse=False)
        _, follower = await asyncio.get_running_loop().create_connection(
            lambda: Follower(handshake), "127.0.0.1", self.port
        )
        usage = (await follower.done)["usage"]
        ended = time.monotonic()
        follower.transport.close()
        return Text(follower.first, ended, usage["completion_tokens"])

    async def batch(self, count: int, tokens: int, texts: int, round_number: int) -> dict[str, float]:
        await self._connect(count)
        began = time.monotonic()

        async def customer(place: int) -> list[Text]:
            found = []
            for turn in range(texts):
                if turn:
                    self.posters[place].writer.close()
                    self.posters[place] = await self._open()
                number = place + count * turn
                found.append(await self.write(number, length(number, tokens), round_number))
            return found

        return result(await asyncio.gather(*(customer(place) for place in range(count))), began)

    async def first(self, round_number: int) -> dict[str, float]:
        await self._connect(1)
        began = time.monotonic()
        return {"seconds": (await self.write(0, 4, round_number)).first - began}

    async def _connect(self, count: int) -> None:
        for poster in self.posters:
            poster.writer.close()
        self.posters = [await self._open() for _ in range(count)]

    async def _open(self) -> Poster:
        """A new one for each text: the server closes what is idle for some seconds."""
        return Poster(self.key, *await asyncio.open_connection("127.0.0.1", self.port))


async def serve(port: int, key: str) -> None:
    customers = Customers(port, key)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        kind, *numbers = line.split()
        work = customers.batch if kind == "batch" else customers.first
        print(json.dumps(await work(*map(int, numbers))), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
