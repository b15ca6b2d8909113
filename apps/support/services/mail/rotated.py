"""Refresh tokens that took the place of one that was typed and is not saved yet.

Many a provider takes a refresh token once and answers with the next. Whoever tries values out before they are saved
spends the one that they typed: what came instead is kept sealed for a day, so that what is then saved works.
"""

from __future__ import annotations

from django.core.cache import cache
from django.utils.crypto import salted_hmac

from apps.core.crypto import Place, seal, unseal
from apps.core.errors import SealedValueUnreadable
from apps.support.models import MailAccount

SECONDS = 86_400
# More in a row than anybody tries in a day.
MOST = 200


def latest(account: MailAccount, token: str) -> str:
    """The token that `token` has become with the same client at the same address; itself where none has come."""
    for _step in range(MOST):
        place = _place(account, token)
        envelope = cache.get(_key(place))
        if not envelope:
            break
        try:
            token = unseal(envelope, place)
        except SealedValueUnreadable:
            break
    return token


def remember(account: MailAccount, token: str, instead: str) -> None:
    """Notes that `token` was spent, and what came instead."""
    if token != instead:
        place = _place(account, token)
        cache.set(_key(place), seal(instead, place), SECONDS)


def _place(account: MailAccount, token: str) -> Place:
    """Where only who knows the token, in this inbox, with this client, finds what it has become."""
    parts = (str(account.inbox_id), account.oauth_token_url, account.oauth_client_id, token)
    digest = salted_hmac("support.mail.rotated", "\0".join(parts), algorithm="sha256").hexdigest()
    return Place(account.organization_id, "support_mailaccount", "oauth_refresh_token", digest)


def _key(place: Place) -> str:
    return f"support:mail-rotated:{place.organization}:{place.row}"
