"""Writers and readers of one conversation at the support desk, whose connections break again and again.

A writer says each thing with a client id until it is told that it is stored; a reader comes back with the last number
that it has. Neither is told what else goes wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.product import Product
from tests.stack import ROOT, wait_for

CSRF = "x" * 32
RETRY_SECONDS = 0.2
# Of a writer's requests so many are cut before the answer, and a reader is cut once in so many frames.
CUT_SHARE, FRAMES_TO_A_CUT = 0.1, 12
IDENTIFIER = "customer"


@dataclass(frozen=True)
class Desk:
    """An inbox, the cookies of its agents, and the addresses of the web processes, of which the last lives on."""

    urls: tuple[str, ...]
    token: str
    secret: str
    agents: tuple[str, ...]

    @classmethod
    def of(cls, product: Product, agents: int) -> Desk:
        command = [sys.executable, "-m", "tests.faults.desk_rows", product.a.slug, str(agents)]
        done = subprocess.run(command, cwd=ROOT, env=product.environment, check=True, stdout=subprocess.PIPE)
        made = json.loads(done.stdout)
        urls = tuple(product.url(web) for web in ("web0", "web1"))
        return cls(urls, made["token"], made["secret"], tuple(made["agents"]))

    def public(self, path: str) -> str:
        return f"/public/api/v1/inboxes/{self.token}/contacts{path}"

    def come_in(self, identifier: str = "") -> str:
        """What a new browser is known by; of a customer who is proved where they are named."""
        signature = hmac.new(self.secret.encode(), identifier.encode(), hashlib.sha256).hexdigest()
        proof = {"identifier": identifier, "identifier_hash": signature} if identifier else {}
        answer = httpx.post(self.urls[-1] + self.public(""), json=proof, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["source_id"])

    def begin(self, browser: str) -> Talk:
        answer = httpx.post(
            self.urls[-1] + self.public("/me/conversations"),
            json={},
            headers={"x-visitor-secret": browser},
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return Talk(answer.json()["uuid"], answer.json()["id"])


@dataclass(frozen=True)
class Talk:
    id: str
    number: int


# ---------------------------------------------------------------- writing
class Writer(threading.Thread):
    """Says `count` things in their order; each of them is said again until its number is known.

    `request` gives a thing's address, headers and body by its place, and by how often anything was tried.
    """

    def __init__(
        self, name: str, urls: Sequence[str], count: int, request: Callable[[int, int], tuple[str, Any, Any]], seed: int
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.sequences: list[int] = []
        self.cuts = self.tries = 0
        self.failure = ""
        self._urls, self._count, self._request = urls, count, request
        self._random = random.Random(seed)
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)

    def run(self) -> None:
        with httpx.Client(trust_env=False) as client:
            for place in range(self._count):
                while not self._stopping.is_set() and not self.failure:
                    if (sequence := self._said(client, place)) is not None:
                        self.sequences.append(sequence)
                        break

    def _said(self, client: httpx.Client, place: int) -> int | None:
        self.tries += 1
        path, headers, body = self._request(place, self.tries)
        # A reading time that no answer can keep: the request has gone, and the line is cut before the answer.
        is_cut = self._random.random() < CUT_SHARE
        timeout = httpx.Timeout(15, read=self._random.uniform(0.0005, 0.02) if is_cut else 15)
        # Elsewhere after a failure only: so a customer's balancer does it.
        url = self._urls[(self.tries - len(self.sequences)) % len(self._urls)]
        try:
            answer = client.post(url + path, headers=headers, json=body, timeout=timeout)
        except httpx.HTTPError:
            self.cuts += is_cut
            if not is_cut:
                self._stopping.wait(RETRY_SECONDS)
            return None
        if answer.status_code in (429, 502, 503):
            self._stopping.wait(RETRY_SECONDS)
            return None
        if answer.status_code not in (200, 201):
            self.failure = f"{answer.status_code}: {answer.text[:500]}"
            return None
        said = answer.json()
        return int(said["sequence"] if "sequence" in said else said["id"])


def word(number: int) -> str:
    """A number in letters: digits that a visitor spreads over messages might be a card's."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def agent(desk: Desk, talk: Talk, place: int, count: int) -> Writer:
    """Answers, and every tenth time writes a note that only the desk reads."""
    name = f"agent-{place}"
    headers = {"cookie": f"millrace_session={desk.agents[place]}; millrace_csrf={CSRF}", "x-csrftoken": CSRF}

    def request(number: int, _tries: int) -> tuple[str, Any, Any]:
        kind = "notes" if number % 10 == 9 else "messages"
        body = {"content": f"{name} says {word(number)}", "client_id": f"{name}-{number}"}
        return f"/api/v1/support/conversations/{talk.id}/{kind}", headers, body

    return Writer(name, desk.urls, count, request, seed=place)


def visitor(desk: Desk, talk: Talk, browsers: Sequence[str], count: int) -> Writer:
    """One customer in several browsers, since one browser may not say so much in a minute."""

    def request(number: int, tries: int) -> tuple[str, Any, Any]:
        body = {"content": f"visitor says {word(number)}", "echo_id": f"visitor-{number}"}
        headers = {"x-visitor-secret": browsers[tries % len(browsers)]}
        return desk.public(f"/me/conversations/{talk.number}/messages"), headers, body

    return Writer("visitor", desk.urls, count, request, seed=99)


# ---------------------------------------------------------------- reading
@dataclass
class Reader:
    """What one open page has been sent, in the order that it came."""

    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    hello: dict[str, str] | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    cuts: int = 0
    refused: str = ""

    @property
    def last(self) -> int:
        return int(self.seen[-1]["sequence"]) if self.seen else 0


class Readers:
    """Open pages in one thread, each of which is cut at random and goes on behind the last number that it has."""

    def __init__(self, urls: Sequence[str], readers: Sequence[Reader], seed: int = 7) -> None:
        self.readers = list(readers)
        self._urls = [url.replace("http", "ws", 1) for url in urls]
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="pages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def wait_until(self, last: Callable[[Reader], int], seconds: float) -> None:
        def told() -> bool:
            assert self._thread.is_alive(), "the readers have stopped"
            return all(reader.last >= last(reader) for reader in self.readers)

        try:
            wait_for(told, seconds, "everything at every page")
        except AssertionError as error:
            raise AssertionError(
                f"{error}: {[(each.name, each.last, last(each), each.refused) for each in self.readers]}"
            ) from error

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._follow(reader, place)) for place, reader in enumerate(self.readers)]
        while not self._stopping.is_set() and not any(task.done() for task in tasks):
            await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, reader: Reader, place: int) -> None:
        while True:
            url = self._urls[(place + reader.connections) % len(self._urls)]
            reader.connections += 1
            try:
                await self._read(reader, f"{url}{reader.path}?after={reader.last}")
            except (ConnectionClosed, OSError, InvalidHandshake, TimeoutError) as error:
                reader.refused = repr(error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, reader: Reader, address: str) -> None:
        headers = reader.headers
        async with connect(address, additional_headers=headers, compression=None, proxy=None) as socket:
            if reader.hello:
                await socket.send(json.dumps(reader.hello))
            left = self._random.randint(2, 2 * FRAMES_TO_A_CUT)
            while True:
                frame = json.loads(await socket.recv())
                if frame["type"] == "messages":
                    reader.seen += frame["data"]
                elif frame["type"] == "error":
                    reader.refused = str(frame)
                left -= 1
                if not left:
                    reader.cuts += 1
                    cut(socket)


def cut(socket: ClientConnection) -> None:
    """As a line that breaks: without a word to the other side."""
    socket.transport.abort()
    raise ConnectionError("cut")


def page_of(desk: Desk, talk: Talk, place: int) -> Reader:
    headers = {"cookie": f"millrace_session={desk.agents[place]}"}
    return Reader(f"agent-{place}", f"/ws/support/conversations/{talk.id}/", headers)


def widget_of(desk: Desk, talk: Talk, browser: str) -> Reader:
    path = f"/ws/support/widget/{desk.token}/{talk.id}/"
    return Reader("visitor", path, hello={"secret": browser})


# ---------------------------------------------------------------- what is there
def stored(product: Product, talk: Talk) -> list[dict[str, Any]]:
    with product.database() as database:
        return database.execute(
            "SELECT sequence, client_id, kind, author, content FROM support_message"
            " WHERE conversation_id = %s ORDER BY sequence",
            [talk.id],
        ).fetchall()


def fetched(desk: Desk, talk: Talk) -> list[dict[str, Any]]:
    """A fresh page's messages, of the desk."""
    found: list[dict[str, Any]] = []
    until = time.monotonic() + 120
    while time.monotonic() < until:
        answer = httpx.get(
            f"{desk.urls[-1]}/api/v1/support/conversations/{talk.id}/messages",
            params={"after": found[-1]["sequence"] if found else 0},
            headers={"cookie": f"millrace_session={desk.agents[0]}"},
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        if not answer.json()["has_more"]:
            return found
    raise AssertionError("a page that does not end")
