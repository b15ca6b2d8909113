"""The web process is killed or told to leave, Redis dies under it, clients do not read: readers lose nothing."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import psutil
import pytest

from apps.core.streams import DELTA, Entry, append
from tests.faults.follow import Reading
from tests.faults.product import Product
from tests.faults.sockets import Sockets
from tests.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

# Each text is read by four over SSE and four over WebSockets: a hundred of each.
STREAMS, TIMES, TOKENS = 25, 4, 160
SLOW = 0.04


@contextmanager
def two_hundred_readers(product: Product, ids: Sequence[str]) -> Iterator[tuple[Any, Sockets]]:
    """A hundred readers over SSE and a hundred over WebSockets, all of the one web process."""
    with ExitStack() as stack:
        events = [stack.enter_context(product.following(ids, webs=["web0"])) for _ in range(TIMES)]
        sockets = Sockets(product.url(), product.a.bearer, ids, TIMES)
        stack.callback(sockets.stop)
        yield events, sockets


def all_have_some(events: Any, sockets: Sockets) -> bool:
    return all(reading.deltas for reader in events for reading in reader.readings.values()) and all(
        reading.deltas for reading in sockets.readings
    )


def assert_whole(product: Product, ids: Sequence[str], readings: Sequence[Reading]) -> None:
    texts = {str(row["id"]): row["text"] for row in product.finished(ids)}
    assert len(readings) == 2 * TIMES * len(ids)
    assert all(texts.values())
    wrong = [reading.id for reading in readings if reading.text != texts[reading.id]]
    assert not wrong
    assert not [reading.id for reading in readings if reading.repeated or reading.resets]
    assert all(reading.done and reading.done["text"] == reading.text for reading in readings)


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_readers_of_a_web_process_that_ends_go_on_at_the_next(product: Product, end: str) -> None:
    product.alter(step=SLOW)
    ids = product.submit(STREAMS, TOKENS)
    product.wait_until_writing(ids)
    with two_hundred_readers(product, ids) as (events, sockets):
        wait_for(lambda: all_have_some(events, sockets), 60, "text for two hundred readers")
        open_ones = sum(reading.done is None for reading in sockets.readings)
        began = time.monotonic()
        getattr(product, end)("web0")
        product.wait_until_gone("web0", 60)
        took = time.monotonic() - began
        product.restart("web0")
        product.alter()
        readings = [reading for reader in events for reading in reader.wait()] + sockets.wait()
    assert_whole(product, ids, readings)
    assert open_ones > 50, "the texts were over before the web process was"
    assert sum(reading.connections > 1 for reading in readings) > 100
    if end == "terminate":
        assert took < 25
        assert sockets.closings.count(1012) >= open_ones * 0.8, sockets.closings


def test_redis_is_killed_under_a_hundred_streams(product: Product) -> None:
    product.alter(step=SLOW)
    ids = product.submit(STREAMS, TOKENS)
    product.wait_until_writing(ids)
    with two_hundred_readers(product, ids) as (events, sockets):
        wait_for(lambda: all_have_some(events, sockets), 60, "text for two hundred readers")
        product.kill("redis")
        time.sleep(2)
        product.restart("redis")
        product.alter()
        readings = [reading for reader in events for reading in reader.wait()] + sockets.wait()
    texts = {str(row["id"]): row["text"] for row in product.finished(ids)}
    assert all(texts.values())
    assert [reading.id for reading in readings if reading.text != texts[reading.id]] == []
    assert [reading.id for reading in readings if reading.repeated] == []


# ---------------------------------------------------------------- clients that do not read
CLIENTS, PIECES = 20, 3000


def slow_client(product: Product, id: str, number: int) -> socket.socket:
    """A reader with a small window, every other over a WebSocket, that has taken the answer's head."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    host, port = product.url().removeprefix("http://").split(":")
    client.connect((host, int(port)))
    path, more = f"/api/v1/generations/{id}/stream", []
    if number % 2:
        path = f"/ws/generations/{id}/"
        more = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        more += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: {product.a.bearer['Authorization']}"]
    client.sendall("\r\n".join([*lines, *more, "", ""]).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.split()[1] in {b"200", b"101"}, head
    return client


def piece(number: int) -> str:
    return f"{number:06d} " + "x" * 993


def test_clients_that_read_a_byte_a_second_cost_little_and_miss_nothing(product: Product) -> None:
    for name in ("generation0", "generation1"):
        product.halt(name)
    [id] = product.submit(1)
    web = psutil.Process(product.pid("web0"))
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(slow_client(product, id, n))) for n in range(CLIENTS)]
        quick = stack.enter_context(product.following([id], webs=["web0"]))[id]
        wait_for(lambda: quick.connections, 30, "the quick reader")
        before = web.memory_info().rss
        redis, expected = product.redis(), "".join(map(piece, range(PIECES)))
        for start in range(0, PIECES, 50):
            pipe = redis.pipeline()
            for number in range(start, start + 50):
                append(_Renamed(pipe), id, 1, number + 1, Entry("", DELTA, piece(number), (7,), number))
            pipe.execute()
            for client in clients:
                client.recv(1)
            time.sleep(0.02)
        wait_for(lambda: len(quick.text) >= len(expected), 60, "the quick reader's text")
        grown = web.memory_info().rss - before
        assert quick.text == expected
        assert grown < CLIENTS * 256_000 + 4_000_000, f"{grown / CLIENTS:.0f} bytes for each slow client"
        for client in clients[:2]:
            assert_goes_on(client, expected)
        assert httpx.post(
            f"{product.url()}/api/v1/generations/{id}/cancel", headers=product.a.bearer, trust_env=False
        ).is_success
        redis.delete(f"millrace:stream:{id}")


class _Renamed:
    """A pipeline to the product's streams: this process has a prefix of its own."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe

    def xadd(self, name: str, fields: Any, id: str) -> None:
        self.pipe.xadd("millrace:" + name.partition(":")[2], fields, id=id)


def assert_goes_on(client: socket.socket, expected: str) -> None:
    """Once it reads at last, everything comes, in order."""
    last = expected[-1000:].encode()
    data = bytearray()
    while last not in data:
        part = client.recv(65536)
        assert part, "closed"
        data += part
    # A chunk's or a frame's head may stand in the middle of a piece, but not of many.
    numbers = [int(found) for found in re.findall(rb"(\d{6}) x", bytes(data))]
    assert numbers[-1] == PIECES - 1
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 0.9 * PIECES
