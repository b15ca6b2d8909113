"""The register of erasures and removed organizations: a table, and a file that a restored backup does not undo.

Both hold digests only. Ids have 74 random bits, so nobody finds out from a digest whom it is about.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings

from apps.accounts.models import Organization, User
from apps.core.datakinds import Texts
from apps.core.tenancy import Across, across_tenants
from apps.privacy.models import ErasedPerson


@dataclass(frozen=True, slots=True)
class Line:
    """One erasure; `tenant` is empty for a whole account, `erased_at` is when it was asked for, in ISO 8601.

    `person` is empty for a removed organization, and then so is `pseudonym`.
    """

    person: str
    tenant: str
    texts: Texts
    pseudonym: str
    erased_at: str


@dataclass(frozen=True, slots=True)
class Known:
    """A line whose person, and organization, are in this database."""

    person_id: UUID
    organization_id: UUID | None
    line: Line


def digest(id: UUID | None) -> str:
    return hashlib.sha256(id.bytes).hexdigest() if id else ""


def note(line: Line) -> None:
    """Writes the line to the file first and then to the table; noting it again changes nothing."""
    if line not in set(_lines_of_file()):
        _append(line)
    ErasedPerson.objects.get_or_create(
        person=line.person,
        tenant=line.tenant,
        pseudonym=line.pseudonym,
        defaults={"texts": line.texts, "erased_at": line.erased_at},
    )


def note_removal(organization_id: UUID, begun: datetime) -> None:
    """Notes that an organization is being removed; once, however often its removal is taken up."""
    line = Line("", digest(organization_id), Texts.ERASE, "", begun.isoformat())
    earlier = next((found for found in lines() if not found.person and found.tenant == line.tenant), line)
    note(earlier)


def removed_organizations() -> list[UUID]:
    """Organizations of the register that are in this database again."""
    wanted = [line for line in lines() if not line.person]
    here = _organizations_here({line.tenant for line in wanted})
    for line in wanted:
        note(line)
    return list(here.values())


def _append(line: Line) -> None:
    """One write to a file opened for appending is whole, whoever else appends; returns when the disk has it."""
    path = Path(settings.ERASURE_REGISTER)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, (json.dumps(asdict(line)) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines_of_file() -> list[Line]:
    path = Path(settings.ERASURE_REGISTER)
    if not path.exists():
        return []
    found = []
    for text in path.read_text().splitlines():
        values = json.loads(text)
        found.append(Line(**values | {"texts": Texts(values["texts"])}))
    return found


def lines() -> list[Line]:
    """Every erasure that the file or the table knows."""
    stored = [
        Line(row.person, row.tenant, Texts(row.texts), row.pseudonym, row.erased_at.isoformat())
        for row in ErasedPerson.objects.order_by("erased_at", "id")
    ]
    return list(dict.fromkeys([*_lines_of_file(), *stored]))


def known(wanted: Iterable[Line]) -> list[Known]:
    """Those of the lines whose person and organization are here: digests are computed of all ids there are."""
    wanted = [line for line in wanted if line.person]
    people = _by_digest({line.person for line in wanted}, User.objects.values_list("pk", flat=True).iterator())
    organizations = _organizations_here({line.tenant for line in wanted})
    found = []
    for line in wanted:
        person, organization = people.get(line.person), organizations.get(line.tenant)
        if person and (organization or not line.tenant):
            found.append(Known(person, organization, line))
    return found


def _organizations_here(wanted: set[str]) -> dict[str, UUID]:
    with across_tenants(Across.OPERATE):
        return _by_digest(wanted, list(Organization.objects.values_list("pk", flat=True)))


def _by_digest(wanted: set[str], ids: Iterable[UUID]) -> dict[str, UUID]:
    return {value: id for id in ids if (value := digest(id)) in wanted}
