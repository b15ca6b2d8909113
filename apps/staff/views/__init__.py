"""The console's pages that belong to no single table."""

from apps.staff.views import health, queues, revenue, switches

__all__ = ["health", "queues", "revenue", "switches"]
