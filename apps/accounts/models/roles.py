"""Roles that an organization makes for itself."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.permissions import CUSTOM_ROLE_PERMISSIONS, ROLE_PERMISSIONS, Role
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


class HoldsRole:
    """Whoever has a built-in role, or with `custom` one of the organization's own.

    Load `custom_role` with the row, so that what it may do costs no query.
    """

    role: Any
    custom_role: Any

    @property
    def permissions(self) -> frozenset[str]:
        return self.custom_role.granted if self.custom_role else ROLE_PERMISSIONS[self.role]

    @property
    def role_name(self) -> str | Promise:
        return self.custom_role.name if self.custom_role else Role(self.role).label
