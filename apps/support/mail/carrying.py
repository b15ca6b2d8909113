"""Connections to mail servers that a customer named: checked, encrypted, bounded, and failing in plain words."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

import httpx

from apps.core import outbound
from apps.core.errors import OutboundFailed, OutboundRefused
from apps.support.errors_mail import MailNotEncrypted, MailServerConfused, MailServerRefused, MailServerUnreachable

# One step of a conversation with a mail server, and all of it.
STEP_SECONDS, WHOLE_SECONDS = 15.0, 90.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where, how, and as whom; `tls` is tls, starttls or none. An access token takes the place of the password."""

    host: str
    port: int
    tls: str
    user: str
    password: str
    token: str = ""

    @property
    def bearer(self) -> str:
        """What XOAUTH2 says first, before it is written in base64."""
        return f"user={self.user}\x01auth=Bearer {self.token}\x01\x01"


class Watch:
    """Over one conversation from its first byte. It has the connection twice: the libraries put TLS in the place of
    the socket that they were given.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def hold(self, found: socket.socket) -> None:
        with self._lock:
            self._held = found.dup()
            if self._over:
                self._shut()

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            if self._held is not None:
                self._held.close()
                self._held = None

    def _end(self) -> None:
        with self._lock:
            self._over = True
            self._shut()

    def _shut(self) -> None:
        if self._held is not None:
            with suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)


@cache
def context() -> ssl.SSLContext:
    """Its own one: that of requests over HTTP offers HTTP as what is spoken within."""
    return httpx.create_ssl_context()


def connected(server: Server, watch: Watch, seconds: float = STEP_SECONDS) -> socket.socket:
    """To the checked address; with TLS from the start where that was chosen."""
    if server.tls == "none" and not outbound.may_name(server.host, server.port):
        raise MailNotEncrypted
    try:
        found, name = outbound.dial(server.host, server.port, seconds)
    except OutboundRefused:
        raise MailServerRefused from None
    except OutboundFailed:
        raise MailServerUnreachable from None
    try:
        watch.hold(found)
        if server.tls != "tls":
            return found
        return context().wrap_socket(found, server_hostname=name)
    except BaseException:
        found.close()
        raise


@contextmanager
def told_plainly() -> Iterator[None]:
    """What the libraries raise, as what is wrong."""
    try:
        yield
    except ssl.SSLError as error:
        raise MailNotEncrypted from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailNotEncrypted from error
    except (TimeoutError, ConnectionError, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError) as error:
        raise MailServerUnreachable from error
    except (imaplib.IMAP4.error, smtplib.SMTPException, UnicodeError, ValueError) as error:
        # `abort` says also that the line broke.
        if isinstance(error, imaplib.IMAP4.abort) and "EOF" in str(error):
            raise MailServerUnreachable from error
        raise MailServerConfused from error
    except OSError as error:
        raise MailServerUnreachable from error


@contextmanager
def watched(seconds: float = WHOLE_SECONDS) -> Iterator[Watch]:
    """Ends a conversation that takes longer altogether: a server that drips keeps within the limit of each step."""
    watch = Watch(seconds)
    try:
        yield watch
    finally:
        watch.close()
