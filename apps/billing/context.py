"""For templates: what about the subscription everybody who can mend it should see, on whatever page they are."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.accounts.access import Actor
from apps.billing import gateway
from apps.billing.services import live_subscription
from apps.billing.services.accounts import MANAGE
from apps.billing.standing import Standing, standing_of
from apps.core import tenancy


def money_notice(request: HttpRequest) -> dict[str, Any]:
    """`money_notice`, asked for by the template; without payments nothing is looked up."""
    return {"money_notice": lambda: _notice(request)}


def _notice(request: HttpRequest) -> Standing | None:
    actor = getattr(request, "actor", None)
    if actor is None or MANAGE not in actor.permissions or gateway.mode() is gateway.Mode.OFF:
        return None
    with tenancy.scope(actor.organization_id):
        found = standing_of(live_subscription())
    return urgent(actor, found)


def urgent(actor: Actor, standing: Standing) -> Standing | None:
    """The notice of a standing that a page has found out already, which gives it as its own `money_notice`."""
    may_mend = MANAGE in actor.permissions and gateway.mode() is not gateway.Mode.OFF
    return standing if may_mend and standing.is_urgent else None
