"""Handing a mail over by SMTP: each refusal is told apart, and whether trying again is of any use."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage

from apps.support.errors_mail import (
    MailAccessRefused,
    MailDeferred,
    MailError,
    MailNotEncrypted,
    MailRecipientDeferred,
    MailRecipientRefused,
    MailRefused,
    MailSenderRefused,
    MailSignInRefused,
)
from apps.support.mail.carrying import STEP_SECONDS, Server, Watch, connected, context, told_plainly, watched


class _Client(smtplib.SMTP):
    """Over a connection to a checked address."""

    def __init__(self, server: Server, watch: Watch) -> None:
        self._server, self._watch = server, watch
        super().__init__(server.host, server.port, local_hostname="millrace", timeout=STEP_SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return connected(self._server, self._watch, timeout)


@contextmanager
def _signed_in(server: Server, seconds: float) -> Iterator[_Client]:
    with watched(seconds) as watch:
        with told_plainly():
            client = _Client(server, watch)
        try:
            with told_plainly():
                client.ehlo()
                if server.tls == "starttls":
                    if not client.has_extn("starttls"):
                        raise MailNotEncrypted
                    client.starttls(context=context())
                    client.ehlo()
                if server.user:
                    _sign_in(client, server)
                # Large files take their time, and so does a server that looks for viruses before it says yes.
                _wait(client, seconds)
                yield client
        finally:
            _wait(client, STEP_SECONDS)
            with suppress(smtplib.SMTPException, OSError):
                client.quit()


def _wait(client: _Client, seconds: float) -> None:
    if client.sock is not None:
        with suppress(OSError):
            client.sock.settimeout(seconds)


def _sign_in(client: _Client, server: Server) -> None:
    if server.token:
        _sign_in_by_token(client, server)
        return
    try:
        client.login(server.user, server.password)
    except smtplib.SMTPAuthenticationError as error:
        raise (MailDeferred if 400 <= error.smtp_code < 500 else MailSignInRefused) from None
    except smtplib.SMTPNotSupportedError:
        raise MailSignInRefused from None


def _sign_in_by_token(client: _Client, server: Server) -> None:
    def answer(challenge: bytes | None = None) -> str:
        # A question is the reason for a refusal, which comes once that was acknowledged.
        return server.bearer if challenge is None else ""

    try:
        client.auth("XOAUTH2", answer)
    except smtplib.SMTPAuthenticationError as error:
        raise (MailDeferred if 400 <= error.smtp_code < 500 else MailAccessRefused) from None


def send(server: Server, mail: EmailMessage, sender: str, recipient: str, seconds: float) -> None:
    """Returns once the server has taken the mail; raises MailError."""
    with _signed_in(server, seconds) as client:
        try:
            client.send_message(mail, sender, [recipient])
        except smtplib.SMTPRecipientsRefused as error:
            raise _of_recipient(max((code for code, _said in error.recipients.values()), default=0))() from None
        except smtplib.SMTPSenderRefused as error:
            raise _kind(error.smtp_code, MailSenderRefused)() from None
        except smtplib.SMTPDataError as error:
            raise _kind(error.smtp_code, MailRefused)() from None
        except smtplib.SMTPNotSupportedError:
            # The address needs SMTPUTF8, which this server does not have.
            raise MailRecipientRefused from None


def _kind(code: int, lasting: type[MailError]) -> type[MailError]:
    return lasting if code >= 500 else MailDeferred


def _of_recipient(code: int) -> type[MailError]:
    # With 421 the server leaves, whoever the mail is for.
    return _kind(code, MailRecipientRefused) if code >= 500 or code == 421 else MailRecipientDeferred


def try_out(server: Server, sender: str) -> None:
    """Whether mails from this address could be sent there now, without sending any; raises MailError."""
    with _signed_in(server, STEP_SECONDS) as client:
        code, _said = client.mail(sender)
        if code >= 400:
            raise _kind(code, MailSenderRefused)()
        client.rset()
