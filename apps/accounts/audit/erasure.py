"""Taking a person's name out of entries that are never changed otherwise, so that the chain still holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from apps.accounts.access import Actor
from apps.accounts.audit import chain
from apps.accounts.audit.recording import record
from apps.accounts.audit.verification import ERASED, hold_still, links
from apps.accounts.models import AuditEntry, AuditHead, Organization
from apps.core import tenancy
from apps.core.tenancy import AsOwner, as_owner

# The entry that tells of an erasure holds a digest for each entry that it changed.
MOST_IN_ONE_ENTRY = 500
_TEXTS = ("actor_name", "impersonator_name", "object_name")
_VALUES = ("before", "after", "detail")


def erase_person(actor: Actor, user_id: UUID, words: Sequence[str], pseudonym: str) -> int:
    """Puts the pseudonym in place of a person's `words` (name, addresses) in one organization's entries.

    Where the person acted, address and program go as well. Returns how many entries were changed; doing it again, as
    after a restore, finds what is there again. The entry that says so names neither.
    """
    pattern = re.compile("|".join(re.escape(word) for word in sorted(filter(None, words), key=len, reverse=True)), re.I)
    count = 0
    with tenancy.scope(actor.organization_id):
        hold_still(actor.organization_id)
        found = list(_about(user_id, words).order_by("sequence"))
        changed = [entry for entry in found if _pseudonymise(entry, user_id, pattern, pseudonym)]
        for start in range(0, len(changed), MOST_IN_ONE_ENTRY):
            batch = changed[start : start + MOST_IN_ONE_ENTRY]
            head = AuditHead.objects.select_for_update().get()
            for entry in batch:
                entry.erasure, entry.salt = head.sequence + 1, ""
            with as_owner(AsOwner.ERASURE):
                AuditEntry.objects.bulk_update(batch, [*_TEXTS, *_VALUES, "address", "agent", "salt", "erasure"])
            _record(actor, user_id, pseudonym, [entry.sequence for entry in batch])
            count += len(batch)
    return count


def _about(user_id: UUID, words: Sequence[str]) -> Any:
    rows = AuditEntry.objects.annotate(**{f"{name}_text": Cast(name, TextField()) for name in _VALUES})
    about = Q(user_id=user_id) | Q(impersonator_id=user_id) | Q(object_id=user_id)
    for word in filter(None, words):
        for column in (*_TEXTS, *(f"{name}_text" for name in _VALUES)):
            about |= Q(**{f"{column}__icontains": word})
    return rows.filter(about)


def _pseudonymise(entry: AuditEntry, user_id: UUID, pattern: re.Pattern[str], pseudonym: str) -> bool:
    """Whether anything in the entry had to change."""
    was = [getattr(entry, name) for name in (*_TEXTS, *_VALUES, "address", "agent")]
    if user_id in (entry.user_id, entry.impersonator_id):
        entry.address = entry.agent = ""
    for name in (*_TEXTS, *_VALUES):
        setattr(entry, name, _replaced(getattr(entry, name), pattern, pseudonym))
    return was != [getattr(entry, name) for name in (*_TEXTS, *_VALUES, "address", "agent")]


def _replaced(value: Any, pattern: re.Pattern[str], pseudonym: str) -> Any:
    match value:
        case str():
            return pattern.sub(lambda _: pseudonym, value)
        case list():
            return [_replaced(inner, pattern, pseudonym) for inner in value]
        case dict():
            return {name: _replaced(inner, pattern, pseudonym) for name, inner in value.items()}
    return value


def _record(actor: Actor, user_id: UUID, pseudonym: str, sequences: Sequence[int]) -> None:
    organization = Organization.objects.get(pk=actor.organization_id)
    wanted = set(sequences)
    digests = {
        str(link.sequence): chain.content_digest(link)
        for link in links(actor.organization_id, sequences[0] - 1, sequences[-1])
        if link.sequence in wanted
    }
    record(actor, ERASED, organization, person=str(user_id), pseudonym=pseudonym, count=len(digests), digests=digests)
