"""The console's lists, one file for each app whose rows they show."""

from apps.staff.admin import accounts, billing, market, registry, sponsors, studio

__all__ = ["accounts", "billing", "market", "registry", "sponsors", "studio"]
