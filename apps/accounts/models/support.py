"""Support by staff: that an organization allows it, and each time that somebody acted as a member."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.people import User
from apps.core.tenancy import TenantManager, TenantModel, TenantQuerySet


class SupportGrantQuerySet(TenantQuerySet):
    def valid(self) -> Any:
        return self.filter(expires_at__gt=timezone.now())


class SupportGrant(TenantModel):
    """That staff may act as a member of the organization until `expires_at`; without a row it may not."""

    expires_at = models.DateTimeField()
    granted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = TenantManager.from_queryset(SupportGrantQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization"], name="support_grant_once")]

    @property
    def audit_name(self) -> str:
        return str(_("support access"))


class ImpersonationQuerySet(TenantQuerySet):
    def going_on(self) -> Any:
        return self.filter(ended_at__isnull=True, expires_at__gt=timezone.now())


class Impersonation(TenantModel):
    """A member of staff acts as the member `user` until `expires_at` at the latest, for a written reason."""

    staff = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=300)
    started_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(ImpersonationQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["expires_at"], condition=models.Q(ended_at__isnull=True), name="impersonation_going_on"
            )
        ]

    @property
    def audit_name(self) -> str:
        return self.user.email if self.user else ""
