"""A client that stops reading costs little, and is cut off in the end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from apps.core import slow
from apps.core.slow import SlowClients

FRAME = "x" * 2000


class Talker:
    """Sends without an end, over HTTP and WebSocket alike, and says how much it could send and how it ended."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await asyncio.gather(self.talk(send, self.chunk), self.listen(receive))
            else:
                await receive()
                await send({"type": "websocket.accept"})
                await asyncio.gather(self.talk(send, self.text), self.listen(receive))
        except ConnectionError:
            return
        finally:
            self.ended.set()

    async def talk(self, send: Any, message: Any) -> None:
        while True:
            await send(message())
            self.sent += len(FRAME)
            await asyncio.sleep(0)

    async def listen(self, receive: Any) -> None:
        while "disconnect" not in (await receive())["type"]:
            pass
        raise ConnectionError

    def chunk(self) -> dict[str, Any]:
        return {"type": "http.response.body", "body": FRAME.encode(), "more_body": True}

    def text(self) -> dict[str, Any]:
        return {"type": "websocket.send", "text": FRAME}


@asynccontextmanager
async def serving(application: Any) -> AsyncIterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, log_level="critical", lifespan="off", ws_ping_interval=None)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield int(listener.getsockname()[1])
        server.should_exit = server.force_exit = True
        await task


def request(path: str, port: int) -> bytes:
    lines = ["GET / HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    if path == "websocket":
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("protocol", ["http", "websocket"])
async def test_who_does_not_read_is_sent_little_and_cut_off(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(slow, "STALLED_SECONDS", 0.5)
    talker = Talker()
    async with serving(SlowClients(talker)) as port:
        with socket.socket() as client:
            # A small window, as that of a client which takes one byte a second.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(request(protocol, port))
            async with asyncio.timeout(20):
                await talker.ended.wait()
            assert 0 < talker.sent < 256_000


async def test_who_reads_is_served_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(slow, "STALLED_SECONDS", 0.2)
    talker = Talker()
    async with serving(SlowClients(talker)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("http", port))
        async with asyncio.timeout(20):
            await reader.readexactly(4_000_000)
        writer.close()
        await talker.ended.wait()


async def test_a_server_without_a_transport_is_left_alone() -> None:
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start"})

    async def send(message: Any) -> None:
        sent.append(message)

    await SlowClients(application)({"type": "http"}, None, send)
    assert sent == [{"type": "http.response.start"}]
