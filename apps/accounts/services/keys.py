"""API keys: creating, rotating, revoking and admitting them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor, ActorKind, Credential
from apps.accounts.models import ApiKey, Membership, ServiceAccount
from apps.accounts.permissions import KEY_SCOPES, MEMBER_SCOPES
from apps.accounts.services.grants import require_at_most
from apps.accounts.services.security import maker_stays_away
from apps.core import events, revocation, tenancy
from apps.core.errors import (
    AddressNotAllowed,
    Conflict,
    InvalidApiKey,
    InvalidRequest,
    KeyExpired,
    NotFound,
    PermissionDenied,
    SsoRequired,
)
from apps.core.statements import Statement
from apps.core.tenancy import Across, across_tenants

KEY_PREFIX = "mr_"
NO_KEY = gettext_noop("There is no API key with this id.")
# Writing "last used" on every call would make the row a hot spot; a minute is precise enough.
LAST_USED_PRECISION = timedelta(minutes=1)
MOST_NETWORKS = 50
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """Until when and from where a key works, and whose it is: the maker's own unless a service account is named."""

    expires_at: datetime | None = None
    networks: Iterable[str] = field(default_factory=tuple)
    service_account_id: UUID | None = None


def create_api_key(
    actor: Actor, name: str, scopes: Iterable[str] = MEMBER_SCOPES, limits: KeyLimits | None = None
) -> tuple[ApiKey, str]:
    """Creates a key and returns it with its secret, which is shown this once and kept nowhere.

    It can do no more than its maker, and on each call no more than whoever it belongs to may do by then.
    """
    actor.require("keys:manage")
    actor.require_open()
    limits = limits or KeyLimits()
    name, wanted, networks = name.strip(), sorted(set(scopes)), parse_networks(limits.networks)
    if not 1 <= len(name) <= 80:
        raise InvalidRequest("Give the key a name of 1 to 80 characters.", param="name")
    if not wanted or not set(wanted) <= set(KEY_SCOPES):
        raise InvalidRequest(
            "Choose scopes from: %(choices)s.", values={"choices": ", ".join(KEY_SCOPES)}, param="scopes"
        )
    if limits.expires_at is not None and limits.expires_at <= timezone.now():
        raise InvalidRequest("A key must expire in the future.", param="expires_at")
    require_at_most(actor, frozenset(wanted), gettext_noop("A key cannot do more than whoever makes it."))
    with tenancy.scope(actor.organization_id):
        owner = _owner(actor, limits.service_account_id)
        key, secret = _create(
            actor,
            owner | {"name": name, "scopes": wanted, "allowed_networks": networks, "expires_at": limits.expires_at},
        )
        audit.record(actor, "api_key.created", key, name=name, scopes=wanted, **_limit_facts(key))
        events.record("api_key.created", key.pk, {"name": name, "prefix": key.prefix, "scopes": wanted})
    return key, secret


def rotate_api_key(actor: Actor, key_id: UUID, overlap: timedelta = timedelta(0)) -> tuple[ApiKey, str]:
    """Makes a new key like an old one, which works for `overlap` longer; returns the new one and its secret.

    A member's own key is rotated by that member only: its secret acts for them.
    """
    actor.require("keys:manage")
    actor.require_open()
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidRequest(
            "The old key can stay valid for 0 to %(days)s days.", values={"days": LONGEST_OVERLAP.days}, param="overlap"
        )
    with tenancy.scope(actor.organization_id):
        old = _locked_key(key_id)
        _require_rotatable(actor, old)
        now = timezone.now()
        lifetime = old.expires_at - old.created_at if old.expires_at else None
        key, secret = _create(
            actor,
            {
                "name": old.name,
                "scopes": old.scopes,
                "allowed_networks": old.allowed_networks,
                "member_id": old.member_id,
                "service_account_id": old.service_account_id,
                "expires_at": now + lifetime if lifetime else None,
                "replaces": old,
            },
        )
        old.expires_at = min(now + overlap, old.expires_at or now + overlap)
        old.save(update_fields=["expires_at"])
        until = old.expires_at.isoformat(timespec="seconds")
        audit.record(actor, "api_key.rotated", key, old=str(old), until=until)
        events.record("api_key.rotated", key.pk, {"name": key.name, "prefix": key.prefix, "replaces": str(old.pk)})
        revocation.announce(actor.organization_id, old.pk)
    return key, secret


def revoke_api_key(actor: Actor, key_id: UUID) -> ApiKey:
    """Ends a key at once; revoking it again changes nothing."""
    actor.require("keys:manage")
    with tenancy.scope(actor.organization_id):
        key = _locked_key(key_id)
        if key.revoked_at is None:
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
            audit.record(actor, "api_key.revoked", key, name=key.name)
            events.record("api_key.revoked", key.pk, {"name": key.name, "prefix": key.prefix})
            revocation.announce(actor.organization_id, key.pk)
    return key


def revoke_keys_of(member: Membership) -> int:
    """Ends every key of somebody who leaves, and says how many; the caller is in the organization's scope."""
    ended: int = ApiKey.objects.unrevoked().filter(member=member).update(revoked_at=timezone.now())
    return ended


def get_api_key(actor: Actor, key_id: UUID) -> ApiKey:
    """One key of the organization, also a revoked one."""
    actor.require("keys:manage")
    with tenancy.scope(actor.organization_id):
        key: ApiKey | None = ApiKey.objects.for_pages().filter(pk=key_id).first()
    if key is None:
        raise NotFound(NO_KEY)
    return key


def parse_networks(given: Iterable[str]) -> list[str]:
    """Addresses and networks in CIDR notation, in their usual form; InvalidRequest names what is none."""
    found = dict[str, None]()
    for text in given:
        try:
            found[str(ip_network(text.strip(), strict=False))] = None
        except ValueError:
            raise InvalidRequest(
                "“%(text)s” is no address and no network such as 203.0.113.0/24 or 2001:db8::/32.",
                values={"text": text[:60]},
                param="allowed_networks",
            ) from None
    if len(found) > MOST_NETWORKS:
        raise InvalidRequest(
            "A key has at most %(most)s networks.", values={"most": MOST_NETWORKS}, param="allowed_networks"
        )
    return list(found)


# ---------------------------------------------------------------- admitting


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def admissible() -> Any:
    """Keys with all that `refuse` and `actor_of_key` look at."""
    return ApiKey.objects.usable().with_owner().annotate(maker_stays_away=maker_stays_away())


# Asked with every call of a program: put together anew it takes longer than all else that a call does before its work.
_BY_DIGEST: Statement[ApiKey] = Statement(lambda wanted: admissible().filter(digest=wanted))


def find_api_key(secret: str) -> ApiKey | None:
    """The key with this secret; None for unknown and revoked keys alike, and where nobody is behind it any more."""
    with across_tenants(Across.SIGN_IN):
        return next(iter(_BY_DIGEST.ask(digest(secret))), None)


def admit_api_key(secret: str, address: str) -> ApiKey:
    """The key that a call from this address may use, its use noted; raises what `refuse` does, and InvalidApiKey."""
    key = find_api_key(secret)
    if key is None:
        raise InvalidApiKey("This API key is not valid: it is mistyped or has been revoked.")
    refuse(key, address)
    note_use(key, address)
    return key


def refuse(key: ApiKey, address: str) -> None:
    """Raises KeyExpired, AddressNotAllowed or SsoRequired where the key does not work now, or from there."""
    if key.is_expired(timezone.now()):
        raise KeyExpired("This API key has expired: make a new one, or rotate keys before they expire.")
    if not key.may_come_from(address):
        raise AddressNotAllowed("This API key may not be used from your address.")
    if key.member_id is not None and key.maker_stays_away:  # type: ignore[attr-defined]  # annotated by the query
        raise SsoRequired("Whoever made this key must sign in through single sign-on again.")


def actor_of_key(key: ApiKey, address: str = "") -> Actor:
    is_program = key.service_account_id is not None
    owner_id = key.member.user_id if key.member else None
    return Actor(
        organization_id=key.organization_id,
        permissions=key.permissions,
        api_key_id=key.pk,
        name=key.owner_name if is_program else key.name,
        kind=ActorKind.SERVICE_ACCOUNT if is_program else ActorKind.API_KEY,
        closing=key.organization.deletes_at is not None,
        credential=Credential(key.organization_id, owner_id=owner_id, api_key_id=key.pk, address=address),
    )


def note_use(key: ApiKey, address: str) -> None:
    """When and from where the key was used last."""
    before = timezone.now() - LAST_USED_PRECISION
    if key.last_used_at is None or key.last_used_at < before:
        with tenancy.scope(key.organization_id):
            stale = ApiKey.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=before), pk=key.pk)
            stale.update(last_used_at=timezone.now(), last_used_address=address or None)


# ---------------------------------------------------------------- parts


def _owner(actor: Actor, service_account_id: UUID | None) -> dict[str, Any]:
    """The columns that say whose key it will be."""
    if service_account_id is None:
        # Staff who act as a person leave no key of that person's behind.
        own = None if actor.impersonator_id else Membership.objects.filter(user_id=actor.user_id).first()
        if own is None:
            raise PermissionDenied("Only a member can have a key of their own.")
        return {"member": own}
    account = ServiceAccount.objects.filter(pk=service_account_id).first()
    if account is None:
        raise NotFound("There is no service account with this id.", param="service_account")
    if account.disabled_at is not None:
        raise Conflict("This service account is switched off.", param="service_account")
    return {"service_account": account}


def _create(actor: Actor, columns: dict[str, Any]) -> tuple[ApiKey, str]:
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        organization_id=actor.organization_id,
        prefix=secret[:10],
        digest=digest(secret),
        created_by_id=actor.user_id,
        **columns,
    )
    return ApiKey.objects.for_pages().get(pk=key.pk), secret


def _locked_key(key_id: UUID) -> ApiKey:
    rows = ApiKey.objects.with_owner().select_for_update(of=("self",))
    key: ApiKey | None = rows.filter(pk=key_id).first()
    if key is None:
        raise NotFound(NO_KEY)
    return key


def _require_rotatable(actor: Actor, key: ApiKey) -> None:
    if key.revoked_at is not None or key.is_expired(timezone.now()):
        raise Conflict("This key has ended: make a new one.")
    if ApiKey.objects.filter(replaces=key).exists():
        raise Conflict("This key has been rotated already.")
    if key.service_account_id is None and (key.member is None or key.member.user_id != actor.user_id):
        raise PermissionDenied("A member's own key can be rotated by that member only; revoke it instead.")
    if actor.impersonator_id is not None and key.service_account_id is None:
        raise PermissionDenied("Only the member can do this.")
    require_at_most(actor, frozenset(key.scopes), gettext_noop("You cannot rotate a key that may do more than you."))


def _limit_facts(key: ApiKey) -> dict[str, Any]:
    """What the audit trail says of a key beside its scopes."""
    return {
        "owner": key.owner_name,
        "expires_at": key.expires_at.isoformat(timespec="seconds") if key.expires_at else None,
        "networks": key.allowed_networks,
    }
