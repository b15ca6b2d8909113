"""What mail servers of an inbox are told by whoever signs in: the passwords, or an access token that is still good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import structlog
from django.utils import timezone
from redis.exceptions import RedisError

from apps.core import tenancy
from apps.core.connections import quick_redis_client
from apps.core.crypto import seal_into, unseal_from
from apps.support.errors_mail import MailAccessRefused
from apps.support.mail import oauth
from apps.support.mail.carrying import Server
from apps.support.models import MailAccount, MailAuth
from apps.support.services.mail import rotated

# A token that ends so soon might end on its way.
MARGIN = timedelta(seconds=90)
# Longer than asking may take.
ASKING_SECONDS = 45
# Whom a token is for.
_FOR = ("auth", "imap_host", "imap_port", "imap_user", "smtp_host", "smtp_port", "oauth_token_url", "oauth_client_id")
log = structlog.get_logger(__name__)


@contextmanager
def servers(account: MailAccount, *, keeps: bool = True) -> Iterator[tuple[Server, Server]]:
    """For incoming and for outgoing mail, outside of a transaction: a token may have to be asked for.

    One that the server does not take is not tried again. Without `keeps` nothing is written down, for values that are
    tried out before they are set. Raises MailError.
    """
    try:
        yield _servers(account, _token(account, keeps=keeps) if account.auth == MailAuth.OAUTH else "")
    except MailAccessRefused:
        if keeps:
            with tenancy.scope(account.organization_id):
                MailAccount.objects.filter(pk=account.pk).update(oauth_access_token="", oauth_expires_at=None)
        raise


def _servers(row: MailAccount, token: str) -> tuple[Server, Server]:
    if token:
        return (
            Server(row.imap_host, row.imap_port, row.imap_tls, row.imap_user, "", token),
            Server(row.smtp_host, row.smtp_port, row.smtp_tls, row.smtp_user or row.imap_user, "", token),
        )
    incoming = Server(row.imap_host, row.imap_port, row.imap_tls, row.imap_user, unseal_from(row, "imap_password"))
    outgoing = Server(row.smtp_host, row.smtp_port, row.smtp_tls, row.smtp_user, unseal_from(row, "smtp_password"))
    return incoming, outgoing


def _token(account: MailAccount, *, keeps: bool) -> str:
    if token := _good(account):
        return token
    with _alone(account):
        return _granted(_as_it_is_now(account) if keeps else account, keeps=keeps)


def _granted(account: MailAccount, *, keeps: bool) -> str:
    if keeps and (token := _good(account)):
        return token
    spent = rotated.latest(account, unseal_from(account, "oauth_refresh_token"))
    granted = oauth.refreshed(consent_of(account, spent))
    if not _keep(account, granted, access=keeps) and granted.refresh_token:
        rotated.remember(account, spent, granted.refresh_token)
    return granted.access_token


def consent_of(account: MailAccount, refresh_token: str) -> oauth.Consent:
    """The account's client, with a consent."""
    return oauth.Consent(
        account.oauth_token_url,
        account.oauth_client_id,
        unseal_from(account, "oauth_client_secret"),
        refresh_token,
        account.oauth_scope,
    )


def _good(account: MailAccount) -> str:
    """An access token that lasts a while yet."""
    ends = account.oauth_expires_at
    is_good = account.oauth_access_token and ends is not None and ends > timezone.now() + MARGIN
    return unseal_from(account, "oauth_access_token") if is_good else ""


@contextmanager
def _alone(account: MailAccount) -> Iterator[None]:
    """Many a refresh token may be used once: of those who look, listen and send, one asks, and the others use it.

    Without Redis several may ask.
    """
    lock = quick_redis_client().lock(f"millrace:mail:consent:{account.inbox_id}", timeout=ASKING_SECONDS)
    held = False
    try:
        held = bool(lock.acquire(blocking_timeout=ASKING_SECONDS))
    except RedisError as error:
        log.warning("mail consent not locked", reason=str(error))
    try:
        yield
    finally:
        if held:
            with suppress(RedisError):
                lock.release()


def _as_it_is_now(account: MailAccount) -> MailAccount:
    """The row as somebody who asked before has left it, unless it was set up for other servers meanwhile."""
    with tenancy.scope(account.organization_id):
        row: MailAccount | None = MailAccount.objects.filter(pk=account.pk).first()
    is_same = row is not None and all(getattr(row, name) == getattr(account, name) for name in _FOR)
    return row if row is not None and is_same else account


def _keep(account: MailAccount, granted: oauth.Granted, *, access: bool) -> bool:
    """Writes the tokens down, unless somebody has set the inbox up anew meanwhile; whether it was done.

    Without `access` only the refresh token, where another has come for that of the row: the old one may be worth
    nothing any more.
    """
    with tenancy.scope(account.organization_id):
        rows = MailAccount.objects.select_for_update(of=("self",), no_key=True)
        row: MailAccount | None = rows.filter(pk=account.pk).first()
        if row is None or row.oauth_refresh_token != account.oauth_refresh_token:
            return False
        if granted.refresh_token:
            seal_into(row, "oauth_refresh_token", granted.refresh_token)
        if access:
            seal_into(row, "oauth_access_token", granted.access_token)
            row.oauth_expires_at = timezone.now() + timedelta(seconds=granted.seconds)
        row.save(update_fields=["oauth_access_token", "oauth_refresh_token", "oauth_expires_at"])
    return True
