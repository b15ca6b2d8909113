"""Access that ends, ends open streams in every web process, also while Redis cannot pass the news on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.faults.product import Product
from tests.stack import Demo, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

WEBS = ("web0", "web1")


class Follower(threading.Thread):
    """Reads one stream to its end; `ending` is what it was told there."""

    def __init__(self, product: Product, who: Demo, web: str, id: str, socket: bool) -> None:
        super().__init__(daemon=True)
        self.url, self.who, self.id, self.socket = product.url(web), who, id, socket
        self.begun, self.ending = False, ""
        self.start()

    def run(self) -> None:
        if self.socket:
            self._follow_socket()
        else:
            self._follow_events()

    def _follow_socket(self) -> None:
        address = f"{self.url.replace('http', 'ws')}/ws/generations/{self.id}/"
        with connect(address, additional_headers=self.who.bearer, proxy=None) as socket:
            try:
                while socket.recv():
                    self.begun = True
            except ConnectionClosed as closed:
                self.ending = "access_revoked" if closed.rcvd and closed.rcvd.code == 4410 else str(closed)

    def _follow_events(self) -> None:
        address = f"{self.url}/api/v1/generations/{self.id}/stream"
        with httpx.stream("GET", address, headers=self.who.bearer, timeout=120, trust_env=False) as response:
            for line in response.iter_lines():
                self.begun = True
                self.ending = "access_revoked" if "access_revoked" in line else self.ending
        self.ending = self.ending or "cut"


@contextmanager
def revoked(product: Product, who: Demo) -> Iterator[None]:
    """The organization's keys do not work within the block: changed in the database, where nobody announces it."""
    change = "UPDATE accounts_apikey SET revoked_at = {} WHERE prefix = %s"
    with product.database() as database:
        database.execute(change.format("clock_timestamp()"), [who.api_key[:10]])
        try:
            yield
        finally:
            database.execute(change.format("NULL"), [who.api_key[:10]])


@pytest.mark.parametrize("without", [(), ("redis",)])
def test_a_revoked_keys_streams_end_in_every_web_process(product: Product, without: tuple[str, ...]) -> None:
    for worker in ("generation0", "generation1"):
        product.halt(worker)
    [theirs], [ours] = product.submit(1, who=product.b), product.submit(1)
    ways = [(web, socket) for web in WEBS for socket in (False, True)]
    ending = [Follower(product, product.b, web, theirs, socket) for web, socket in ways]
    staying = [Follower(product, product.a, web, ours, socket) for web, socket in ways]
    wait_for(lambda: all(follower.begun for follower in ending + staying), 60, "the first frames")
    with product.without(*without), revoked(product, product.b):
        wait_for(lambda: all(follower.ending for follower in ending), 60, "the end of the streams")
    assert [follower.ending for follower in ending] == ["access_revoked"] * len(ending)
    assert [follower.ending for follower in staying] == [""] * len(staying)
