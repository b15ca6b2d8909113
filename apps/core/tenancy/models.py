"""The base of every table that belongs to an organization."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models.functions import Coalesce

from apps.core.ids import uuid7
from apps.core.tenancy.scope import ScopeMissing, current


class TenantQuerySet(models.QuerySet[Any]):
    """Reads of a tenant table; subclasses add named queries."""

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def number(self) -> Coalesce:
        """How many rows of the organization in scope these are, as a part of another question."""
        counted = self.order_by().values("organization_id").annotate(number=models.Count("pk")).values("number")
        return Coalesce(models.Subquery(counted), 0)


class TenantManager(models.Manager[Any]):
    """Filters by the organization in scope and raises outside any scope: the first wall."""

    # Django's own machinery (related lookups, refresh_from_db) must meet the same wall.
    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet[Any]:
        value = current()
        if value is None:
            raise ScopeMissing(f"{self.model.__name__} was read outside a tenant scope.")
        rows = super().get_queryset()
        return rows.filter(organization_id=value) if isinstance(value, UUID) else rows


class TenantForeignKey(models.ForeignKey[Any, Any]):
    """A reference between tenant tables.

    The database's constraint is composite, (organization_id, column) to (organization_id, id), so that a row can
    never point into another organization; `TenantWall` in the migration creates it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        super().__init__(*args, **kwargs)


class TenantModel(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[Any] = TenantManager.from_queryset(TenantQuerySet)()

    class Meta:
        abstract = True
        base_manager_name = "objects"
