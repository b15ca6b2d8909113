"""The two walls between organizations: managers that refuse to run unscoped, and PostgreSQL row-level security."""

from apps.core.tenancy.models import TenantForeignKey, TenantManager, TenantModel, TenantQuerySet
from apps.core.tenancy.owner import AsOwner, as_owner
from apps.core.tenancy.scope import Across, ScopeMissing, across_tenants, current_organization, reading, scope

__all__ = [
    "Across",
    "AsOwner",
    "ScopeMissing",
    "TenantForeignKey",
    "TenantManager",
    "TenantModel",
    "TenantQuerySet",
    "across_tenants",
    "as_owner",
    "current_organization",
    "reading",
    "scope",
]
