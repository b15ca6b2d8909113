"""Mails as rows: written with the act they are about, sent by a worker, tried again until the mail server takes them.

A request waits for no mail server, and takes as long whether anybody gets a mail or not. A worker that dies after
handing a mail over and before removing its row sends it twice: better than never.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.module_loading import import_string

from apps.core import crypto, jobs, ratelimit
from apps.core.errors import RateLimitExceeded
from apps.core.models import Mail
from apps.core.ratelimit import Bucket

SEND = "core.send_mail"
LEASE = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=24)
# Nobody needs more mails a minute than this; whoever asks for more fills somebody else's mailbox.
MOST_A_MINUTE = 6
BATCH = 50

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Content:
    """A message, or `kind` and `data` of one that the worker composes in `language` (`settings.MAIL_KINDS`)."""

    to: list[str]
    subject: str = ""
    text: str = ""
    html: str = ""
    sender: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    language: str = ""


class Outbox(BaseEmailBackend):
    """Django's e-mail backend: takes a message into the table, in the caller's transaction."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        return sum(_take(message) for message in email_messages)


def _take(message: EmailMessage) -> int:
    if message.attachments or message.cc or message.bcc:
        raise ValueError("The outbox takes a text, its HTML and plain recipients; attachments are links instead.")
    html = next((body for body, kind in getattr(message, "alternatives", []) if kind == "text/html"), "")
    headers = {name: str(value) for name, value in message.extra_headers.items()}
    content = Content(list(message.to), str(message.subject), str(message.body), str(html), message.from_email, headers)
    return int(_store(content))


def compose_later(kind: str, to: str, data: dict[str, Any] | None = None) -> None:
    """Leaves it to the worker to find out what to write, so that the asking takes the same time whatever it is."""
    _store(Content([to], kind=kind, data=data or {}, language=translation.get_language() or ""))


def _store(content: Content) -> bool:
    if not all(_may_get_another(address) for address in content.to):
        log.warning("mail refused", reason="too many to one address")
        return False
    row = Mail()
    crypto.seal_into(row, "content", json.dumps(asdict(content)))
    row.save(force_insert=True)
    jobs.ring(SEND)
    return True


def _may_get_another(address: str) -> bool:
    """Told to nobody: the caller's answer must not depend on what others sent to the address."""
    owner = f"mail:{hashlib.sha256(address.lower().encode()).hexdigest()[:32]}"
    try:
        ratelimit.charge(owner, [Bucket("requests", MOST_A_MINUTE, 1)])
    except RateLimitExceeded:
        return False
    return True


# ---------------------------------------------------------------- the worker's side


def deliver_due() -> int:
    """Sends what is due, one after the other; returns how many the mail server took."""
    sent = 0
    for _ in range(BATCH):
        mail = _claim()
        if mail is None:
            break
        sent += _deliver(mail)
    return sent


def _claim() -> Mail | None:
    """The mail that waits longest, leased; waiting doubles with each attempt, up to an hour."""
    with transaction.atomic():
        mail = Mail.objects.select_for_update(skip_locked=True).filter(next_at__lte=Now()).order_by("next_at").first()
        if mail is not None:
            pause = LEASE if not mail.attempts else min(timedelta(hours=1), LEASE * 2**mail.attempts)
            Mail.objects.filter(pk=mail.pk).update(attempts=F("attempts") + 1, next_at=Now() + pause)
    return mail


def _deliver(mail: Mail) -> int:
    try:
        message = _message(Content(**json.loads(crypto.unseal_from(mail, "content"))))
        if message is not None:
            message.connection = get_connection(settings.MAIL_DELIVERY_BACKEND)
            message.send()
    except (OperationalError, InterfaceError):
        # Nothing can be noted with the database away: the lease lapses, and the mail is due again.
        raise
    except Exception as error:
        # Whatever one mail is ill with, those behind it are sent. A recipient's address stays out of the log.
        given_up = timezone.now() - mail.created_at > GIVE_UP_AFTER
        log.warning("mail not sent", mail=str(mail.pk), reason=type(error).__name__, given_up=given_up)
        if given_up:
            mail.delete()
        return 0
    mail.delete()
    return int(message is not None)


def _message(content: Content) -> EmailMessage | None:
    """None when there turns out to be nothing to write."""
    if content.kind:
        with translation.override(content.language or None):
            compose: Callable[..., EmailMessage | None] = import_string(settings.MAIL_KINDS[content.kind])
            return compose(content.to[0], **content.data)
    message = EmailMultiAlternatives(
        content.subject, content.text, content.sender, content.to, headers=content.headers or None
    )
    if content.html:
        message.attach_alternative(content.html, "text/html")
    return message
