"""The console's lists, one file for each app whose rows they show."""

from apps.staff.admin import accounts, billing, registry, studio

__all__ = ["accounts", "billing", "registry", "studio"]
