"""Whether there is a market at all, and what one may do in it."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import switches
from apps.core.errors import NotFound

SWITCH = "data_offers"
READ, MANAGE = "billing:read", "billing:manage"
NOTHING_HERE = gettext_noop("There is nothing at this address.")


def require(actor: Actor, permission: str) -> None:
    """Raises NotFound where the market is off for the organization, and PermissionDenied without the permission."""
    if not switches.is_on(SWITCH, actor.organization_id):
        raise NotFound(NOTHING_HERE)
    actor.require(permission)
