"""Readers of many streams at once, over server-sent events, as a careful client does it: cut off, they come back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

RETRY_SECONDS = 0.2


@dataclass
class Reading:
    """What one reader has seen: the text, resets applied, and the body of the last event."""

    id: str
    text: str = ""
    last: str = ""
    deltas: int = 0
    resets: int = 0
    connections: int = 0
    repeated: list[str] = field(default_factory=list)
    done: dict[str, Any] | None = None
    refused: str = ""
    # (seconds on the monotonic clock, characters so far) of each piece.
    times: list[tuple[float, int]] = field(default_factory=list)

    def take(self, event: str, position: str, data: dict[str, Any]) -> None:
        if event in {"delta", "reset"}:
            if self.last and _order(position) <= _order(self.last):
                self.repeated.append(position)
            self.last = position
        if event == "delta":
            self.deltas += 1
            self.text += data["text"]
            self.times.append((time.monotonic(), len(self.text)))
        elif event == "reset":
            self.resets += 1
            self.text = ""
        elif event == "done":
            self.done = data


def _order(position: str) -> tuple[int, ...]:
    return tuple(int(part) for part in position.split("-"))


class Readers:
    """One reader for each id, all in one thread; `readings` may be looked at while they run."""

    def __init__(self, urls: Sequence[str], headers: dict[str, str], ids: Sequence[str]) -> None:
        self.readings = {id: Reading(id) for id in ids}
        self._urls, self._headers = list(urls), headers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="readers", daemon=True)
        self._thread.start()

    def __getitem__(self, id: str) -> Reading:
        return self.readings[id]

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def wait(self, seconds: float = 180) -> list[Reading]:
        """All readings, once every one has come to its end."""
        until = time.monotonic() + seconds
        while not all(reading.done for reading in self.readings.values()):
            open_ones = [reading.id for reading in self.readings.values() if not reading.done]
            assert time.monotonic() < until, f"{len(open_ones)} streams did not end in {seconds} s: {open_ones[:3]}"
            assert self._thread.is_alive(), "the readers have stopped"
            time.sleep(0.1)
        return list(self.readings.values())

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        timeout = httpx.Timeout(30, read=60)
        async with httpx.AsyncClient(headers=self._headers, limits=limits, timeout=timeout, trust_env=False) as client:
            tasks = [
                asyncio.create_task(self._follow(client, number, reading))
                for number, reading in enumerate(self.readings.values())
            ]
            while not self._stopping.is_set() and not all(task.done() for task in tasks):
                await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, client: httpx.AsyncClient, number: int, reading: Reading) -> None:
        """Tries the web processes in turn until the end has come."""
        while reading.done is None:
            url = self._urls[(number + reading.connections) % len(self._urls)]
            reading.connections += 1
            try:
                await self._read(client, url, reading)
            except httpx.HTTPError as error:
                reading.refused = repr(error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, client: httpx.AsyncClient, url: str, reading: Reading) -> None:
        headers = {"Last-Event-ID": reading.last} if reading.last else {}
        async with client.stream("GET", f"{url}/api/v1/generations/{reading.id}/stream", headers=headers) as answer:
            if answer.status_code != 200:
                reading.refused = f"{answer.status_code}: {(await answer.aread())[:300]!r}"
                return
            event = position = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "id":
                    position = value
                elif name == "data":
                    reading.take(event, position, json.loads(value))
