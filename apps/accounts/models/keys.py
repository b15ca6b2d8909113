"""Credentials of programs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.people import User
from apps.core.tenancy import TenantManager, TenantModel, TenantQuerySet


class ApiKeyQuerySet(TenantQuerySet):
    def usable(self) -> Any:
        return self.filter(revoked_at__isnull=True)


class ApiKey(TenantModel):
    """A program's credential. Only a SHA-256 of the secret is kept: it has 256 random bits, so no salt is needed."""

    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(ApiKeyQuerySet)()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
