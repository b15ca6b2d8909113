"""The consent of a mailbox's user, asked for at the provider: authorization code with PKCE (RFC 6749, RFC 7636).

What was typed waits sealed while the browser is away, and is saved with the refresh token that comes back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import outbound, roundtrips
from apps.core.crypto import Place, seal, unseal
from apps.core.errors import InvalidRequest, SealedValueUnreadable
from apps.core.ids import uuid7
from apps.support.access import MANAGE
from apps.support.errors_mail import MailTokenRefused
from apps.support.mail import oauth, providers
from apps.support.models import MailAccount
from apps.support.services.mail import access, accounts

# For how long an answer is taken, and for how long what was typed waits: longer, so that a late answer loses nothing.
SECONDS, DRAFT_SECONDS = 600, 3600
NOT_BEGUN = gettext_noop(
    "This sign-in was not begun in this browser, or has come back already. Nothing was changed: press the button again."
)
TOO_LATE = gettext_noop("This sign-in took longer than ten minutes. Nothing was changed: press the button again.")
DENIED = gettext_noop(
    "The consent was not given. Press the button again, sign in as the mailbox's user, and allow what is asked for."
)
# Stands for the refresh token that is still to come.
_TO_COME = "to come"


def redirect_uri() -> str:
    """The one address that providers are told, whatever the inbox; never by the request's Host header."""
    return f"{settings.BASE_URL}{reverse('desk-mail-consented')}"


def begin(actor: Actor, inbox_id: UUID, provider: str, place: str, values: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Checks what was typed and keeps it: where the browser goes, the `state`, and what the session notes of it.

    `place` is the authorization address of a provider that is not known.
    """
    actor.require(MANAGE)
    actor.require_open()
    row = accounts.prepared(actor, inbox_id, {**values, "oauth_refresh_token": _TO_COME})
    if provider in providers.PROVIDERS:
        place = providers.authorize_url(provider, row.oauth_token_url)
    _check_place(place)
    draft, verifier = uuid7(), roundtrips.new_verifier()
    keep(actor, inbox_id, draft, {**values, "oauth_authorize_url": place if provider == providers.OWN else ""})
    # The inbox in front says where an answer that nobody knows is told of.
    state = f"{inbox_id.hex}.{roundtrips.new_state()}"
    url = providers.leaving_url(
        place, client_id=row.oauth_client_id, scope=row.oauth_scope, state=state, verifier=verifier,
        redirect_uri=redirect_uri(), hint=row.imap_user, provider=provider,
    )  # fmt: skip
    noted = {"draft": str(draft), "verifier": verifier, "host": urlsplit(place).hostname or "", "at": time.time()}
    return url, state, _facts(actor, inbox_id) | noted


def inbox_of(state: str) -> UUID | None:
    try:
        return UUID(hex=state.partition(".")[0])
    except ValueError:
        return None


def finish(actor: Actor, inbox_id: UUID, facts: dict[str, Any] | None, answer: Mapping[str, str]) -> MailAccount:
    """Takes the provider's answer, whose `facts` the session has noted, and saves what was typed with it.

    Raises MailError or what setting up raises, each with words that say what to do.
    """
    actor.require(MANAGE)
    if facts is None or any(facts[name] != value for name, value in _facts(actor, inbox_id).items()):
        raise MailTokenRefused(NOT_BEGUN)
    # Of two who bring the same answer at once, both of whose sessions still know it, one is let through.
    if not cache.add(f"support:mail-consent:{facts['draft']}", 1, DRAFT_SECONDS):
        raise MailTokenRefused(NOT_BEGUN)
    values = draft_of(actor, inbox_id, UUID(facts["draft"]))
    if values is None or not roundtrips.is_fresh(facts, SECONDS):
        raise MailTokenRefused(TOO_LATE)
    if not providers.may_answer(str(facts["host"]), answer.get("iss", "")):
        raise MailTokenRefused(NOT_BEGUN)
    if error := answer.get("error"):
        raise MailTokenRefused(DENIED) if error == "access_denied" else oauth.refusal(error)
    values.pop("oauth_authorize_url", None)
    row = accounts.prepared(actor, inbox_id, {**values, "oauth_refresh_token": _TO_COME}, is_try=False)
    granted = oauth.redeemed(access.consent_of(row, ""), answer.get("code", ""), str(facts["verifier"]), redirect_uri())
    saved = accounts.set_up(actor, inbox_id, {**values, "oauth_refresh_token": granted.refresh_token})
    cache.delete(_key(_place(actor, inbox_id, UUID(facts["draft"]))))
    return saved


# ---------------------------------------------------------------- what was typed, while the browser is away
def keep(actor: Actor, inbox_id: UUID, draft: UUID, values: Mapping[str, Any]) -> None:
    place = _place(actor, inbox_id, draft)
    cache.set(_key(place), seal(json.dumps(dict(values)), place), DRAFT_SECONDS)


def draft_of(actor: Actor, inbox_id: UUID, draft: UUID) -> dict[str, Any] | None:
    """What this person has typed for this inbox; None for anybody else's, and where it is gone."""
    actor.require(MANAGE)
    place = _place(actor, inbox_id, draft)
    envelope = cache.get(_key(place))
    try:
        return dict(json.loads(unseal(envelope, place))) if envelope else None
    except SealedValueUnreadable:
        return None


def _place(actor: Actor, inbox_id: UUID, draft: UUID) -> Place:
    row = f"{actor.user_id}:{inbox_id}:{draft}"
    return Place(actor.organization_id, "support_mailaccount", "draft", row)


def _key(place: Place) -> str:
    return f"support:mail-draft:{place.organization}:{place.row}"


def _facts(actor: Actor, inbox_id: UUID) -> dict[str, str]:
    """For whom, and for what, a sign-in is."""
    return {"organization": str(actor.organization_id), "user": str(actor.user_id), "inbox": str(inbox_id)}


def _check_place(place: str) -> None:
    if not place:
        raise InvalidRequest("This is needed.", param="oauth_authorize_url")
    outbound.target_of(place, param="oauth_authorize_url")
