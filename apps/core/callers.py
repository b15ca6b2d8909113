"""Where a request comes from: the caller's address, through as many proxies as the operator trusts."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

LONGEST_AGENT = 300


def address_of(meta: Mapping[str, str]) -> str:
    """The caller's address in its usual form, empty when there is none (a UNIX socket).

    `meta` is WSGI's, or ASGI's headers in the same names. A header counts only where `TRUST_PROXY` says that a proxy of
    ours wrote it: the last entry is that proxy's own, anything before it is whatever the caller claims.
    """
    found = meta.get("REMOTE_ADDR", "")
    if settings.TRUST_PROXY and (forwarded := meta.get("HTTP_X_FORWARDED_FOR", "")):
        found = forwarded.rpartition(",")[2]
    try:
        address = ipaddress.ip_address(found.strip().strip("[]"))
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def networks(words: list[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks that a setting names, in CIDR or as single addresses; ImproperlyConfigured for anything else."""
    try:
        return [ipaddress.ip_network(word) for word in words]
    except ValueError as error:
        raise ImproperlyConfigured(f"This is no network in CIDR: {error}") from error


def agent_of(meta: Mapping[str, str]) -> str:
    """What the caller's program calls itself, cut to a length that can be stored."""
    return meta.get("HTTP_USER_AGENT", "").replace("\0", "")[:LONGEST_AGENT]
