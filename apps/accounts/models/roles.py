"""Roles that an organization makes for itself."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.permissions import CUSTOM_ROLE_PERMISSIONS
from apps.core.tenancy import TenantModel


class CustomRole(TenantModel):
    """A named set of permissions; a change acts on its members' next request, which reads it anew."""

    name = models.CharField(_("name"), max_length=60)
    description = models.CharField(_("description"), max_length=200, blank=True)
    permissions = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="custom_role_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def granted(self) -> frozenset[str]:
        """What it allows today: a permission that the product no longer gives out counts for nothing."""
        return frozenset(self.permissions) & frozenset(CUSTOM_ROLE_PERMISSIONS)
