"""Whether there is room for one more person: plans know, which stand above accounts and are named by a setting."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


def require_seat(organization_id: UUID, *, for_invitation: bool = False) -> None:
    """Raises SeatsNeeded if all seats are taken. The organization is locked: of two who want the last, one gets it."""
    check: Any = import_string(settings.SEAT_CHECK)
    check(organization_id, for_invitation=for_invitation)
