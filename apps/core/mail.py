"""Mails as rows: written with the act they are about, sent by a worker, tried again until the mail server takes them.

A request waits for no mail server, and takes as long whether anybody gets a mail or not. A worker that dies after
handing a mail over and before removing its row sends it twice: better than never.

What programs send by themselves goes in turn: it is never dropped, but waits behind the mails that somebody asked for,
and until its address has had no more than `MOST_A_MINUTE`. Of the others, more than that are dropped.
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
from django.db.models import F, QuerySet
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


def send_in_turn(message: EmailMessage) -> int:
    """Like `message.send()`, for what a program sends by itself: later if need be."""
    return _take(message, in_turn=True)


def _take(message: EmailMessage, *, in_turn: bool = False) -> int:
    if message.attachments or message.cc or message.bcc:
        raise ValueError("The outbox takes a text, its HTML and plain recipients; attachments are links instead.")
    html = next((body for body, kind in getattr(message, "alternatives", []) if kind == "text/html"), "")
    headers = {name: str(value) for name, value in message.extra_headers.items()}
    content = Content(list(message.to), str(message.subject), str(message.body), str(html), message.from_email, headers)
    return int(_store(content, in_turn))


def seconds_until_room(sender: str, address: str) -> float:
    """Takes one of the mails that a sender may write to an address in a minute, or says when there is room for it.

    For programs that can wait themselves: what goes in turn is never dropped, and must not pile up.
    """
    return _seconds_to_wait(f"mail-of-{sender}", address)


def compose_later(kind: str, to: str, data: dict[str, Any] | None = None, *, in_turn: bool = False) -> None:
    """Leaves it to the worker to find out what to write, so that the asking takes the same time whatever it is."""
    _store(Content([to], kind=kind, data=data or {}, language=translation.get_language() or ""), in_turn)


def _store(content: Content, in_turn: bool) -> bool:
    if not in_turn and any(_seconds_to_wait("mail", address) for address in content.to):
        # Told to nobody: the caller's answer must not depend on what others sent to the address.
        log.warning("mail refused", reason="too many to one address")
        return False
    row = Mail(in_turn=in_turn)
    crypto.seal_into(row, "content", json.dumps(asdict(content)))
    row.save(force_insert=True)
    jobs.ring(SEND)
    return True


def _seconds_to_wait(bucket: str, address: str) -> float:
    """Takes one mail from what an address may get in a minute, or says when there is room for it."""
    owner = f"{bucket}:{hashlib.sha256(address.lower().encode()).hexdigest()[:32]}"
    try:
        ratelimit.charge(owner, [Bucket("requests", MOST_A_MINUTE, 1)])
    except RateLimitExceeded as refusal:
        return refusal.retry_after or 60.0
    return 0.0


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


def due() -> QuerySet[Mail]:
    return Mail.objects.filter(next_at__lte=Now())


def _claim() -> Mail | None:
    """The mail that waits longest, those in turn last, leased; waiting doubles with each attempt, up to an hour."""
    with transaction.atomic():
        mail = due().select_for_update(skip_locked=True).order_by("in_turn", "next_at").first()
        if mail is not None:
            pause = LEASE if not mail.attempts else min(timedelta(hours=1), LEASE * 2**mail.attempts)
            Mail.objects.filter(pk=mail.pk).update(attempts=F("attempts") + 1, next_at=Now() + pause)
    return mail


def _deliver(mail: Mail) -> int:
    try:
        content = Content(**json.loads(crypto.unseal_from(mail, "content")))
        if mail.in_turn and (wait := max(_seconds_to_wait("mail-in-turn", address) for address in content.to)):
            Mail.objects.filter(pk=mail.pk).update(attempts=F("attempts") - 1, next_at=Now() + timedelta(seconds=wait))
            return 0
        message = _message(content)
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
