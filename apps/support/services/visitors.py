"""Contacts themselves at the door: known by what their browser holds, and by what the customer's server has signed.

Without a signature nobody is given somebody else's history, whatever they say they are called.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.core import ratelimit, tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import InvalidRequest, RateLimitExceeded
from apps.core.ratelimit import Bucket
from apps.core.statements import Statement
from apps.core.tenancy import Across, across_tenants
from apps.support.errors import IdentityRefused, VisitorUnknown
from apps.support.models import AttributeOf, Contact, ContactSession, Conversation, Inbox, InboxKind
from apps.support.services import attributes, contacts, hints
from apps.support.services.files import Upload
from apps.support.services.inboxes import by_token

# Of one address, and of one browser.
NEW_A_MINUTE, CALLS_A_MINUTE, MESSAGES_A_MINUTE = 30, 240, 40
FILE_BYTES_A_MINUTE, FILE_BYTES_OF_ALL = 50_000_000, 500_000_000
# Of an inbox, and of an organization with all its inboxes: the disk is shared.
FILE_BYTES_A_DAY, DAY_SECONDS = 2_000_000_000, 86_400
LONGEST_JWT_SECONDS = 86_400
NOTED_EVERY = timedelta(seconds=30)
# Conversations whose open pages are told that somebody has signed out.
MOST_OPEN = 20
UNKNOWN = gettext_noop("This browser is not known here any more.")
PROFILE = ("name", "email", "phone", "language", "attributes")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A contact in one browser, at one inbox."""

    organization_id: UUID
    inbox: Inbox
    session: ContactSession
    contact: Contact


@dataclass(frozen=True, slots=True)
class Proof:
    """Who the visitor says they are, and what is to prove it: a hash of the identifier, or a token that expires."""

    identifier: str = ""
    identifier_hash: str = ""
    token: str = ""


def arrive(
    inbox_token: str, address: str, profile: Mapping[str, Any], proof: Proof | None = None
) -> tuple[Visitor, str]:
    """A new browser, and the secret that it is known by from now on."""
    inbox = by_token(inbox_token)
    ratelimit.charge(f"support:new:{inbox.pk}:{address}", [Bucket("requests", NEW_A_MINUTE, 1)])
    secret = secrets.token_urlsafe(32)
    with tenancy.scope(inbox.organization_id):
        verified = _verified(inbox, proof or Proof())
        contact = _known_by(verified) if verified else None
        if contact is None:
            contact = Contact(organization_id=inbox.organization_id, identifier=verified)
            contact.verified_at = timezone.now() if verified else None
            contacts.fill(contact, _profile(profile))
            contacts.save(contact)
            contacts.created(contact)
        elif profile:
            _update(contact, profile)
        session = ContactSession.objects.create(
            organization_id=inbox.organization_id,
            inbox=inbox,
            contact=contact,
            digest=digest_of(secret),
            verified=bool(verified),
        )
    return Visitor(inbox.organization_id, inbox, session, contact), secret


def admit(inbox_token: str, secret: str) -> Visitor:
    """Whoever holds a secret of this inbox; raises VisitorUnknown once it was signed out."""
    digest = digest_of(secret)
    ratelimit.charge(f"support:visitor:{digest[:32]}", [Bucket("requests", CALLS_A_MINUTE, 1)])
    with across_tenants(Across.SIGN_IN):
        session = next((each for each in _BY_DIGEST.ask(digest) if each.inbox.token == inbox_token), None)
    if session is None:
        # Either there is no such inbox, or it does not know this browser.
        by_token(inbox_token)
        raise VisitorUnknown(UNKNOWN)
    _note_seen(session)
    return Visitor(session.organization_id, session.inbox, session, session.contact)


# Asked with every call of a browser.
_BY_DIGEST: Statement[ContactSession] = Statement(
    lambda digest: ContactSession.objects.filter(digest=digest, ended_at=None, inbox__archived_at=None).select_related(
        "inbox", "contact"
    )
)


def _note_seen(session: ContactSession) -> None:
    now = timezone.now()
    if session.contact.last_seen_at is not None and session.contact.last_seen_at >= now - NOTED_EVERY:
        return
    with tenancy.scope(session.organization_id):
        ContactSession.objects.filter(pk=session.pk).update(seen_at=now)
        Contact.objects.filter(pk=session.contact_id).update(last_seen_at=now)
    session.contact.last_seen_at = now


def identify(visitor: Visitor, proof: Proof, profile: Mapping[str, Any]) -> Visitor:
    """The visitor has signed in at the customer's: with proof they are that person, and have that person's history.

    What this browser has written before is that person's too, unless it was somebody else's who was proved as well.
    Raises VisitorUnknown for another name than the browser's, without proof.
    """
    with tenancy.scope(visitor.organization_id):
        session: ContactSession = ContactSession.objects.select_for_update().get(pk=visitor.session.pk)
        before = contacts.find(session.contact_id, lock=True)
        verified = _verified(visitor.inbox, proof)
        if not verified:
            if proof.identifier and before.identifier and proof.identifier != before.identifier:
                # Somebody else at the same computer: they come in by themselves.
                raise VisitorUnknown(UNKNOWN)
            _update(before, profile)
            return Visitor(visitor.organization_id, visitor.inbox, session, before)
        contact = _known_by(verified)
        takes_over = not before.identifier and not _has_written_mails(before)
        if contact is None and takes_over:
            before.identifier, contact = verified, before
        elif contact is None:
            contact = Contact(organization_id=visitor.organization_id, identifier=verified)
        contact.verified_at = timezone.now()
        contacts.save(contact)
        session.contact, session.verified = contact, True
        session.save(update_fields=["contact", "verified"])
        if before.pk != contact.pk and takes_over:
            contacts.absorb(before, contact)
        _update(contact, profile)
        return Visitor(visitor.organization_id, visitor.inbox, session, contact)


def _has_written_mails(contact: Contact) -> bool:
    """A browser proves who sits before it, not who has written the mails of the contact it was merged into."""
    return bool(Conversation.objects.filter(contact=contact, inbox__kind=InboxKind.EMAIL).exists())


def sign_out(visitor: Visitor) -> None:
    """The next person at this computer finds nothing."""
    with tenancy.scope(visitor.organization_id):
        ContactSession.objects.filter(pk=visitor.session.pk).update(ended_at=timezone.now())
        mine = Conversation.objects.filter(contact=visitor.contact, inbox=visitor.inbox)
        for id in mine.order_by("-active_at").values_list("pk", flat=True)[:MOST_OPEN]:
            hints.hint_signed_out(visitor.organization_id, id)
        hints.hint_signed_out_everywhere(visitor.organization_id)


def charge_message(visitor: Visitor) -> None:
    """What one browser may send in a minute."""
    ratelimit.charge(f"support:message:{visitor.session.pk}", [Bucket("requests", MESSAGES_A_MINUTE, 1)])


def charge_files(visitor: Visitor, files: Sequence[Upload]) -> None:
    """What one browser may send in files in a minute, and all of an inbox and of an organization together.

    All or none is charged, so that what an inbox refuses takes nothing from the others.
    """
    size = sum(len(each.data) for each in files)
    if not size:
        return
    charged: list[tuple[str, Bucket]] = []
    try:
        for owner, bucket in _file_buckets(visitor, size):
            ratelimit.charge(owner, [bucket])
            charged.append((owner, bucket))
    except RateLimitExceeded:
        for owner, bucket in charged:
            ratelimit.charge(owner, [replace(bucket, cost=-size)])
        raise


def charge_stored(organization_id: UUID, size: int) -> None:
    """What programs store in files counts with what visitors do: the disk is shared."""
    if size:
        bucket = Bucket("bytes_a_day", FILE_BYTES_A_DAY, size, DAY_SECONDS)
        ratelimit.charge(f"support:files:{organization_id}", [bucket])


def _file_buckets(visitor: Visitor, size: int) -> list[tuple[str, Bucket]]:
    inbox, organization = visitor.inbox.pk, visitor.organization_id
    return [
        (f"support:files:{visitor.session.pk}", Bucket("bytes", FILE_BYTES_A_MINUTE, size)),
        (f"support:files:{inbox}", Bucket("bytes", FILE_BYTES_OF_ALL, size)),
        (f"support:files:{inbox}", Bucket("bytes_a_day", FILE_BYTES_A_DAY, size, DAY_SECONDS)),
        (f"support:files:{organization}", Bucket("bytes_a_day", FILE_BYTES_A_DAY, size, DAY_SECONDS)),
    ]


def change_profile(visitor: Visitor, profile: Mapping[str, Any]) -> Contact:
    with tenancy.scope(visitor.organization_id):
        contact = contacts.find(visitor.contact.pk, lock=True)
        _update(contact, profile)
        return contact


def _profile(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a visitor says of themselves, in scope, without attributes that are not what the desk says they are."""
    found = {name: given[name] for name in PROFILE if given.get(name)}
    if "attributes" in found:
        found["attributes"] = attributes.fitting(found["attributes"], AttributeOf.CONTACT)
    return found


def _update(contact: Contact, profile: Mapping[str, Any]) -> None:
    wanted = _profile(profile)
    if "attributes" in wanted:
        wanted["attributes"] = {**contact.attributes, **wanted["attributes"]}
    before = {name: getattr(contact, name) for name in wanted}
    contacts.fill(contact, wanted)
    changed = sorted(name for name in wanted if getattr(contact, name) != before[name])
    if changed:
        contacts.save(contact)
        contacts.told_of_change(contact, changed)


def _known_by(identifier: str) -> Contact | None:
    rows = Contact.objects.select_for_update(of=("self",), no_key=True)
    found: Contact | None = rows.filter(identifier=identifier, merged_into=None).first()
    return found


def _verified(inbox: Inbox, proof: Proof) -> str:
    """The identifier that is proved, empty where nothing was to be proved; raises IdentityRefused."""
    secret = unseal_from(inbox, "hmac_secret")
    if proof.token:
        return _of_token(proof.token, secret)
    if proof.identifier and proof.identifier_hash:
        right = hmac.new(secret.encode(), proof.identifier.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), proof.identifier_hash.strip().lower().encode()):
            raise IdentityRefused("The signature does not belong to this identifier.", param="identifier_hash")
        return _bounded(proof.identifier)
    if inbox.hmac_required and proof.identifier:
        raise IdentityRefused("This inbox wants a signature of the identifier.", param="identifier_hash")
    return ""


def _of_token(token: str, secret: str) -> str:
    """HS256 alone, with `sub` and an `exp` that is no more than a day away."""
    try:
        claims = jwt.decode(token, secret, algorithms=["HS256"], options={"require": ["sub", "exp"]})
    except jwt.PyJWTError:
        raise IdentityRefused("The token is forged, or has expired.", param="token") from None
    if claims["exp"] > timezone.now().timestamp() + LONGEST_JWT_SECONDS:
        raise IdentityRefused("The token must expire within a day.", param="token")
    return _bounded(str(claims["sub"]))


def _bounded(identifier: str) -> str:
    if not 0 < len(identifier) <= contacts.LENGTHS["identifier"]:
        raise InvalidRequest("An identifier has 1 to 200 characters.", param="identifier")
    return identifier


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
