"""API keys: creating, revoking and finding them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import ApiKey
from apps.accounts.permissions import KEY_SCOPES
from apps.accounts.services.security import maker_stays_away
from apps.core import events, tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.core.tenancy import Across, across_tenants

KEY_PREFIX = "mr_"
# Writing "last used" on every call would make the row a hot spot; a minute is precise enough.
LAST_USED_PRECISION = timedelta(minutes=1)


def create_api_key(actor: Actor, name: str, scopes: Iterable[str] = KEY_SCOPES) -> tuple[ApiKey, str]:
    """Creates a key and returns it with its secret, which is shown this once and kept nowhere."""
    actor.require("keys:manage")
    actor.require_open()
    name, wanted = name.strip(), sorted(set(scopes))
    if not 1 <= len(name) <= 80:
        raise InvalidRequest("Give the key a name of 1 to 80 characters.", param="name")
    if not wanted or not set(wanted) <= set(KEY_SCOPES):
        raise InvalidRequest(f"Choose scopes from: {', '.join(KEY_SCOPES)}.", param="scopes")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    with tenancy.scope(actor.organization_id):
        key = ApiKey.objects.create(
            organization_id=actor.organization_id,
            name=name,
            prefix=secret[:10],
            digest=digest(secret),
            scopes=wanted,
            created_by_id=actor.user_id,
        )
        key.refresh_from_db()
        audit.record(actor, "api_key.created", key, name=name, scopes=wanted)
        events.record("api_key.created", key.pk, {"name": name, "prefix": key.prefix, "scopes": wanted})
    return key, secret


def revoke_api_key(actor: Actor, key_id: UUID) -> ApiKey:
    """Ends a key at once; revoking it again changes nothing."""
    actor.require("keys:manage")
    with tenancy.scope(actor.organization_id):
        key: ApiKey | None = ApiKey.objects.select_for_update().filter(pk=key_id).first()
        if key is None:
            raise NotFound("There is no API key with this id.")
        if key.revoked_at is None:
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
            audit.record(actor, "api_key.revoked", key, name=key.name)
            events.record("api_key.revoked", key.pk, {"name": key.name, "prefix": key.prefix})
    return key


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def find_api_key(secret: str) -> ApiKey | None:
    """The usable key with this secret, noting its use; None for unknown and revoked keys alike."""
    with across_tenants(Across.SIGN_IN):
        usable = ApiKey.objects.usable().select_related("organization").annotate(maker_stays_away=maker_stays_away())
        key: ApiKey | None = usable.filter(digest=digest(secret)).first()
        if key is None:
            return None
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=timezone.now() - LAST_USED_PRECISION)
        if key.last_used_at is None or key.last_used_at < timezone.now() - LAST_USED_PRECISION:
            ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=timezone.now())
    return key


def actor_of_key(key: ApiKey) -> Actor:
    return Actor(
        organization_id=key.organization_id,
        permissions=frozenset(key.scopes) & frozenset(KEY_SCOPES),
        api_key_id=key.pk,
        name=key.name,
        kind=ActorKind.API_KEY,
        closing=key.organization.deletes_at is not None,
    )
