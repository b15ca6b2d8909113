"""What mail servers of an inbox are told by whoever signs in: the passwords, or an access token that is still good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.utils import timezone

from apps.core import tenancy
from apps.core.crypto import seal_into, unseal_from
from apps.support.errors_mail import MailAccessRefused
from apps.support.mail import oauth
from apps.support.mail.carrying import Server
from apps.support.models import MailAccount, MailAuth

# A token that ends so soon might end on its way.
MARGIN = timedelta(seconds=90)


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
    ends = account.oauth_expires_at
    if account.oauth_access_token and ends is not None and ends > timezone.now() + MARGIN:
        return unseal_from(account, "oauth_access_token")
    granted = oauth.refreshed(
        oauth.Consent(
            account.oauth_token_url,
            account.oauth_client_id,
            unseal_from(account, "oauth_client_secret"),
            unseal_from(account, "oauth_refresh_token"),
            account.oauth_scope,
        )
    )
    if keeps:
        _keep(account, granted)
    return granted.access_token


def _keep(account: MailAccount, granted: oauth.Granted) -> None:
    """Writes the token down, unless somebody has set the inbox up anew meanwhile."""
    with tenancy.scope(account.organization_id):
        rows = MailAccount.objects.select_for_update(of=("self",), no_key=True)
        row: MailAccount | None = rows.filter(pk=account.pk).first()
        if row is None or row.oauth_refresh_token != account.oauth_refresh_token:
            return
        seal_into(row, "oauth_access_token", granted.access_token)
        if granted.refresh_token:
            seal_into(row, "oauth_refresh_token", granted.refresh_token)
        row.oauth_expires_at = timezone.now() + timedelta(seconds=granted.seconds)
        row.save(update_fields=["oauth_access_token", "oauth_refresh_token", "oauth_expires_at"])
