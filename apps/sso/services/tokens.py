"""The directory's tokens: one an organization, replaced with an overlap, ended at once."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor, ActorKind
from apps.accounts.permissions import ROLE_PERMISSIONS, Role
from apps.accounts.services import digest
from apps.core import events, tenancy
from apps.core.errors import NotFound
from apps.core.tenancy import Across, across_tenants
from apps.sso.models import DirectoryToken
from apps.sso.services.domains import MANAGE

PREFIX = "ms_"
# A directory is given its new token by hand: the one before works meanwhile.
OVERLAP = timedelta(hours=24)
LAST_USED_PRECISION = timedelta(minutes=1)


def _alive() -> Q:
    return Q(ends_at__isnull=True) | Q(ends_at__gt=timezone.now())


def create_token(actor: Actor) -> tuple[DirectoryToken, str]:
    """A new token with its secret, which is shown this once; those before it end after a day."""
    actor.require(MANAGE)
    secret = PREFIX + secrets.token_urlsafe(32)
    with tenancy.scope(actor.organization_id):
        replaced = DirectoryToken.objects.filter(ends_at__isnull=True).update(ends_at=timezone.now() + OVERLAP)
        token: DirectoryToken = DirectoryToken.objects.create(
            organization_id=actor.organization_id,
            prefix=secret[:10],
            digest=digest(secret),
            created_by_id=actor.user_id,
        )
        audit.record(actor, "directory.token_created", token, replaced=replaced)
        events.record("directory.token_created", token.pk, {"prefix": token.prefix})
    return token, secret


def end_token(actor: Actor, id: UUID) -> None:
    """Ends a token at once; the people whom it provisioned stay."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        token: DirectoryToken | None = DirectoryToken.objects.filter(_alive(), pk=id).first()
        if token is None:
            raise NotFound("There is no token with this id.")
        token.ends_at = timezone.now()
        token.save(update_fields=["ends_at"])
        audit.record(actor, "directory.token_ended", token)
        events.record("directory.token_ended", token.pk, {"prefix": token.prefix})


def tokens_of(actor: Actor) -> list[DirectoryToken]:
    """The tokens that work, newest first."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        return list(DirectoryToken.objects.filter(_alive()).order_by("-id"))


def find_directory(secret: str) -> Actor | None:
    """The directory with this token; None for unknown and ended ones alike.

    It may what an admin may, so that owners are out of its reach.
    """
    with across_tenants(Across.SIGN_IN):
        token: DirectoryToken | None = DirectoryToken.objects.filter(_alive(), digest=digest(secret)).first()
        if token is None:
            return None
        if token.last_used_at is None or token.last_used_at < timezone.now() - LAST_USED_PRECISION:
            DirectoryToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
    return Actor(
        organization_id=token.organization_id,
        permissions=ROLE_PERMISSIONS[Role.ADMIN],
        name=f"directory {token.prefix}…",
        kind=ActorKind.DIRECTORY,
    )
