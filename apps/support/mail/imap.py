"""Reading a mailbox over IMAP (RFC 3501): which mails are new, and each of them, without marking any as read."""

from __future__ import annotations

import base64
import imaplib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from apps.support.errors_mail import (
    MailFolderMissing,
    MailNotEncrypted,
    MailServerConfused,
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

    def _asked(self, command: str, *arguments: str) -> list[Any]:
        with told_plainly():
            status, found = self._client.uid(command, *arguments)
        if status != "OK":
            raise MailServerConfused
        return [each for each in found if each is not None]


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
    try:
        if not server.user.isascii() or not server.password.isascii():
            client.authenticate("PLAIN", lambda _: f"\0{server.user}\0{server.password}".encode())
        else:
            client.login(server.user, server.password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        raise MailSignInRefused from None


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
