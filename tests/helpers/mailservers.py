"""Real mail servers for tests: pymap for IMAP and aiosmtpd for SMTP, each in a thread, with what a test looks at."""

from __future__ import annotations

import asyncio
import base64
import imaplib
import socket
import threading
from argparse import Namespace
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from pymap.backend.dict import DictBackend, Identity
from pymap.exceptions import InvalidAuth
from pymap.imap import IMAPService
from pysasl import SASLAuth
from pysasl.creds.external import ExternalCredentials
from pysasl.hashing import BuiltinHash
from pysasl.mechanism.oauth import OAuth2Mechanism
from pysasl.mechanism.plain import PlainMechanism

USER, PASSWORD = "desk", "mailbox-password"
_AUTH = property(lambda _config: SASLAuth([PlainMechanism(), OAuth2Mechanism()]))


class Imap:
    """A mailbox with a folder INBOX; `put` is what a mail server does that delivers."""

    def __init__(self) -> None:
        self.port = _free_port()
        # Access tokens that are taken in place of the password.
        self.tokens: set[str] = set()
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with suppress(RuntimeError):
            self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        arguments = Namespace(
            debug=False, demo_data=False, demo_user=USER, demo_password=PASSWORD, inherited_sockets=None,
            host=["127.0.0.1"], port=self.port, cert=None, key=None, tls=False, proxy_protocol=None,
            passlib_cfg=None,
        )  # fmt: skip
        backend, config = await DictBackend.init(
            arguments, reject_insecure_auth=False, hash_context=BuiltinHash(rounds=10)
        )
        config.__class__ = type("Config", (type(config),), {"initial_auth": _AUTH, "tls_auth": _AUTH})
        self._check_tokens(backend.login)
        config.apply_context()
        self._stopping = asyncio.Event()
        async with AsyncExitStack() as stack:
            await backend.start(stack)
            await IMAPService(backend, config).start(stack)
            self._ready.set()
            await self._stopping.wait()
        # Whoever is still connected.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _check_tokens(self, login: Any) -> None:
        """A bearer's token is looked up among those that are taken; passwords are checked as ever."""
        by_password = login.authenticate

        async def authenticate(credentials: Any) -> Any:
            if not isinstance(credentials, ExternalCredentials):
                return await by_password(credentials)
            if credentials.authzid != USER or credentials._token not in self.tokens:
                raise InvalidAuth
            return Identity(USER, login, None, frozenset())

        login.authenticate = authenticate

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    @contextmanager
    def client(self) -> Generator[imaplib.IMAP4]:
        client = imaplib.IMAP4("127.0.0.1", self.port, 60)
        client.login(USER, PASSWORD)
        try:
            yield client
        finally:
            client.shutdown()

    def put(self, *mails: EmailMessage | bytes, folder: str = "INBOX", date: Any = None) -> None:
        with self.client() as client:
            for mail in mails:
                raw = mail if isinstance(mail, bytes) else mail.as_bytes(policy=policy.SMTP)
                status, said = client.append(folder, "", date, raw)  # type: ignore[arg-type]
                assert status == "OK", said

    def begin_anew(self, folder: str) -> None:
        """The folder with another UIDVALIDITY, as after a server was restored."""
        with self.client() as client:
            client.delete(folder)
            assert client.create(folder)[0] == "OK"


@dataclass
class Taken:
    """A mail that the SMTP server has taken."""

    sender: str
    recipients: list[str]
    mail: EmailMessage


@dataclass
class Smtp:
    """A server that takes mails of a signed-in user; `answers` are what it says to the next mails instead of yes."""

    taken: list[Taken] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    tries: int = 0

    def __post_init__(self) -> None:
        self._controller = Controller(
            self, hostname="127.0.0.1", port=_free_port(), auth_require_tls=False, authenticator=self._known,
            auth_required=True,
        )  # fmt: skip
        self._controller.start()
        self.port = self._controller.port

    def stop(self) -> None:
        self._controller.stop()

    @staticmethod
    def _known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.login == b"desk" and given.password == PASSWORD.encode()
        return AuthResult(success=right, handled=False)

    async def auth_XOAUTH2(self, _server: Any, arguments: list[str]) -> AuthResult:
        said = base64.b64decode(arguments[1])
        known = {f"user={USER}\x01auth=Bearer {token}\x01\x01".encode() for token in self.tokens}
        return AuthResult(success=said in known, handled=False)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refused:
            return "550 5.1.1 No such user"
        if address in self.deferred:
            return "450 4.2.0 Greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.tries += 1
        if self.answers:
            return self.answers.pop(0)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.taken.append(Taken(envelope.mail_from, list(envelope.rcpt_tos), mail))
        return "250 Taken"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def written(subject: str = "My card", text: str = "It is lost.", **more: Any) -> EmailMessage:
    """A mail of a customer; underscores of names are dashes of headers."""
    mail = EmailMessage()
    headers = {"From": "Ada <ada@customer.example>", "To": "help@bank.example"} | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    mail["Subject"] = subject
    for name, value in headers.items():
        mail[name] = value
    mail.set_content(text)
    return mail
