"""What a socket of Chatwoot's kind is opened with: `pubsub_token`, which reads what happens and opens nothing else.

Nothing of it is kept. A token names the browser, key or session that it was told to, under a signature of this
installation: when that ends, the token does, and a new one has another.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.accounts.access import Actor
from apps.accounts.services.keys import actor_of_key, admissible, note_use, refuse
from apps.accounts.sessions import session_handle
from apps.core import ratelimit, tenancy
from apps.core.errors import InvalidApiKey
from apps.core.ratelimit import Bucket
from apps.core.tenancy import Across, across_tenants
from apps.support.errors import VisitorUnknown
from apps.support.models import ContactSession
from apps.support.services.visitors import UNKNOWN

SALT = "apps.support.chatwoot.pubsub"
BROWSER, KEY, SESSION = "c", "k", "s"
LONGEST = 200
# With one token, however often its line breaks, and however many there are: subscriptions, and that one is there.
TIMES_A_MINUTE, PRESENCES_A_MINUTE = 60, 60


@dataclass(frozen=True, slots=True)
class Named:
    """What a token names: `id` is that of a contact's browser or of a key, or the handle of a member's session."""

    kind: str
    organization_id: UUID
    id: UUID


def token_of(named: Named, key: str | bytes | None = None) -> str:
    place = named.organization_id.bytes + named.id.bytes
    signed = salted_hmac(SALT, named.kind.encode() + place, secret=key or settings.SECRET_KEY, algorithm="sha256")
    return f"{named.kind}.{_text(place)}.{_text(signed.digest())}"


def token_of_browser(session: ContactSession) -> str:
    return token_of(Named(BROWSER, session.organization_id, session.pk))


def token_of_actor(actor: Actor) -> str:
    """Of whoever calls; it ends with the key or the session. Empty for one who was admitted by neither."""
    credential = actor.credential
    if credential is None:
        return ""
    if credential.api_key_id is not None:
        return token_of(Named(KEY, actor.organization_id, credential.api_key_id))
    return token_of(Named(SESSION, actor.organization_id, UUID(hex=session_handle(credential.session_key))))


def read(token: str) -> Named | None:
    """What a token names, if it is one of this installation's."""
    if len(token) > LONGEST:
        return None
    kind, _, rest = token.partition(".")
    try:
        # What is no text, as half a character, is none of ours.
        token.encode()
        place = base64.urlsafe_b64decode(rest.partition(".")[0] + "=")
        named = Named(kind, UUID(bytes=place[:16]), UUID(bytes=place[16:]))
    except (binascii.Error, ValueError):
        return None
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return named if any(constant_time_compare(token_of(named, key), token) for key in keys) else None


def admit_browser(named: Named) -> ContactSession:
    """The browser with its contact and inbox; raises VisitorUnknown once it was signed out, or its inbox is closed."""
    _charge(named)
    with tenancy.scope(named.organization_id):
        rows = ContactSession.objects.select_related("contact", "inbox")
        row: ContactSession | None = rows.filter(pk=named.id, ended_at=None, inbox__archived_at=None).first()
    if row is None:
        raise VisitorUnknown(UNKNOWN)
    return row


def admit_key(named: Named, address: str) -> Actor:
    """The program whose key was told the token, from an address that the key allows; raises what the key itself would.

    Permissions are those of this moment.
    """
    _charge(named)
    with across_tenants(Across.SIGN_IN):
        key = admissible().filter(pk=named.id, organization_id=named.organization_id).first()
        if key is None:
            raise InvalidApiKey("This API key is not valid: it is mistyped or has been revoked.")
        refuse(key, address)
    note_use(key, address)
    return actor_of_key(key, address)


def is_of_session(named: Named, actor: Actor) -> bool:
    """Whether the token was told to the session that a socket was opened with."""
    _charge(named)
    credential = actor.credential
    if credential is None or not credential.session_key:
        return False
    return named == Named(SESSION, actor.organization_id, UUID(hex=session_handle(credential.session_key)))


def charge_presence(named: Named) -> None:
    """Whoever is there says so a few times a minute; raises RateLimitExceeded for more than that."""
    ratelimit.charge(f"support:cable:{named.id}", [Bucket("presences", PRESENCES_A_MINUTE, 1)])


def _charge(named: Named) -> None:
    ratelimit.charge(f"support:cable:{named.id}", [Bucket("requests", TIMES_A_MINUTE, 1)])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
