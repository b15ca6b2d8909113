"""The console's pages that belong to no single table."""

from apps.staff.views import health, queues, switches

__all__ = ["health", "queues", "switches"]
