"""Posts on an event loop keep to the rules of all requests, and read what counts of any answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvloop

from apps.core import outbound, posting
from apps.core.errors import OutboundFailed, OutboundRefused
from tests.helpers.servers import Server


def posted(url: str, **given: Any) -> outbound.Response:
    """On the event loop that workers have."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        given = {"headers": {"x-own": "1"}, "body": b"hello", "allow_private": True} | given
        return runner.run(posting.post(url, **given))


def test_a_post_goes_to_the_checked_address_under_the_name(secure: Server, named: Any) -> None:
    asked = named("idp.example", "127.0.0.1")
    port = secure.server_port
    answer = posted(f"https://IdP.example:{port}/x?y=1")
    assert (answer.status, answer.json()) == (200, {"ok": True})
    [(method, path, headers, body)] = secure.seen
    assert (method, path, body, headers["x-own"]) == ("POST", "/x?y=1", b"hello", "1")
    assert headers["host"] == f"idp.example:{port}"
    assert asked == ["idp.example"]


def test_a_post_refuses_a_certificate_of_another_name(secure: Server, named: Any) -> None:
    named("other.example", "127.0.0.1")
    with pytest.raises(OutboundFailed, match="cannot be reached"):
        posted(f"https://other.example:{secure.server_port}/")
    assert secure.seen == []


def test_a_post_tries_the_next_address_after_a_dead_one(plain: Server, named: Any) -> None:
    named("two.example", "127.0.0.2", "127.0.0.1")
    assert posted(f"http://two.example:{plain.server_port}/").status == 200


def test_a_post_has_the_beginning_of_an_answer_however_long_or_slow_the_rest_is(plain: Server) -> None:
    base = f"http://127.0.0.1:{plain.server_port}"
    assert posted(f"{base}/large", limit_bytes=4000).body == b"x" * 4000
    dripped = posted(f"{base}/drip", timeout=3.0)
    assert dripped.status == 200
    assert 0 < len(dripped.body) < 200
    assert posted(f"{base}/redirect").headers["location"] == "http://169.254.169.254/"


@pytest.mark.parametrize("header", ["a\r\nx: y", "a\ny", "a\0"])
def test_a_post_takes_no_header_with_a_line_break(plain: Server, header: str) -> None:
    with pytest.raises(OutboundRefused):
        posted(f"http://127.0.0.1:{plain.server_port}/", headers={"x-own": header})
    assert plain.seen == []


@contextmanager
def saying(*parts: bytes, hangs: bool = False) -> Iterator[str]:
    """The address of a server that says these bytes to whoever has sent something, whatever that was."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                taken, _ = listening.accept()
                with taken:
                    taken.recv(65_536)
                    for part in parts:
                        taken.sendall(part)
                    if hangs:
                        over.wait(60)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        over.set()
        thread.join(60)


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (INTERIM + b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok", 201, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nxyz", 101, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort", 200, b"short"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nnonsense", 200, b"ok"),
        (b"HTTP/1.0 500 Oh\r\n\r\nuntil the end", 500, b"until the end"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nlink: " + b"x" * 10**7, 200, b""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"link: x\r\n" * 10**6, 200, b""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;" + b"x" * 10**7, 200, b""),
    ],
)
def test_a_post_reads_what_counts_of_an_odd_answer(said: bytes, status: int, body: bytes) -> None:
    with saying(said) as url:
        answer = posted(url)
    assert (answer.status, answer.body) == (status, body)
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000, b"\0" * 1_000],
    ids=["nothing", "another protocol", "broken off", "an endless head", "zeros"],
)
def test_a_post_fails_without_a_status(said: bytes) -> None:
    with saying(said) as url, pytest.raises(OutboundFailed, match="cannot be reached"):
        posted(url)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_a_post_ends_at_its_deadline(said: bytes) -> None:
    with saying(said, hangs=True) as url, pytest.raises(OutboundFailed, match="in time"):
        posted(url, timeout=0.5)
