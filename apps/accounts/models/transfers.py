"""Handing an organization to another owner."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models.organizations import Membership
from apps.accounts.models.people import User
from apps.core.tenancy import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet


class TransferQuerySet(TenantQuerySet):
    def open(self) -> Any:
        return self.filter(ended_at__isnull=True)

    def pending(self) -> Any:
        return self.open().filter(expires_at__gt=timezone.now())


class OwnershipTransfer(TenantModel):
    """An owner's offer to a member, who has to accept it; `outcome` says how it ended."""

    offered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    member = TenantForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, blank=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(TransferQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(ended_at__isnull=True), name="transfer_open_once"
            )
        ]

    @property
    def audit_name(self) -> str:
        return self.member.user.email
