"""Readers of many streams at once over WebSockets, who come back with their last id whenever they are cut off."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.follow import RETRY_SECONDS, Reading


class Sockets:
    """`times` readers for each id, all in one thread; `closings` holds the code of every close before the end."""

    def __init__(self, url: str, headers: dict[str, str], ids: Sequence[str], times: int = 1) -> None:
        self.readings = [Reading(id) for id in ids for _ in range(times)]
        self.closings: list[int] = []
        self._url, self._headers = url.replace("http", "ws", 1), headers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="sockets", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def wait(self, seconds: float = 180) -> list[Reading]:
        """All readings, once every one has come to its end."""
        until = time.monotonic() + seconds
        while open_ones := [reading.id for reading in self.readings if not reading.done]:
            assert time.monotonic() < until, f"{len(open_ones)} sockets did not end in {seconds} s: {open_ones[:3]}"
            assert self._thread.is_alive(), "the readers have stopped"
            time.sleep(0.1)
        return self.readings

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._follow(reading)) for reading in self.readings]
        while not self._stopping.is_set() and not all(task.done() for task in tasks):
            await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, reading: Reading) -> None:
        while reading.done is None:
            reading.connections += 1
            try:
                await self._read(reading)
            except ConnectionClosed as closed:
                self.closings.append(closed.rcvd.code if closed.rcvd else 1006)
            except (OSError, InvalidHandshake, TimeoutError) as error:
                reading.refused = repr(error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, reading: Reading) -> None:
        address = f"{self._url}/ws/generations/{reading.id}/?after={reading.last}"
        async with connect(address, additional_headers=self._headers, compression=None, proxy=None) as socket:
            while reading.done is None:
                frame = json.loads(await socket.recv())
                if frame["type"] == "done":
                    frame["body"] = frame["generation"]
                reading.take(frame["type"], frame.get("id", ""), frame.get("body", frame))
