"""How often a password may be guessed: the locks of a sign-in, and the browsers that an account knows.

A browser in which a person signed in keeps a signed cookie for their address. Three counts follow:

- from a known browser, only that browser's own tries count: whatever others do, the owner is not locked out;
- from anywhere else, tries count for the account at that network address, which stops a single attacker after five
  without touching anybody else, and
- for the account from all unknown browsers together, and for the network address over all accounts, which stops many
  attackers at one account and one attacker at many accounts.

The cookie proves nothing but that somebody signed in there once: it only chooses the count.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from apps.core import attempts, callers
from apps.core.attempts import Lock

SALT = "accounts.known-browser"
COOKIE_SECONDS = 365 * 86_400
MOST_ACCOUNTS_IN_COOKIE = 5
FREE_PER_BROWSER, FREE_PER_ACCOUNT, FREE_PER_NETWORK = 5, 20, 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a password: `own` is forgiven when it was right, `shared` only gives this try back."""

    own: tuple[Lock, ...]
    shared: tuple[Lock, ...]

    def begin(self) -> float:
        """0 when the try may be made, else the seconds to wait."""
        return attempts.begin([*self.own, *self.shared])

    def was_right(self) -> None:
        attempts.forgive(self.own)
        if self.shared:
            attempts.take_back(self.shared)


def attempt_of(request: HttpRequest, account: str, door: str = "") -> Attempt:
    """The locks that a try at `account`, an e-mail address as it was typed, has to pass; `door` sets counts apart."""
    known = _accounts_known(request).get(_digest(account.strip().lower()))
    account = _named(account, door)
    if known:
        return Attempt((Lock(f"browser:{account}:{known}", FREE_PER_BROWSER),), ())
    network = network_of(request)
    return Attempt(
        (_of_network(account, network),),
        # A network may be a whole company's: its lock stays short.
        (_whole_account(account), Lock(f"network:{network}", FREE_PER_NETWORK, longest=900, forget=3600)),
    )


def forgive(request: HttpRequest, account: str, door: str = "") -> None:
    """Opens the account again, for somebody who has shown to own it in another way."""
    account = _named(account, door)
    attempts.forgive([_of_network(account, network_of(request)), _whole_account(account)])


def _named(account: str, door: str) -> str:
    return f"{door}:{account.strip().lower()}"


def _of_network(account: str, network: str) -> Lock:
    return Lock(f"account-network:{account}:{network}", FREE_PER_BROWSER)


def _whole_account(account: str) -> Lock:
    return Lock(f"account:{account}", FREE_PER_ACCOUNT)


def network_of(request: HttpRequest) -> str:
    """The caller's address; of IPv6 the 64 bits that one customer of a provider has."""
    address = callers.address_of(request.META)
    if ":" in address:
        return str(ipaddress.ip_network(f"{address}/64", strict=False).network_address)
    return address


def knows(request: HttpRequest, email: str) -> bool:
    """Whether the person with this address has signed in with this browser before."""
    return _digest(email.lower()) in _accounts_known(request)


def remember_browser(request: HttpRequest, response: HttpResponseBase, email: str) -> None:
    """From now on this browser is known to the account."""
    known = _accounts_known(request)
    nonce = known.pop(_digest(email.lower()), None) or secrets.token_urlsafe(12)
    known[_digest(email.lower())] = nonce
    kept = dict(list(known.items())[-MOST_ACCOUNTS_IN_COOKIE:])
    response.set_cookie(
        settings.KNOWN_BROWSER_COOKIE_NAME,
        signing.dumps(kept, salt=SALT),
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _accounts_known(request: HttpRequest) -> dict[str, str]:
    try:
        cookie = request.COOKIES[settings.KNOWN_BROWSER_COOKIE_NAME]
        known = signing.loads(cookie, salt=SALT, max_age=COOKIE_SECONDS)
    except (KeyError, signing.BadSignature):
        return {}
    return known if isinstance(known, dict) else {}


def _digest(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()[:16]
