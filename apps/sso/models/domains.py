"""Domains whose addresses an organization's identity providers may vouch for."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.core.tenancy import TenantManager, TenantModel, TenantQuerySet


class DomainQuerySet(TenantQuerySet):
    def verified(self) -> Any:
        return self.filter(verified_at__isnull=False)


class Domain(TenantModel):
    """A domain that is claimed, and once a DNS record has proved it, verified.

    Several organizations may claim one, so that nobody can block or detect another's claim; one can have it verified.
    """

    name = models.CharField(_("domain"), max_length=253)
    token = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    verified_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(DomainQuerySet)()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="domain_claimed_once"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(verified_at__isnull=False), name="domain_of_one_organization"
            ),
        ]

    def __str__(self) -> str:
        return self.name
