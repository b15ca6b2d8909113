"""The visitors' browsers: `python -m bench.desk.visitors FILE PORT COUNT` opens so many widgets of those in FILE.

With `cable` behind it they are clients of Chatwoot's socket, each subscribed to a room of its own. It prints a line
when all are open, and then takes orders, one a line, each answered with a line of JSON: `ask RATE SECONDS` has visitors
write in turn, and times the bot's answer from before the message is sent until the answer's frame is here; `told RATE
SECONDS` has the desk write, and times each message until the visitor has its frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

AT_ONCE = 40
# What is still on its way may come so long after the last message.
PATIENCE_SECONDS = 20.0
# Each has one answer that the demo's flows know by heart.
QUESTIONS = (
    "when are you open",
    "what are your opening hours",
    "when does the bank close",
    "are you open on Saturday",
    "opening times of the branch please",
)


@dataclass
class Widget:
    """One open window: what it waits for, and what has come."""

    secret: str
    id: str
    number: int
    pubsub_token: str
    last: int = 0
    waits: dict[str, float] = field(default_factory=dict)
    socket: ClientConnection | None = None
    closed: str = ""


class Browsers:
    def __init__(self, made: dict[str, Any], port: int, count: int, *, cable: bool) -> None:
        self.cable = cable
        self.token, self.key = made["token"], made["key"]
        self.at, self.ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        self.widgets = [Widget(**each) for each in made["visitors"][:count]]
        self.lags: list[float] = []
        self.answers: dict[str, int] = {}
        self.refused: list[str] = []

    async def open(self) -> None:
        free = asyncio.Semaphore(AT_ONCE)

        async def one(widget: Widget) -> asyncio.Task[None]:
            async with free:
                await (self._subscribe if self.cable else self._follow)(widget)
                return asyncio.create_task(self._read(widget))

        self.reading = await asyncio.gather(*(one(widget) for widget in self.widgets))

    async def _follow(self, widget: Widget) -> None:
        path = f"{self.ws}/ws/support/widget/{self.token}/{widget.id}/?after=0"
        widget.socket = await connect(path, compression=None, proxy=None, ping_interval=None)
        await widget.socket.send(json.dumps({"secret": widget.secret}))
        # The first frame: this one is let in, and follows.
        self._take(widget, await widget.socket.recv())

    async def _subscribe(self, widget: Widget) -> None:
        widget.socket = await connect(f"{self.ws}/cable", compression=None, proxy=None, ping_interval=None)
        identifier = json.dumps({"channel": "RoomChannel", "pubsub_token": widget.pubsub_token})
        await widget.socket.send(json.dumps({"command": "subscribe", "identifier": identifier}))
        while (kind := json.loads(await widget.socket.recv()).get("type")) != "confirm_subscription":
            assert kind in ("welcome", "ping"), kind

    async def _read(self, widget: Widget) -> None:
        assert widget.socket
        try:
            async for text in widget.socket:
                self._take(widget, text)
        finally:
            closed = widget.socket.close_code
            widget.closed = str(closed)

    def _take(self, widget: Widget, text: str | bytes) -> None:
        now = time.monotonic()
        frame = json.loads(text)
        if self.cable:
            said = frame["message"] if "identifier" in frame else {}
            if said.get("event") == "message.created":
                self._arrived(widget, said["data"]["echo_id"] or "", said["data"]["content"], now)
            return
        for each in frame["data"] if frame["type"] == "messages" else ():
            assert each["sequence"] > widget.last, "a message came twice, or late"
            widget.last = each["sequence"]
            if each["kind"] != "outgoing":
                continue
            self._arrived(widget, "" if each["author"] == "bot" else each["client_id"] or "", each["content"], now)

    def _arrived(self, widget: Widget, waited_by: str, content: str, now: float) -> None:
        began = widget.waits.pop(waited_by, None)
        if began is not None:
            self.lags.append(now - began)
            self.answers[content[:40]] = self.answers.get(content[:40], 0) + 1

    # ------------------------------------------------------------ the orders
    async def run(self, send: Callable[..., Coroutine[Any, Any, None]], rate: float, seconds: float) -> dict[str, Any]:
        """Sends at an even rate, whatever becomes of what was sent before."""
        self.lags, self.answers, self.refused = [], {}, []
        total, began = int(rate * seconds), time.monotonic()
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client, asyncio.TaskGroup() as group:
            for number, widget in zip(range(total), itertools.cycle(self.widgets), strict=False):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                group.create_task(send(client, widget, number))
        until = time.monotonic() + PATIENCE_SECONDS
        while any(widget.waits for widget in self.widgets) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        missing = sum(len(widget.waits) for widget in self.widgets)
        for widget in self.widgets:
            widget.waits.clear()
        closed = [widget.closed for widget in self.widgets if widget.closed]
        return {
            "sent": total,
            "lags": sorted(self.lags),
            "missing": missing,
            "refused": self.refused[:3],
            "answers": self.answers,
            "closed": len(closed),
        }

    async def ask(self, client: httpx.AsyncClient, widget: Widget, number: int) -> None:
        path = f"/public/api/v1/inboxes/{self.token}/contacts/me/conversations/{widget.number}/messages"
        body = {"content": QUESTIONS[number % len(QUESTIONS)], "echo_id": f"ask-{number}-{time.monotonic_ns()}"}
        widget.waits[""] = time.monotonic()
        answer = await client.post(self.at + path, json=body, headers={"x-visitor-secret": widget.secret})
        if answer.status_code != 200:
            self.refused.append(answer.text[:200])

    async def told(self, client: httpx.AsyncClient, widget: Widget, number: int) -> None:
        path = f"/api/v1/support/conversations/{widget.id}/messages"
        body = {"content": f"Answer {number}", "client_id": f"told-{number}-{time.monotonic_ns()}"}
        widget.waits[body["client_id"]] = time.monotonic()
        answer = await client.post(self.at + path, json=body, headers={"authorization": f"Bearer {self.key}"})
        if answer.status_code != 201:
            self.refused.append(answer.text[:200])


async def serve(browsers: Browsers) -> None:
    await browsers.open()
    print("open", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        what, rate, seconds = line.split()
        send = {"ask": browsers.ask, "told": browsers.told}[what]
        print(json.dumps(await browsers.run(send, float(rate), float(seconds))), flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        for task in browsers.reading:
            task.cancel()


if __name__ == "__main__":
    file, port, count, *kind = sys.argv[1:]
    asyncio.run(serve(Browsers(json.loads(Path(file).read_text()), int(port), int(count), cable=kind == ["cable"])))
