"""Reading a mailbox over IMAP (RFC 3501): which mails are new, and each of them, without marking any as read."""

from __future__ import annotations

import base64
import imaplib
import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BufferedReader
from typing import Any, cast

from apps.support.errors_mail import (
    MailAccessRefused,
    MailFolderMissing,
    MailNotEncrypted,
    MailServerConfused,
    MailServerUnreachable,
    MailSignInRefused,
)
from apps.support.mail.carrying import (
    STEP_SECONDS,
    WHOLE_SECONDS,
    Server,
    Watch,
    connected,
    context,
    told_plainly,
    watched,
)

# More than this no answer holds beside a mail, and no look reads altogether.
_LONGEST_LITERAL_BESIDE, _MOST_READ = 1_000_000, 300_000_000
# So often is looked whether somebody still waits; and so many lines a server may say that nobody has asked for.
SLICE_SECONDS, MOST_LINES = 1.0, 1_000
_SIZE = re.compile(rb"RFC822\.SIZE (\d{1,12})")
_DATE = re.compile(rb'INTERNALDATE "([^"]{1,40})"')
_UID = re.compile(rb"\bUID (\d{1,12})")


@dataclass(frozen=True, slots=True)
class Head:
    """A mail in the mailbox: how large it is, and when it arrived there."""

    uid: int
    size: int
    arrived: datetime | None


class _Client(imaplib.IMAP4):
    """Over a connection to a checked address, and never reading more than a mailbox can mean."""

    def __init__(self, server: Server, watch: Watch, most: int) -> None:
        self._watch, self._server, self._most, self._read = watch, server, most + _LONGEST_LITERAL_BESIDE, 0
        super().__init__(server.host, server.port, STEP_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return connected(self._server, self._watch, timeout or STEP_SECONDS)

    def read(self, size: int) -> bytes:
        if size > self._most:
            raise MailServerConfused
        self._count(size)
        return super().read(size)

    def readline(self) -> bytes:
        line = super().readline()
        self._count(len(line))
        return line

    def _count(self, size: int) -> None:
        self._read += size
        if self._read > _MOST_READ:
            raise MailServerConfused


class Mailbox:
    """An open folder. Its `validity` says for how long its numbers mean the same mails."""

    def __init__(self, client: imaplib.IMAP4, validity: int, most: int) -> None:
        self._client, self.validity, self._most = client, validity, most

    def uids_after(self, last: int, since: datetime) -> list[int]:
        """Numbers of the mails behind `last` from about `since` on, in their order; the server counts whole days."""
        day = (since.astimezone(UTC) - timedelta(days=1)).strftime("%d-%b-%Y")
        found = self._asked("SEARCH", f"UID {last + 1}:*", "SINCE", day)
        numbers = b" ".join(each for each in found if isinstance(each, bytes)).split()
        # With `*` the last mail is always among them, also where it is not behind.
        return sorted(int(each) for each in numbers if each.isdigit() and last < int(each) < 2**32)

    def heads(self, uids: list[int]) -> dict[int, Head]:
        if not uids:
            return {}
        wanted = ",".join(map(str, uids))
        found = self._asked("FETCH", wanted, "(UID RFC822.SIZE INTERNALDATE)")
        heads: dict[int, Head] = {}
        for each in found:
            line = each if isinstance(each, bytes) else b" ".join(each or ())
            uid, size = _UID.search(line), _SIZE.search(line)
            if uid and size:
                heads[int(uid[1])] = Head(int(uid[1]), int(size[1]), _arrived(line))
        return heads

    def raw(self, uid: int) -> bytes | None:
        """A mail's bytes, no more of them than one over the limit; None where it has gone meanwhile."""
        found = self._asked("FETCH", str(uid), f"(UID BODY.PEEK[]<0.{self._most + 1}>)")
        for each in found:
            if isinstance(each, tuple) and len(each) == 2:
                uid_there = _UID.search(each[0])
                if uid_there is None or int(uid_there[1]) == uid:
                    return bytes(each[1])
        return None

    def can_tell(self) -> bool:
        """Whether the server tells of new mails by itself (IDLE, RFC 2177)."""
        with told_plainly():
            _status, found = self._client.capability()
        return any(b"IDLE" in each.upper().split() for each in found if isinstance(each, bytes))

    def wait_for_news(self, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Waits until a mail has come; False once the seconds or whatever `is_over` asks about are over."""
        with told_plainly():
            tag, until = self._client._new_tag(), time.monotonic() + seconds
            self._client.send(tag + b" IDLE\r\n")
            news = self._heard(lambda line: line.startswith(b"+"))
            while not news and time.monotonic() < until and not is_over():
                news = self._is_there(SLICE_SECONDS) and _tells_of_mails(self._line())
            self._client.send(b"DONE\r\n")
            return self._heard(lambda line: line.startswith(tag)) or news

    def _heard(self, is_last: Callable[[bytes], bool]) -> bool:
        """Reads up to a line; whether one before it tells of mails."""
        news = False
        for _ in range(MOST_LINES):
            line = self._line()
            if is_last(line):
                return news
            news = news or _tells_of_mails(line)
        raise MailServerConfused

    def _line(self) -> bytes:
        line = self._client.readline()
        if not line:
            raise MailServerUnreachable
        return line

    def _is_there(self, seconds: float) -> bool:
        """Whether something can be read, from what has been read ahead or from the line, within some time."""
        held = self._client.sock
        held.settimeout(0)
        try:
            if cast(BufferedReader, self._client.file).peek(1):
                return True
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            held.settimeout(STEP_SECONDS)
        return bool(select.select([held], [], [], seconds)[0])

    def _asked(self, command: str, *arguments: str) -> list[Any]:
        with told_plainly():
            status, found = self._client.uid(command, *arguments)
        if status != "OK":
            raise MailServerConfused
        return [each for each in found if each is not None]


def _tells_of_mails(line: bytes) -> bool:
    return line.startswith(b"*") and b" EXISTS" in line.upper()


def _arrived(line: bytes) -> datetime | None:
    found = _DATE.search(line)
    if found is None:
        return None
    try:
        arrived = parsedate_to_datetime(found[1].decode("ascii").strip().replace("-", " ", 2))
    except (ValueError, UnicodeError):
        return None
    # `-0000` says that nobody knows the zone, and comes without one.
    return arrived if arrived.tzinfo else arrived.replace(tzinfo=UTC)


@contextmanager
def opened(server: Server, folder: str, most: int, seconds: float = WHOLE_SECONDS) -> Iterator[Mailbox]:
    """Signs in and opens a folder for reading alone; raises MailError."""
    with watched(seconds) as watch:
        with told_plainly():
            client = _Client(server, watch, most)
        try:
            with told_plainly():
                _sign_in(client, server)
                mailbox = Mailbox(client, _select(client, folder), most)
            yield mailbox
        finally:
            with suppress(imaplib.IMAP4.error, OSError, MailServerConfused):
                client.logout()


def _sign_in(client: imaplib.IMAP4, server: Server) -> None:
    if server.tls == "starttls":
        if "STARTTLS" not in client.capabilities:
            raise MailNotEncrypted
        client.starttls(context())
    if server.token:
        _sign_in_by_token(client, server)
        return
    try:
        if not server.user.isascii() or not server.password.isascii():
            client.authenticate("PLAIN", lambda _: f"\0{server.user}\0{server.password}".encode())
        else:
            client.login(server.user, server.password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        raise MailSignInRefused from None


def _sign_in_by_token(client: imaplib.IMAP4, server: Server) -> None:
    said: list[bytes] = []

    def answer(_challenge: bytes) -> bytes:
        # A second question is the reason for a refusal, which comes once that was acknowledged.
        said.append(b"" if said else server.bearer.encode())
        return said[-1]

    try:
        client.authenticate("XOAUTH2", answer)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        raise MailAccessRefused from None


def _select(client: imaplib.IMAP4, folder: str) -> int:
    """The folder's UIDVALIDITY."""
    name = '"' + _modified_utf7(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
    status, _found = client.select(name, readonly=True)
    if status != "OK":
        raise MailFolderMissing
    _name, values = client.response("UIDVALIDITY")
    if not values or not isinstance(values[0], bytes) or not values[0].isdigit():
        raise MailServerConfused
    return int(values[0])


def _modified_utf7(text: str) -> str:
    """Names of folders as IMAP writes them (RFC 3501, section 5.1.3)."""
    parts: list[str] = []
    for run in re.findall(r"[ -~]+|[^ -~]+", text):
        if run[0].isascii() and run[0].isprintable():
            parts.append(run.replace("&", "&-"))
        else:
            letters = base64.b64encode(run.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            parts.append(f"&{letters}-")
    return "".join(parts)


def try_out(server: Server, folder: str) -> None:
    """Whether mails could be read there now; raises MailError."""
    with opened(server, folder, _LONGEST_LITERAL_BESIDE, STEP_SECONDS):
        pass
