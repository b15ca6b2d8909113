"""Access tokens for mail servers (OAuth 2.0, RFC 6749, section 6): a refresh token is exchanged for one."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from apps.core import outbound
from apps.core.errors import OutboundFailed, OutboundRefused
from apps.support.errors_mail import MailServerRefused, MailTokenRefused, MailTokenUnreachable

SECONDS, MOST_BYTES, LONGEST_TOKEN = 15.0, 100_000, 20_000
# Where an answer does not say for how long a token is good, and longer than any is trusted to be.
USUAL_SECONDS, MOST_SECONDS = 300, 86_400


@dataclass(frozen=True, slots=True)
class Consent:
    """What stands for the consent of a mailbox's user, and where it is exchanged."""

    token_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    scope: str


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token, for how many seconds it is good, and the refresh token from now on."""

    access_token: str
    seconds: int
    refresh_token: str


def refreshed(consent: Consent) -> Granted:
    """A new access token; raises MailError. The address passes the guard that all outgoing requests pass."""
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": consent.refresh_token,
        "client_id": consent.client_id,
        "client_secret": consent.client_secret,
        "scope": consent.scope,
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    body = urlencode({name: value for name, value in fields.items() if value}).encode()
    try:
        answer = outbound.fetch(
            "POST", consent.token_url, headers=headers, body=body, limit_bytes=MOST_BYTES, timeout=SECONDS
        )
        if answer.status in (400, 401, 403):
            raise MailTokenRefused
        found = answer.json()
    except OutboundRefused:
        raise MailServerRefused from None
    except OutboundFailed:
        raise MailTokenUnreachable from None
    token = found.get("access_token") if isinstance(found, dict) else None
    if answer.status != 200 or not isinstance(token, str) or not _is_token(token):
        raise MailTokenUnreachable
    again = found.get("refresh_token")
    return Granted(token, _seconds(found.get("expires_in")), again if isinstance(again, str) and again else "")


def _is_token(text: str) -> bool:
    """Nothing that could end the line that it is sent in."""
    return 0 < len(text) <= LONGEST_TOKEN and text.isascii() and text.isprintable()


def _seconds(value: object) -> int:
    try:
        return min(MOST_SECONDS, max(1, int(value)))  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return USUAL_SECONDS
