"""What goes into an export, read page by page, so that neither memory nor a transaction grows with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string
from django.utils import timezone

from apps.accounts.access import memberships_of
from apps.accounts.models import Organization
from apps.core import tenancy
from apps.core.datakinds import DataKind, kinds
from apps.privacy.archive import Archive, as_json
from apps.privacy.models import Export, Scope

# A row may hold a prompt and a text of a MiB each.
PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Written:
    size: int
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Part:
    """One table's rows in the archive: in which organization they are read, and of which person, None for all."""

    folder: str
    kind: DataKind
    organization_id: UUID | None
    person_id: UUID | None

    @property
    def name(self) -> str:
        return f"{self.folder}/{self.kind.name}"

    def scope(self) -> AbstractContextManager[None]:
        return tenancy.scope(self.organization_id) if self.organization_id else nullcontext()

    def rows(self, keep: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """Each page in a transaction of its own; `keep` is called between them and may raise to break off."""
        columns, last = self.kind.columns(), None
        key = self.kind.table._meta.pk.attname
        while True:
            keep()
            with self.scope():
                found = self.kind.rows_of(self.person_id) if self.person_id else self.kind.rows()
                page = found.order_by("pk") if last is None else found.order_by("pk").filter(pk__gt=last)
                batch = list(page.values(*dict.fromkeys((key, *columns)))[:PAGE_ROWS])
            yield from ({column: row[column] for column in columns} for row in batch)
            if len(batch) < PAGE_ROWS:
                return
            last = batch[-1][key]


def parts_of(export: Export) -> list[Part]:
    """The tables that an export of this scope consists of."""
    if export.scope == Scope.ORGANIZATION:
        return [Part("data", kind, export.organization_id, None) for kind in kinds() if kind.of_organizations]
    about_people = [kind for kind in kinds() if kind.about_people]
    if export.scope == Scope.MEMBER:
        return [
            Part("data", kind, export.organization_id, export.person_id)
            for kind in about_people
            if kind.of_organizations
        ]
    person = export.person
    if person is None:
        return []
    own = [Part("account", kind, None, person.pk) for kind in about_people if not kind.of_organizations]
    # Only where the person still belongs: what somebody made for an organization that they left is for it to give.
    for membership in memberships_of(person):
        folder = f"organizations/{membership.organization.slug}"
        own += [
            Part(folder, kind, membership.organization_id, person.pk) for kind in about_people if kind.of_organizations
        ]
    return own


def write(export: Export, path: Path, keep: Callable[[], None]) -> Written:
    """Writes the whole archive to `path`; when anything is raised on the way, also by `keep`, no file is left."""
    archive = Archive(path)
    try:
        parts = parts_of(export)
        rows = sum(archive.table(part.name, part.kind.columns(), part.rows(keep)) for part in parts)
        about = {"created_at": timezone.now(), "scope": export.scope, "subject": _subject(export), "rows": rows}
        listed = [
            {"part": part, "rows": entry.rows, "name": entry.name}
            for part, entry in zip(parts, archive.entries, strict=True)
        ]
        archive.text("index.html", render_to_string("privacy/export_index.html", about | {"tables": listed}))
        tables = [{"name": entry.name, "rows": entry.rows} for entry in archive.entries]
        archive.text("manifest.json", as_json(about | {"tables": tables}) + "\n")
        size, digest = archive.close()
    except BaseException:
        archive.abandon()
        raise
    return Written(size, digest, rows)


def _subject(export: Export) -> str:
    if export.scope == Scope.ORGANIZATION:
        with tenancy.scope(export.organization_id):
            return Organization.objects.get(pk=export.organization_id).name
    return export.person.email if export.person else ""
