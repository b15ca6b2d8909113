"""DNS: whether whoever claims a domain can write into it."""

from __future__ import annotations

import dns.exception
import dns.resolver

from apps.core.errors import OutboundFailed

LABEL = "_millrace-verification"
LIFETIME_SECONDS = 6.0


def resolver() -> dns.resolver.Resolver:
    """The system's own resolver; no cache, so that a record that has just been written is seen."""
    found = dns.resolver.Resolver()
    found.lifetime = LIFETIME_SECONDS
    found.cache = None
    return found


def texts_at(name: str) -> list[str]:
    """The TXT records at a name, none when it does not exist; OutboundFailed when the name servers do not answer."""
    try:
        answer = resolver().resolve(f"{name}.", "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise OutboundFailed("The domain's name servers do not answer; try again.") from error
    return [b"".join(record.strings).decode("utf-8", "replace").strip() for record in answer]


def record_name(domain: str) -> str:
    return f"{LABEL}.{domain}"


def record_value(token: str) -> str:
    return f"millrace-verification={token}"


def proves(domain: str, token: str) -> bool:
    """Whether the domain has the record that only its owner can have put there."""
    return record_value(token) in texts_at(record_name(domain))
