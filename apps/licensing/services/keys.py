"""Who comes with a licence key: a licensee's program, which may do what the key's licence lets it, and no more."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from uuid import UUID

import ml.licensing as files
from apps.accounts.access import Actor, ActorKind
from apps.core import ratelimit
from apps.core.ratelimit import Bucket
from apps.core.tenancy import Across, across_tenants
from apps.licensing.errors import InvalidLicenceKey
from apps.licensing.models import Licence

# A heartbeat a minute for each of a thousand seats, and some.
CALLS_A_MINUTE = 1_200
# Of one address with keys that are wrong; 256 random bits are not guessed, but they need not be looked up either.
WRONG_KEYS_A_MINUTE = 30
WRONG = "This licence key is not valid: it is mistyped or has been replaced."


@dataclass(frozen=True, slots=True)
class Admitted:
    """The licence that a key belongs to, and the licensee as an actor in the vendor's organization."""

    licence_id: UUID
    actor: Actor


def admit(key: str, address: str) -> Admitted:
    """Raises InvalidLicenceKey for unknown and replaced keys alike, and RateLimitExceeded."""
    try:
        licence_id = UUID(files.licence_of(key))
    except files.InvalidLicenceKey:
        _count_wrong(address)
        raise InvalidLicenceKey(WRONG) from None
    with across_tenants(Across.LICENCES):
        licence: Licence | None = Licence.objects.filter(pk=licence_id).first()
    if licence is None or not hmac.compare_digest(bytes(licence.key_digest), files.key_digest(key)):
        _count_wrong(address)
        raise InvalidLicenceKey(WRONG)
    ratelimit.charge(f"licence:{licence.pk}", [Bucket("requests", CALLS_A_MINUTE, 1)])
    name = f"{licence.licensee} (licence key {licence.key_hint})"
    return Admitted(licence.pk, Actor(licence.organization_id, frozenset(), name=name, kind=ActorKind.API_KEY))


def _count_wrong(address: str) -> None:
    ratelimit.charge(f"licence-keys:{address}", [Bucket("requests", WRONG_KEYS_A_MINUTE, 1)])
