"""Teams: members of an organization who work together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.organizations import Membership
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class Team(TenantModel):
    name = models.CharField(_("name"), max_length=60)
    description = models.CharField(_("description"), max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="team_name_once")]

    def __str__(self) -> str:
        return self.name


class TeamMembershipQuerySet(TenantQuerySet):
    def teams_of(self, members: Iterable[Membership]) -> dict[UUID, list[Team]]:
        """The teams of each of these members that is in one, with one query."""
        found = dict[UUID, list[Team]]()
        rows = self.filter(membership__in=[member.pk for member in members]).select_related("team")
        for row in rows.order_by("team__name"):
            found.setdefault(row.membership_id, []).append(row.team)
        return found


class TeamMembership(TenantModel):
    """That a member is in a team; it goes with either."""

    team = TenantForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    membership = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(TeamMembershipQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "team", "membership"], name="team_member_once")]
        indexes = [models.Index(fields=["organization", "membership"], name="teams_of_member")]

    @property
    def audit_name(self) -> str:
        return str(self.membership_id)
