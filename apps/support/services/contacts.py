"""Who writes to the desk: profiles, their history, and two that turn out to be one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.support.access import MANAGE, READ, WRITE
from apps.support.masking import clean, clean_values
from apps.support.models import (
    AttributeOf,
    Contact,
    ContactNote,
    ContactSession,
    Conversation,
    Cursor,
    Message,
    MessageIndex,
    Original,
    Rating,
)
from apps.support.services import attributes, files, hints, learning, resolutions
from apps.support.services.conversations import checked_labels
from apps.support.services.desk import settings_of
from apps.support.services.indexing import index_contact
from apps.support.services.mail import accounts

T = TypeVar("T")
NO_CONTACT = gettext_noop("There is no contact with this id.")
LENGTHS = {"name": 120, "email": 254, "phone": 40, "identifier": 200, "language": 10}
FIELDS = (*LENGTHS, "attributes")
# How often a contact who is erased or merged may begin another conversation meanwhile.
ATTEMPTS = 5


def get(actor: Actor, id: UUID) -> Contact:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return find(id)


def find(id: UUID, lock: bool = False) -> Contact:
    """In scope; follows those that were merged into others.

    A message refers to its contact's row, which a lock without the key lets whoever holds the conversation do: with the
    key, who writes and who changes the contact would wait for each other.
    """
    rows = Contact.objects.select_for_update(of=("self",), no_key=True) if lock else Contact.objects.all()
    row: Contact | None = rows.filter(pk=id).first()
    for _ in range(10):
        if row is None or row.merged_into_id is None:
            break
        row = rows.filter(pk=row.merged_into_id).first()
    if row is None:
        raise NotFound(NO_CONTACT)
    return row


def listing(actor: Actor, search: str = "") -> Any:
    """Contacts as a query, in the caller's scope, newest first; those whose name or address holds what is searched."""
    actor.require(READ)
    rows = Contact.objects.filter(merged_into=None)
    for word in search.split()[:5]:
        rows = rows.filter(
            Q(name__icontains=word) | Q(email__icontains=word) | Q(phone__icontains=word) | Q(identifier__iexact=word)
        )
    return rows.order_by("-created_at", "-id")


def create(actor: Actor, values: Mapping[str, Any]) -> Contact:
    actor.require(WRITE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        made = Contact(organization_id=actor.organization_id)
        fill(made, values)
        save(made)
        made.refresh_from_db()
        audit.record(actor, "support_contact.created", made)
        created(made)
    return made


def created(contact: Contact) -> None:
    """Tells of a contact that is new, however it came."""
    events.record("support_contact.created", contact.pk, {"verified": contact.verified_at is not None})
    hints.hint_event(contact.organization_id)


def change(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> Contact:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = find(id, lock=True)
        before = {name: getattr(row, name) for name in FIELDS}
        fill(row, changes)
        if row.identifier != before["identifier"]:
            # Nobody has signed the new one yet.
            row.verified_at = None
        changed = [name for name in FIELDS if getattr(row, name) != before[name]]
        if changed:
            save(row)
            audit.record(actor, "support_contact.changed", row, changed=changed)
            told_of_change(row, changed)
    return row


def set_labels(actor: Actor, id: UUID, titles: Sequence[str]) -> Contact:
    """All that a contact shall have, of those that the desk has."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = find(id, lock=True)
        wanted = checked_labels(titles)
        if wanted != row.labels:
            states = {"before": {"labels": row.labels}, "after": {"labels": wanted}}
            audit.record(actor, "support_contact.changed", row, changed=["labels"], **states)
            row.labels = wanted
            row.save(update_fields=["labels"])
            told_of_change(row, ["labels"])
    return row


def told_of_change(contact: Contact, changed: list[str]) -> None:
    index_contact(contact)
    events.record("support_contact.changed", contact.pk, {"changed": changed})
    hints.hint_event(contact.organization_id)


def set_blocked(actor: Actor, id: UUID, blocked: bool) -> Contact:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = find(id, lock=True)
        block(actor, row, blocked)
    return row


def block(actor: Actor, row: Contact, blocked: bool) -> None:
    """The same for whoever holds the row."""
    if blocked != (row.blocked_at is not None):
        row.blocked_at = timezone.now() if blocked else None
        row.save(update_fields=["blocked_at"])
        audit.record(actor, "support_contact.blocked" if blocked else "support_contact.unblocked", row)
        events.record("support_contact.changed", row.pk, {"changed": ["blocked"]})
        hints.hint_event(row.organization_id)


def merge(actor: Actor, id: UUID, into: UUID) -> Contact:
    """Everything of one contact is the other's from now on; what the other does not know is taken over."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        find(id)
        # In the order of their ids, so that two who merge the same pair do not wait for each other.
        for each in sorted({id, into}):
            find(each, lock=True)
        return _apart_from_begun(lambda: _merge(actor, id, into))


def _merge(actor: Actor, id: UUID, into: UUID) -> Contact:
    """The same for whoever holds both rows; raises _BegunMeanwhile."""
    one, other = find(id), find(into)
    if one.pk == other.pk:
        raise Conflict("These are the same contact already.")
    absorb(one, other)
    audit.record(actor, "support_contact.merged", other, merged=one.audit_name)
    events.record("support_contact.merged", other.pk, {"merged": str(one.pk)})
    # From here on whoever begins one sees the merge once it is told of.
    if Conversation.objects.filter(contact=one).exists():
        raise _BegunMeanwhile
    hints.hint_event(other.organization_id)
    return other


def absorb(one: Contact, other: Contact) -> None:
    """The same in scope, for whoever holds both rows."""
    identifier = one.identifier
    # Who proved to be one of them is not known to be the other.
    are_two = bool(identifier and other.identifier and identifier != other.identifier)
    one.merged_into = other
    one.save(update_fields=["merged_into"])
    Contact.objects.filter(merged_into=one).update(merged_into=other)
    for name in ("name", "email", "phone", "language"):
        if not getattr(other, name):
            setattr(other, name, getattr(one, name))
    if not other.identifier:
        other.identifier, other.verified_at = identifier, one.verified_at
    other.attributes = {**one.attributes, **other.attributes}
    other.labels = sorted({*one.labels, *other.labels})
    other.blocked_at = other.blocked_at or one.blocked_at
    other.save()
    Conversation.objects.filter(contact=one).update(contact=other)
    sessions = ContactSession.objects.filter(contact=one)
    if are_two:
        sessions.update(contact=other, verified=False)
    else:
        sessions.update(contact=other)
    ContactNote.objects.filter(contact=one).update(contact=other)
    Message.objects.filter(contact=one).update(contact=other)
    Rating.objects.filter(contact=one).update(contact=other)
    seen_by_other = Cursor.objects.filter(contact=other).values("conversation")
    Cursor.objects.filter(contact=one, conversation__in=seen_by_other).delete()
    Cursor.objects.filter(contact=one).update(contact=other)
    index_contact(other)


def erase(actor: Actor, id: UUID) -> int:
    """Removes a contact with all conversations, files and originals, as is their right; how many conversations."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        learning.hold_organization()
        row = find(id, lock=True)
        return _apart_from_begun(lambda: _erase(actor, row))


class _BegunMeanwhile(Exception):
    """A conversation was begun while others of the contact were held; it has to be held before anything is told."""


def _apart_from_begun(act: Callable[[], T]) -> T:
    """Carries out an act on a contact, anew where they have begun a conversation meanwhile."""
    for _ in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return act()
        except _BegunMeanwhile:
            continue
    raise Conflict("This contact is writing just now: try again in a moment.")


def _erase(actor: Actor, row: Contact) -> int:
    """The same for whoever holds the row; raises _BegunMeanwhile."""
    mine = Q(pk=row.pk) | Q(merged_into=row)
    ids = list(Contact.objects.filter(mine).values_list("pk", flat=True))
    theirs = Conversation.objects.filter(contact__in=ids)
    held = list(theirs.select_for_update(of=("self",)).order_by("id"))
    said = Message.objects.filter(conversation__in=held)
    files.remove_with(said)
    resolutions.give_up(held)
    accounts.forget(list(Contact.objects.filter(pk__in=ids).values_list("email", flat=True)))
    Original.objects.filter(message__in=said).delete()
    MessageIndex.objects.filter(conversation__in=held).delete()
    learning.forget_marked([each.pk for each in held])
    audit.record(actor, "support_contact.erased", row, conversations=len(held))
    events.record("support_contact.erased", row.pk, {"conversations": len(held)})
    # From here on nobody begins one: that is told of as well.
    if theirs.exclude(pk__in=[each.pk for each in held]).exists():
        raise _BegunMeanwhile
    hints.hint_signed_out_everywhere(row.organization_id)
    Conversation.objects.filter(pk__in=[each.pk for each in held]).delete()
    Contact.objects.filter(pk__in=ids).delete()
    return len(held)


def fill(row: Contact, values: Mapping[str, Any]) -> None:
    """Sets what is named, masked and checked."""
    if unknown := sorted(set(values) - set(FIELDS)):
        raise InvalidRequest("There is no field %(name)s.", values={"name": unknown[0]}, param=unknown[0])
    masked = settings_of(row.organization_id).masked
    for name, most in LENGTHS.items():
        if name in values:
            given = " ".join(str(values[name] or "").split())
            if len(given) > most:
                raise InvalidRequest("At most %(most)s characters.", values={"most": most}, param=name)
            setattr(row, name, clean(given, _kinds_of(name, masked)).text)
    if values.get("email"):
        try:
            validate_email(row.email)
        except ValidationError:
            raise InvalidRequest("This is no e-mail address.", param="email") from None
    if "attributes" in values:
        wanted = attributes.checked(values["attributes"], AttributeOf.CONTACT, row.attributes)
        row.attributes = clean_values(wanted, masked)


def _kinds_of(name: str, masked: Iterable[str]) -> list[str]:
    """What is masked in a field: a bank's own number for its customer, an address and a telephone number are no data
    to be hidden from those who look them up by these.
    """
    if name in ("identifier", "email"):
        return []
    return [kind for kind in masked if kind != "phone" or name != "phone"]


def save(row: Contact) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict("Another contact has this identifier.", param="identifier") from None
