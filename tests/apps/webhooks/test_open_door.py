"""Sixty ways to have a server ask its own network: none gets as far as a connection, whoever named the address.

The check at the naming is passed over on purpose: what counts is the one at the moment of sending.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpcore
import pytest
from django.conf import settings

from apps.core import outbound, posting
from apps.core.outbound import fetch
from apps.webhooks import requests
from tests.helpers.webhooks import answering, receiving, send

# Written into the URL itself.
LITERALS = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.0.0.01/",
    "https://127.0.0.1./",
    "https://0/",
    "https://0.0.0.0/",
    "https://0x0/",
    "https://10.1.2.3/",
    "https://012.1.2.3/",
    "https://167838211/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://192.168.1/",
    "https://0xc0a80001/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25lo]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://user@127.0.0.1/",
    "https://public.example@127.0.0.1/",
    "https://public.example\\@127.0.0.1/",
    "http://public.example/",
    "https://localhost/",
    "https://LOCALHOST/",
]
# Behind a name: all that it resolves to.
NAMES = [
    ["127.0.0.1"],
    ["8.8.8.8", "127.0.0.1"],
    ["2606:4700:4700::1111", "::1"],
    ["::ffff:10.0.0.1"],
    ["169.254.169.254"],
    ["fe80::1%eth0"],
    ["100.100.100.200"],
    ["::ffff:0:10.0.0.1"],
]
TRICKS = [(url, None) for url in LITERALS] + [(f"https://name-{n}.example/", found) for n, found in enumerate(NAMES)]


@pytest.fixture(autouse=True)
def _the_internet_only(monkeypatch: pytest.MonkeyPatch, _receivers_are_here: None) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", False)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where anything has tried to connect to."""
    found: list[str] = []

    async def connect(target: Any, address: str, exchange: Any) -> None:
        found.append(address)
        raise ConnectionError("nobody is asked in this test")

    monkeypatch.setattr(posting, "_connect", connect)
    return found


def ready(url: str, body: bytes = b"{}") -> requests.Ready:
    return requests.Ready(uuid4(), uuid4(), uuid4(), 1, 0, url, "msg_1", body, ["whsec_" + "a" * 32])


def answers(monkeypatch: pytest.MonkeyPatch, *turns: list[str]) -> list[str]:
    """What names resolve to, in turn."""
    asked: list[str] = []
    left = list(turns)

    def look_up(host: str, port: int) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(outbound, "_look_up", look_up)
    return asked


def test_there_are_sixty() -> None:
    assert len({url for url, _ in TRICKS}) >= 60


@pytest.mark.parametrize(("url", "resolved"), TRICKS, ids=[url for url, _ in TRICKS])
def test_a_trick_is_refused_before_anything_is_connected_to(
    url: str, resolved: list[str] | None, connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if resolved is not None:
        answers(monkeypatch, resolved)
    outcome = send(ready(url))
    assert (outcome.status, outcome.error) == (None, "outbound_refused")
    assert connected == []


def test_a_public_address_is_connected_to(connected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would pass whatever is sent."""
    answers(monkeypatch, ["8.8.8.8"])
    assert send(ready("https://public.example/")).error == "outbound_failed"
    assert send(ready("https://9.9.9.9/")).error == "outbound_failed"
    assert connected == ["8.8.8.8", "8.8.8.8"]


def test_a_name_that_changes_its_mind_is_asked_once_and_the_answer_is_kept_to(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    send(ready("https://rebinding.example/"))
    assert (asked, connected) == (["rebinding.example"], ["8.8.8.8"])
    assert send(ready("https://rebinding.example/")).error == "outbound_refused"
    assert connected == ["8.8.8.8"]


def test_a_redirect_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)
    with receiving() as inside, receiving(answering(307, {"location": inside.url})) as there:
        assert send(ready(there.url)).status == 307
    assert inside.got == []


# ---------------------------------------------------------------- the operator's proxy


class Proxy:
    """A proxy that opens tunnels; `answer` is what it says to each."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.answer, self.asked = answer, list[bytes]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:pa%3Ass@127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(near,), daemon=True).start()

    def _tunnel(self, near: socket.socket) -> None:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += near.recv(1)
        self.asked.append(asked)
        near.sendall(self.answer)
        if b" 200 " not in self.answer:
            near.close()
            return
        host, port = asked.split(b" ")[1].decode().rsplit(":", 1)
        with socket.create_connection((host, int(port))) as far:
            back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
            back.start()
            self._copy(near, far)
            back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while part := source.recv(4096):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


@contextmanager
def proxied(monkeypatch: pytest.MonkeyPatch, *answer: bytes) -> Iterator[Proxy]:
    proxy = Proxy(*answer)
    monkeypatch.setattr(settings, "OUTBOUND_PROXY", proxy.url)
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)
    try:
        yield proxy
    finally:
        proxy.close()


def test_a_proxy_is_told_the_checked_address_and_never_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["127.0.0.1"])
    with proxied(monkeypatch) as proxy, receiving() as there:
        url = there.url.replace("127.0.0.1", "inside.example")
        assert send(ready(url)).status == 204
        [got], [asked] = there.got, proxy.asked
    assert got.headers["host"].startswith("inside.example:")
    assert asked.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"user:pa:ss") in asked
    assert b"inside.example" not in asked


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"x" * 10_000, b""])
def test_a_proxy_that_refuses_is_a_failure_like_any_other(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    with proxied(monkeypatch, answer), receiving() as there:
        assert send(ready(there.url)).error == "outbound_failed"
        assert there.got == []


def test_the_checks_come_before_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxied(monkeypatch) as proxy:
        monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", False)
        assert send(ready("https://169.254.169.254/")).error == "outbound_refused"
        assert proxy.asked == []


def test_through_a_proxy_tls_still_asks_for_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that shows no certificate for the name is refused, as without a proxy."""
    answers(monkeypatch, ["127.0.0.1"])
    seen: list[str | None] = []

    def start_tls(self: Any, ssl_context: Any, server_hostname: str | None = None, timeout: Any = None) -> Any:
        seen.append(server_hostname)
        raise httpcore.ConnectError("seen enough")

    with proxied(monkeypatch), receiving() as there:
        monkeypatch.setattr(outbound._Timed, "start_tls", start_tls)
        port = there.url.split(":")[2].split("/")[0]
        with pytest.raises(Exception, match="cannot be reached"):
            fetch("GET", f"https://inside.example:{port}/", allow_private=True)
    assert seen == ["inside.example"]
