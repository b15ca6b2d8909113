"""Invitations into an organization."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import Promise

from apps.accounts.models.people import User
from apps.accounts.models.roles import CustomRole
from apps.accounts.permissions import Role
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class InvitationQuerySet(TenantQuerySet):
    def open(self) -> Any:
        """Neither taken nor revoked; one that has expired may still be sent again."""
        return self.filter(accepted_at__isnull=True, revoked_at__isnull=True)


class Invitation(TenantModel):
    """A place offered to whoever can read the mail of one address; taken once, until it expires.

    The link's token is derived from the row's id and `serial` with the installation's secret (`services.invitations`);
    only its digest is stored. `teams` holds ids: a team that is gone by then is passed over.
    """

    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.MEMBER)
    custom_role = TenantForeignKey(CustomRole, on_delete=models.PROTECT, null=True, related_name="+")
    teams = ArrayField(models.UUIDField(), default=list)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    serial = models.PositiveIntegerField(default=1)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(InvitationQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_open_once",
            )
        ]

    @property
    def audit_name(self) -> str:
        return self.email

    @property
    def role_name(self) -> str | Promise:
        return self.custom_role.name if self.custom_role else Role(self.role).label

    @property
    def status(self) -> str:
        """`accepted`, `revoked`, `expired` or `pending`."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "pending"
