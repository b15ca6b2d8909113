"""Where the user of a mailbox consents: Google, Microsoft, or at an address that was typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from apps.core import roundtrips

OWN = "own"


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider's documentation says of it."""

    authorize_url: str
    token_url: str
    scope: str
    imap_host: str
    smtp_host: str
    more: dict[str, str] = field(default_factory=dict)


# https://developers.google.com/identity/protocols/oauth2/web-server and https://learn.microsoft.com/exchange/client-
# developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
PROVIDERS = {
    "google": Provider(
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        "https://mail.google.com/",
        "imap.gmail.com",
        "smtp.gmail.com",
        # Without both there is a refresh token with the very first consent alone.
        {"access_type": "offline", "prompt": "consent"},
    ),
    "microsoft": Provider(
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "offline_access https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send",
        "outlook.office365.com",
        "smtp.office365.com",
    ),
}


def token_url(provider: str, typed: str) -> str:
    """The provider's token address; one with the customer's own tenant in it stays."""
    known = PROVIDERS[provider]
    try:
        ours, theirs = urlsplit(known.token_url), urlsplit(typed.strip())
    except ValueError:
        return known.token_url
    parts = theirs.path.split("/")
    is_tenant = len(parts) == 5 and parts[2:] == ["oauth2", "v2.0", "token"]
    return typed.strip() if theirs[:2] == ours[:2] and (is_tenant or theirs.path == ours.path) else known.token_url


def authorize_url(provider: str, token_url: str) -> str:
    """Where the browser goes, of the same tenant as the token address."""
    known = PROVIDERS[provider]
    if known.token_url.endswith("/oauth2/v2.0/token"):
        return token_url.removesuffix("token") + "authorize"
    return known.authorize_url


def may_answer(host: str, issuer: str) -> bool:
    """Whether an answer that names this issuer (RFC 9207) can be of the provider at `host`, where the browser was sent.

    All of them answer at one address: no other one is told a code of those that are known.
    """
    try:
        named = urlsplit(issuer).hostname
    except ValueError:
        return False
    return named == host or named not in {urlsplit(each.authorize_url).hostname for each in PROVIDERS.values()}


def leaving_url(
    place: str, *, client_id: str, scope: str, state: str, verifier: str, redirect_uri: str, hint: str, provider: str
) -> str:
    """The address that the browser leaves for (RFC 6749, section 4.1.1; RFC 7636, section 4.3)."""
    query = {
        "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": scope, "state": state,
        "login_hint": hint, **roundtrips.challenge_of(verifier),
    }  # fmt: skip
    if provider in PROVIDERS:
        query |= PROVIDERS[provider].more
    parts = urlsplit(place)
    filled = urlencode({name: value for name, value in query.items() if value})
    return parts._replace(query="&".join(filter(None, [parts.query, filled])), fragment="").geturl()
