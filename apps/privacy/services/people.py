"""Of whom something is stored, and where."""

from __future__ import annotations

from uuid import UUID

from apps.core.datakinds import DataKind, kinds
from apps.core.errors import NotFound
from apps.core.tenancy import Across, across_tenants


def kinds_about_people(of_organizations: bool) -> list[DataKind]:
    return [kind for kind in kinds() if kind.about_people and kind.of_organizations == of_organizations]


def require_known(person_id: UUID) -> None:
    """Raises NotFound unless the organization in scope stores something about the person.

    A stranger's id and one that does not exist are answered alike.
    """
    if not any(kind.rows_of(person_id).exists() for kind in kinds_about_people(of_organizations=True)):
        raise NotFound("Nothing is stored about a person with this id.")


def counts_of(person_id: UUID, of_organizations: bool) -> dict[str, int]:
    """How many rows of each kind name the person, in the scope that the caller has entered."""
    return {kind.name: kind.rows_of(person_id).count() for kind in kinds_about_people(of_organizations)}


def organizations_about(person_id: UUID) -> list[UUID]:
    """Every organization that stores something about the person, also those that they have left."""
    found: set[UUID] = set()
    with across_tenants(Across.PRIVACY):
        for kind in kinds_about_people(of_organizations=True):
            found |= set(kind.rows_of(person_id).values_list("organization_id", flat=True).distinct())
    return sorted(found)
