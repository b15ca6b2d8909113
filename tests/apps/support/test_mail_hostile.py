"""What strangers write and what servers do must turn no answer, no header and no thread against the desk."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.support.errors_mail import MailError, MailNotPossible
from apps.support.mail import carrying, imap, parsing, smtp
from apps.support.mail.carrying import Server
from apps.support.mail.composing import Leaving, compose
from apps.support.mail.parsing import parse
from tests.helpers.mailservers import written


def leaving(**more: Any) -> Leaving:
    values: dict[str, Any] = {
        "sender": "help@bank.example", "sender_name": "Help", "answer_to": "help@bank.example",
        "to": "ada@customer.example", "to_name": "Ada", "subject": "Re: My card", "text": "We look into it.",
        "mail_id": "<ours@bank.example>", "written": datetime(2026, 1, 1, tzinfo=UTC), "automatic": False,
    }  # fmt: skip
    return Leaving(**(values | more))


# ---------------------------------------------------------------- written


@pytest.mark.parametrize("field", ["subject", "to_name", "sender_name"])
def test_words_that_were_encoded_twice_become_no_header_and_no_body(field: str) -> None:
    twice = "=?utf-8?Q?=3D=3Futf-8=3FQ=3FHi=3D0D=3D0ABcc=3A_all=40evil=2Eexample=3D0D=3D0A=3D0D=3D0AOh=3F=3D?="
    once = parse(written(twice, From="ada@customer.example").as_bytes()).subject
    for text in (once, "=?utf-8?Q?Hi=0D=0ABcc:_all@evil.example=0D=0A=0D=0AOh?=", "Ünd " + once * 2):
        raw = compose(leaving(**{field: text})).as_bytes()
        head, _, body = raw.partition(b"\r\n\r\n")
        names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
        assert sorted(names) == sorted(
            b"From To Reply-To Subject Date Message-ID Content-Type Content-Transfer-Encoding MIME-Version".split()
        )
        assert body == b"We look into it.\r\n"


def test_an_address_that_would_be_decoded_is_written_to_nobody() -> None:
    hostile = "=?utf-8?Q?a=0D=0ABcc:x?=@customer.example"
    with pytest.raises((MailNotPossible, ValueError)):
        compose(leaving(to=hostile))


def test_long_ids_stay_as_they_are() -> None:
    ids = [f"<{letter * 100}@customer.example>" for letter in "abc"]
    raw = compose(leaving(answers=ids[2], earlier=ids)).as_bytes()
    assert f"In-Reply-To: {ids[2]}\r\n".encode() in raw
    assert f"References: {ids[0]}\r\n {ids[1]}\r\n {ids[2]}\r\n".encode() in raw


# ---------------------------------------------------------------- read


@pytest.mark.parametrize(
    ("written_as", "address", "name"),
    [
        ("=?utf-8?Q?M=C3=BCller=2C_Hans?= <hans@firma.example>", "hans@firma.example", "Müller, Hans"),
        ("=?utf-8?Q?ada=40customer=2Eexample=2C?= <eve@evil.example>", "eve@evil.example", "ada@customer.example,"),
        ("Müller <hans@firma.example>", "hans@firma.example", "Müller"),
    ],
)
def test_who_wrote_is_read_before_names_are_decoded(written_as: str, address: str, name: str) -> None:
    mail = parse(f"From: {written_as}\r\nSubject: x\r\n\r\nHello".encode())
    assert (mail.sender, mail.answer_to, mail.sender_name) == (address, address, name)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"From: a@b.example\r\nX: " + b"y" * 30_000 + b"\r\n\r\nHello", "header_too_long"),
        (b"From: a@b.example\r\nTo: x" + b"\r\n y" * 10_000 + b"\r\n\r\nHello", "header_too_long"),
        (b"From: a@b.example\r\n\r\n" + b"\n" * 2_000_001, "too_many_lines"),
        (b"From: a@b.example\r\n\r\n" + b"Content-Type: Multipart/mixed\r\n\r\n" * 101, "nested_too_deeply"),
    ],
    ids=["long", "folded", "lines", "nested"],
)
def test_what_would_cost_minutes_is_told_before_it_is_read(
    raw: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(parsing, "BytesParser", read)
    with pytest.raises(parsing.Unreadable) as refused:
        parse(raw)
    assert refused.value.reason == reason


def test_a_day_of_arrival_without_a_zone_can_be_compared() -> None:
    found = imap._arrived(b'1 (UID 1 RFC822.SIZE 9 INTERNALDATE "01-Jan-2026 10:00:00 -0000")')
    assert found == datetime(2026, 1, 1, 10, tzinfo=UTC)


# ---------------------------------------------------------------- servers that take their time


@contextmanager
def served(speak: Callable[[socket.socket], None]) -> Generator[int]:
    """A server that says what a test wants to the one who connects."""

    def run() -> None:
        with suppress(OSError):
            found, _ = listening.accept()
            with found, suppress(OSError):
                speak(found)

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
    thread.join(30)
    assert not thread.is_alive()


def drips(found: socket.socket) -> None:
    """Until the other side has gone."""
    while True:
        found.sendall(b"* ")
        time.sleep(0.02)


def drips_after_starttls(found: socket.socket) -> None:
    # No handshake: what the libraries hold now is no longer the plain socket.
    lines = found.makefile("rb")
    found.sendall(b"220 mx\r\n")
    lines.readline()
    found.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    lines.readline()
    found.sendall(b"220 Go\r\n")
    # A record of TLS that never ends.
    found.sendall(b"\x16\x03\x03\x40\x00")
    while True:
        found.sendall(b"\x00")
        time.sleep(0.02)


def server(port: int, tls: str = "none") -> Server:
    return Server("127.0.0.1", port, tls, "", "")


def test_a_server_that_drips_its_greeting_is_left(settings: Any) -> None:
    for ask in (
        lambda port: imap.opened(server(port), "INBOX", 1_000, 0.3).__enter__(),
        lambda port: smtp.send(server(port), compose(leaving()), "a@b.example", "c@d.example", 0.3),
    ):
        with served(drips) as port:
            settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{port}"]
            with pytest.raises(MailError):
                ask(port)


def test_a_server_that_drips_after_starttls_is_left(settings: Any) -> None:
    with served(drips_after_starttls) as port:
        settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{port}"]
        with pytest.raises(MailError):
            smtp.send(server(port, "starttls"), compose(leaving()), "a@b.example", "c@d.example", 0.3)


def test_a_server_may_think_longer_about_a_mail_than_about_a_step(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (carrying, smtp):
        monkeypatch.setattr(module, "STEP_SECONDS", 0.5)

    taken: list[bytes] = []

    def takes_late(found: socket.socket) -> None:
        lines = found.makefile("rb")
        for answer in (b"220 mx\r\n", b"250 mx\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 Go\r\n"):
            found.sendall(answer)
            line = lines.readline()
        while line != b".\r\n":
            line = lines.readline()
            taken.append(line)
        time.sleep(1)
        found.sendall(b"250 Taken\r\n")
        lines.readline()
        found.sendall(b"221 Bye\r\n")

    with served(takes_late) as port:
        settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{port}"]
        smtp.send(server(port), compose(leaving()), "a@b.example", "c@d.example", 30)
    assert any(line.startswith(b"Message-ID:") for line in taken)
