"""Hearing of new mails at once, where a mail server tells of them by itself (IDLE).

It is a bell and nothing more: it brings the next look forward, and mailboxes are looked into every minute all the same.
One process listens to a mailbox, for servers let only so many in at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from redis.exceptions import RedisError

from apps.core import tenancy
from apps.core.connections import quick_redis_client
from apps.core.errors import SealedValueUnreadable
from apps.core.tenancy import Across, across_tenants
from apps.support.errors_mail import MailError
from apps.support.mail import imap
from apps.support.mail.parsing import MOST_BYTES
from apps.support.models import MailAccount
from apps.support.services.mail import access

# Servers end what is silent for half an hour, and some routers much sooner (RFC 2177).
LISTEN_SECONDS, MARGIN_SECONDS = 540.0, 60.0
KEPT_SECONDS, LOOK_AGAIN_SECONDS = 60, 20.0
# What makes it another mailbox, or another way in.
PLACE = ("imap_host", "imap_port", "imap_tls", "imap_user", "imap_password", "folder", "auth", "oauth_refresh_token")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox that is looked into and does not fail."""

    organization_id: UUID
    account_id: UUID


def listenable() -> list[Mailbox]:
    """All of them; those that wait longest for their next look come first."""
    with across_tenants(Across.CLAIM_WORK):
        rows = MailAccount.objects.filter(active=True, failures=0, looked_at__isnull=False, inbox__archived_at=None)
        found = rows.order_by("-look_at").values_list("organization_id", "pk")
        return [Mailbox(*each) for each in found]


def listen(mailbox: Mailbox, is_over: Callable[[], bool], ring: Callable[[], None]) -> bool:
    """Listens until `is_over`, the mailbox is set up anew, or some minutes have gone by, and calls `ring` at each news.

    False where the server does not tell by itself. What else is wrong with it the next look will find out.
    """
    token = uuid4().hex
    if not _take(mailbox, token):
        return True
    try:
        account = _account(mailbox)
        if account is None:
            return True
        with (
            access.servers(account) as (server, _),
            imap.opened(server, account.folder, MOST_BYTES, LISTEN_SECONDS + MARGIN_SECONDS) as opened,
        ):
            return _hear(mailbox, account, opened, is_over=_Over(mailbox, account, token, is_over), ring=ring)
    except (MailError, SealedValueUnreadable) as error:
        log.info("mailbox not listened to", account=str(mailbox.account_id), reason=error.code)
        return True
    finally:
        _leave(mailbox, token)
        connection.close()


def _hear(
    mailbox: Mailbox, account: MailAccount, opened: imap.Mailbox, is_over: Callable[[], bool], ring: Callable[[], None]
) -> bool:
    if not opened.can_tell():
        return False
    until = time.monotonic() + LISTEN_SECONDS
    # What has come before anybody listened nobody tells of.
    news = True
    while True:
        if news:
            _bring_forward(mailbox)
            ring()
        connection.close()
        if is_over() or time.monotonic() >= until:
            return True
        news = opened.wait_for_news(until - time.monotonic(), is_over)


class _Over:
    """Whether there is no need to listen any more; the mailbox itself is looked at only now and then."""

    def __init__(self, mailbox: Mailbox, account: MailAccount, token: str, is_over: Callable[[], bool]) -> None:
        self._mailbox, self._token, self._is_over = mailbox, token, is_over
        self._place = [getattr(account, name) for name in PLACE]
        self._looked, self._ended = time.monotonic(), False

    def __call__(self) -> bool:
        if not self._ended and time.monotonic() - self._looked > LOOK_AGAIN_SECONDS:
            self._looked = time.monotonic()
            now = _account(self._mailbox)
            connection.close()
            same = now is not None and [getattr(now, name) for name in PLACE] == self._place
            self._ended = not same or not _keep(self._mailbox, self._token)
        return self._ended or self._is_over()


def _account(mailbox: Mailbox) -> MailAccount | None:
    with tenancy.scope(mailbox.organization_id):
        rows = MailAccount.objects.filter(pk=mailbox.account_id, active=True, inbox__archived_at=None)
        found: MailAccount | None = rows.first()
    return found


def _bring_forward(mailbox: Mailbox) -> None:
    with tenancy.scope(mailbox.organization_id):
        MailAccount.objects.filter(pk=mailbox.account_id, look_at__gt=Now(), failures=0).update(look_at=Now())


# ---------------------------------------------------------------- who listens
def _key(mailbox: Mailbox) -> str:
    return f"{settings.REDIS_PREFIX}:mail-listener:{mailbox.account_id}"


def _take(mailbox: Mailbox, token: str) -> bool:
    """Without Redis nobody listens: two would be more than some servers let in."""
    try:
        return bool(quick_redis_client().set(_key(mailbox), token, nx=True, ex=KEPT_SECONDS))
    except (RedisError, OSError):
        return False


def _keep(mailbox: Mailbox, token: str) -> bool:
    try:
        redis = quick_redis_client()
        held = redis.get(_key(mailbox))
        if held is not None and held not in (token, token.encode()):
            return False
        redis.set(_key(mailbox), token, ex=KEPT_SECONDS)
    except (RedisError, OSError):
        return False
    return True


def _leave(mailbox: Mailbox, token: str) -> None:
    try:
        redis = quick_redis_client()
        if redis.get(_key(mailbox)) in (token, token.encode()):
            redis.delete(_key(mailbox))
    except (RedisError, OSError):
        # It lapses by itself.
        return
