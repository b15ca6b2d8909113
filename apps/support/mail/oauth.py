"""Access tokens for mail servers (OAuth 2.0, RFC 6749): a refresh token is exchanged for one, and a code for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext_noop

from apps.core import outbound
from apps.core.errors import OutboundFailed, OutboundRefused
from apps.support.errors_mail import MailServerRefused, MailTokenRefused, MailTokenUnreachable

SECONDS, MOST_BYTES, LONGEST_TOKEN = 15.0, 100_000, 20_000
# Where an answer does not say for how long a token is good, and longer than any is trusted to be.
USUAL_SECONDS, MOST_SECONDS = 300, 86_400
NOT_ANY_MORE = gettext_noop("The provider does not take its own answer any more. Press the button again.")
WRONG_CLIENT = gettext_noop(
    "The provider does not know the client, or not with this secret. Type client id and secret as its console shows "
    "them, and press the button again."
)
NOT_REDEEMED = gettext_noop(
    "The provider gave no token: %(reason)s. Check the client, its scopes and the redirect address in the provider's "
    "console, and press the button again."
)
NO_REFRESH_TOKEN = gettext_noop(
    "The provider gave no refresh token, so that access would end within the hour. Allow the client offline access, "
    "take away the consent that was given before, and press the button again."
)


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
    fields = {"grant_type": "refresh_token", "refresh_token": consent.refresh_token, "scope": consent.scope}
    status, found = _asked(consent, fields)
    if status in (400, 401, 403):
        raise MailTokenRefused
    return _granted(status, found)


def redeemed(consent: Consent, code: str, verifier: str, redirect_uri: str) -> Granted:
    """What a consent that was just given is worth (RFC 6749, section 4.1.3; RFC 7636): never without a refresh token.

    Raises MailError, with words that say what to do.
    """
    fields = {
        "grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect_uri,
    }  # fmt: skip
    status, found = _asked(consent, fields)
    if status in (400, 401, 403):
        raise _why_not(found.get("error"))
    granted = _granted(status, found)
    if not granted.refresh_token:
        raise MailTokenRefused(NO_REFRESH_TOKEN)
    return granted


def refusal(error: str) -> MailTokenRefused:
    """A code of an error, as the provider tells it in its answer (RFC 6749, section 4.1.2.1)."""
    return MailTokenRefused(NOT_REDEEMED, values={"reason": plain(error)})


def plain(error: object) -> str:
    """Of a code only what such a code is made of."""
    letters = "".join(each for each in str(error or "") if each.isascii() and (each.isalnum() or each in "_-."))
    return letters[:60] or "error"


def _why_not(error: object) -> MailTokenRefused:
    if error == "invalid_grant":
        return MailTokenRefused(NOT_ANY_MORE)
    if error in ("invalid_client", "unauthorized_client"):
        return MailTokenRefused(WRONG_CLIENT)
    return refusal(str(error or ""))


def _asked(consent: Consent, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
    given = fields | {"client_id": consent.client_id, "client_secret": consent.client_secret}
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    body = urlencode({name: value for name, value in given.items() if value}).encode()
    try:
        answer = outbound.fetch(
            "POST", consent.token_url, headers=headers, body=body, limit_bytes=MOST_BYTES, timeout=SECONDS
        )
    except OutboundRefused:
        raise MailServerRefused from None
    except OutboundFailed:
        raise MailTokenUnreachable from None
    try:
        found = answer.json()
    except OutboundFailed:
        found = None
    return answer.status, found if isinstance(found, dict) else {}


def _granted(status: int, found: dict[str, Any]) -> Granted:
    token = found.get("access_token")
    if status != 200 or not isinstance(token, str) or not _is_token(token):
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
