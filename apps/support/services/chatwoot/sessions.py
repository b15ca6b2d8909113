"""Contacts' ways into inboxes, which Chatwoot calls contact inboxes, and conversations that a program begins there."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.support.access import READ, WRITE
from apps.support.models import Contact, ContactSession, Conversation, ConversationStatus, Inbox
from apps.support.services import contacts, conversations, inboxes
from apps.support.services.storing import by_actor
from apps.support.services.visitors import digest_of

NO_SOURCE = gettext_noop("No contact is known by this source_id.")
LONGEST_SOURCE, MOST_SESSIONS = 200, 50


@dataclass(frozen=True, slots=True)
class Way:
    """A contact's way into an inbox, and the `source_id` that it is known by."""

    session: ContactSession
    inbox: Inbox
    source_id: str


def connect(actor: Actor, contact_id: UUID, inbox_id: UUID, source_id: str = "") -> Way:
    """A way in for a contact. Without a `source_id` a secret is made, which opens their conversations over the public
    API; one of the caller's own may be guessed, and so only names the contact here.
    """
    actor.require(WRITE)
    actor.require_open()
    if len(source_id) > LONGEST_SOURCE:
        raise InvalidRequest("At most %(most)s characters.", values={"most": LONGEST_SOURCE}, param="source_id")
    with tenancy.scope(actor.organization_id):
        contact = contacts.find(contact_id, lock=True)
        inbox = open_inbox(inbox_id)
        secret = source_id or secrets.token_urlsafe(32)
        digest = _own_digest(inbox_id, source_id) if source_id else digest_of(secret)
        known: ContactSession | None = ContactSession.objects.filter(digest=digest).first()
        if known is not None and known.contact_id != contact.pk:
            raise Conflict("Another contact has this source_id.", param="source_id")
        if known is None:
            if ContactSession.objects.filter(contact=contact, ended_at=None).count() >= MOST_SESSIONS:
                raise Conflict("A contact has at most %(most)s ways in.", values={"most": MOST_SESSIONS})
            known = ContactSession.objects.create(
                organization_id=actor.organization_id, inbox=inbox, contact=contact, digest=digest
            )
            audit.record(actor, "support_contact.changed", contact, changed=["inboxes"], inbox=str(inbox.pk))
        return Way(known, inbox, secret)


def ways_of(rows: Sequence[Contact]) -> dict[UUID, list[Way]]:
    """Of several contacts, in scope: each inbox once, by the browser or program that was there last.

    What a browser holds is not kept here: the `source_id` that is told names it to the account alone.
    """
    found: dict[UUID, list[Way]] = {}
    sessions = ContactSession.objects.filter(contact__in=rows, ended_at=None).select_related("inbox")
    last = sessions.order_by("contact_id", "inbox_id", "-seen_at", "-id").distinct("contact_id", "inbox_id")
    for each in last:
        found.setdefault(each.contact_id, []).append(Way(each, each.inbox, str(each.pk)))
    return found


def contactable(actor: Actor, contact: Contact) -> list[Way]:
    """Where a contact can be written to: the inboxes that they have come in by, in scope."""
    actor.require(READ)
    return ways_of([contact]).get(contact.pk, [])


def session_by(source_id: str, inbox_id: UUID | None = None) -> ContactSession | None:
    """In scope, by a secret, by a program's own name for it, or by what `ways_of` has told."""
    rows = ContactSession.objects.filter(ended_at=None).select_related("inbox", "contact")
    found: ContactSession | None
    try:
        found = rows.filter(pk=UUID(source_id)).first()
    except ValueError:
        found = None
    found = found or rows.filter(digest=digest_of(source_id)).first()
    if found is None and inbox_id is not None:
        found = rows.filter(digest=_own_digest(inbox_id, source_id)).first()
    return found if found is None or inbox_id in (None, found.inbox_id) else None


def begin(
    actor: Actor,
    *,
    contact_id: UUID | None = None,
    inbox_id: UUID | None = None,
    source_id: str = "",
    status: str = "",
    subject: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> Conversation:
    """A conversation with a contact in an inbox, which a `source_id` names as well, in scope.

    It is seen in the browser that was there last, where there is one.
    """
    actor.require(WRITE)
    actor.require_open()
    session = session_by(source_id, inbox_id) if source_id else None
    if session is None and (contact_id is None or inbox_id is None):
        raise NotFound(NO_SOURCE)
    if session is not None and contact_id not in (None, session.contact_id):
        raise InvalidRequest(NO_SOURCE, param="source_id")
    contact = session.contact if session is not None else contacts.find(_named(contact_id))
    inbox = open_inbox(session.inbox_id if session is not None else _named(inbox_id))
    if session is None:
        mine = ContactSession.objects.filter(contact=contact, inbox=inbox, ended_at=None)
        session = mine.order_by("-seen_at", "-id").first()
    with_bot = status in ("", ConversationStatus.PENDING)
    by = by_actor(actor)
    return conversations.begin(
        inbox, contact, by, session=session, subject=subject, attributes=attributes, with_bot=with_bot
    )


def _named(id: UUID | None) -> UUID:
    if id is None:
        raise NotFound(NO_SOURCE)
    return id


def open_inbox(id: UUID) -> Inbox:
    """In scope; raises NotFound."""
    row: Inbox | None = Inbox.objects.filter(pk=id, archived_at=None).first()
    if row is None:
        raise NotFound(inboxes.NO_INBOX)
    return row


def _own_digest(inbox_id: UUID, source_id: str) -> str:
    """Unlike the digest of any secret, so that nothing a visitor shows is ever taken for it."""
    return "own:" + hashlib.sha256(f"{inbox_id}:{source_id}".encode()).hexdigest()[:60]
