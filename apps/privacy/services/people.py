"""Of whom something is stored, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, Value

from apps.core.datakinds import DataKind, kinds
from apps.core.errors import NotFound
from apps.core.tenancy import Across, across_tenants


def kinds_about_people(of_organizations: bool) -> list[DataKind]:
    return [kind for kind in kinds() if kind.about_people and kind.of_organizations == of_organizations]


def require_known(person_id: UUID) -> None:
    """Raises NotFound unless the organization in scope stores something about the person.

    A stranger's id and one that does not exist are answered alike.
    """
    if not _together(
        kind.rows_of(person_id).values("pk") for kind in kinds_about_people(of_organizations=True)
    ).exists():
        raise NotFound("Nothing is stored about a person with this id.")


def counts_of(person_id: UUID, of_organizations: bool) -> dict[str, int]:
    """How many rows of each kind name the person, in the scope that the caller has entered."""
    about = kinds_about_people(of_organizations)
    counted = _together(
        kind.rows_of(person_id).order_by().values(named=Value(kind.name, CharField())).annotate(rows_there=Count("pk"))
        for kind in about
    )
    return dict.fromkeys((kind.name for kind in about), 0) | {row["named"]: row["rows_there"] for row in counted}


def organizations_about(person_id: UUID) -> list[UUID]:
    """Every organization that stores something about the person, also those that they have left."""
    with across_tenants(Across.PRIVACY):
        rows = (
            kind.rows_of(person_id).order_by().values_list("organization_id")
            for kind in kinds_about_people(of_organizations=True)
        )
        return sorted({organization_id for (organization_id,) in _together(each.distinct() for each in rows)})


def _together(queries: Iterable[Any]) -> Any:
    """The rows of all of them, asked for at once: there are dozens of tables that name people."""
    first, *others = queries
    return first.union(*others, all=True)
