"""What happens when somebody leaves an organization: what they own gets another owner."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.apps import apps

from apps.core import tenancy


@dataclass(frozen=True, slots=True)
class Owned:
    """Rows that belong to a person: the model's label, the field that names its owner, and the word for reports."""

    model: str
    owner: str
    name: str


# A tenant table whose rows have an owner gets its line here; a member's API keys are revoked instead.
OWNED = (Owned("accounts.Invitation", "invited_by", "invitations"),)


def move_ownership(organization_id: UUID, user_id: UUID, to_user_id: UUID | None) -> dict[str, int]:
    """Gives what a person owns in the organization to another; how many rows of each kind, without those of none.

    `to_user_id` None leaves them to the organization alone.
    """
    moved = dict[str, int]()
    with tenancy.scope(organization_id):
        for owned in OWNED:
            rows = apps.get_model(owned.model).objects.filter(**{f"{owned.owner}_id": user_id})
            if count := rows.update(**{f"{owned.owner}_id": to_user_id}):
                moved[owned.name] = count
    return moved
