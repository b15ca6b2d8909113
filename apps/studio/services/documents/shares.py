"""Links by which anybody may read a document, and nothing else: with an end, revocable, with a password if wanted."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, ratelimit, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.ratelimit import Bucket
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import Document, DocumentShare
from apps.studio.services.documents.reading import READ, WRITE, locked

NO_SHARE = gettext_noop("There is no link with this id.")
NOT_SHARED = gettext_noop("This link has expired or was revoked, or there never was one.")
LONGEST_DAYS, MOST_OPEN = 365, 20
SHORTEST_PASSWORD, LONGEST_PASSWORD = 6, 128
# Of one link, whoever guesses: a password of six characters then takes centuries.
GUESSES_PER_MINUTE = 10


def share(actor: Actor, id: UUID, days: int, password: str = "") -> tuple[DocumentShare, str]:
    """A new link and its secret, which is shown once."""
    actor.require(WRITE)
    actor.require_open()
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidRequest("A link lasts 1 to %(most)s days.", values={"most": LONGEST_DAYS}, param="days")
    if password and not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidRequest(
            "A password has %(least)s to %(most)s characters.",
            values={"least": SHORTEST_PASSWORD, "most": LONGEST_PASSWORD},
            param="password",
        )
    secret = secrets.token_urlsafe(32)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        if document.shares.filter(revoked_at=None, expires_at__gt=Now()).count() >= MOST_OPEN:
            raise Conflict("A document has at most %(most)s links.", values={"most": MOST_OPEN})
        made: DocumentShare = DocumentShare.objects.create(
            organization_id=actor.organization_id,
            document=document,
            token_hash=digest_of(secret),
            hint=secret[-4:],
            password=make_password(password) if password else "",
            expires_at=timezone.now() + timedelta(days=days),
            created_by_id=actor.user_id,
        )
        until = made.expires_at.date().isoformat()
        _record(actor, "share.created", made, document, until=until, with_password="yes" if password else "no")
    return made, secret


def revoke(actor: Actor, id: UUID, share_id: UUID) -> None:
    """Ends a link at once."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        found: DocumentShare | None = document.shares.filter(pk=share_id).first()
        if found is None:
            raise NotFound(NO_SHARE)
        if found.revoked_at is None:
            DocumentShare.objects.filter(pk=found.pk).update(revoked_at=Now())
            _record(actor, "share.revoked", found, document)


def shares(actor: Actor, document: Document) -> list[DocumentShare]:
    """The links that work now, newest first."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return open_shares(document)


def open_shares(document: Document) -> list[DocumentShare]:
    """The same in scope."""
    rows = DocumentShare.objects.filter(document=document, revoked_at=None, expires_at__gt=Now())
    return list(rows.order_by("-id"))


def opened(secret: str) -> DocumentShare:
    """The link that a secret opens, with its document; unknown, expired and revoked all raise the same NotFound."""
    with across_tenants(Across.SHARED):
        rows = DocumentShare.objects.filter(
            token_hash=digest_of(secret), revoked_at=None, expires_at__gt=Now(), document__deleted_at=None
        )
        found: DocumentShare | None = rows.select_related("document").first()
    if found is None:
        raise NotFound(NOT_SHARED)
    return found


def count_opening(found: DocumentShare) -> None:
    with tenancy.scope(found.organization_id):
        DocumentShare.objects.filter(pk=found.pk).update(opened=F("opened") + 1)


def is_password(found: DocumentShare, password: str) -> bool:
    """Whether it is the link's password; raises RateLimitExceeded for whoever guesses."""
    ratelimit.charge(f"share:{found.pk}", [Bucket("requests", GUESSES_PER_MINUTE, 1)])
    return check_password(password[:LONGEST_PASSWORD], found.password)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(actor: Actor, action: str, row: DocumentShare, document: Document, **detail: Any) -> None:
    audit.record(actor, action, row, title=document.title, **detail)
    events.record(action, row.pk, {"document": str(document.pk)})
