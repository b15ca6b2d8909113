"""Which sponsored notice an organization sees, if any, and how often each was shown and followed, as sums of a day."""

from __future__ import annotations

import random
from collections.abc import Collection
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import get_language

from apps.billing import services as billing
from apps.core import switches
from apps.core.ids import uuid7
from apps.market.models import Sponsor

SWITCH, SPARED = "sponsored_slots", "no_sponsors"
# The columns are ours, and never come from outside.
_COUNT = """
INSERT INTO market_sponsorday (id, sponsor_id, day, views, clicks) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (sponsor_id, day) DO UPDATE SET
    views = market_sponsorday.views + excluded.views, clicks = market_sponsorday.clicks + excluded.clicks
"""


def is_shown_to(organization_id: UUID, features: Collection[str] | None = None) -> bool:
    """Where the switch is on, to organizations whose plan does not spare them; a new plan counts at once.

    `features` are what the plan brings, where that has been read for the same page.
    """
    if not switches.is_on(SWITCH, organization_id):
        return False
    return SPARED not in (billing.limits_of(organization_id).features if features is None else features)


def choose(organization_id: UUID, place: str, features: Collection[str] | None = None) -> Sponsor | None:
    """One of the notices that run now in the reader's language, at random; what is chosen is counted as shown."""
    if not is_shown_to(organization_id, features):
        return None
    running = _running().filter(place=place).filter(Q(languages=[]) | Q(languages__contains=[_language()]))
    found = list(running[:100])
    if not found:
        return None
    chosen: Sponsor = random.choice(found)
    _count_later(chosen, views=1)
    return chosen


def follow(organization_id: UUID, id: UUID) -> Sponsor | None:
    """The notice that somebody follows, counted; None where it does not run, or is not shown to the organization."""
    found = _running().filter(pk=id).first() if is_shown_to(organization_id) else None
    if found is not None:
        _count_later(found, clicks=1)
    return found


def _running() -> QuerySet[Sponsor]:
    now = timezone.now()
    return Sponsor.objects.filter(starts_at__lte=now, ends_at__gt=now)


def _language() -> str:
    return get_language() or "en"


def _count_later(sponsor: Sponsor, views: int = 0, clicks: int = 0) -> None:
    """After the commit, so that no page holds the row's lock while it is made."""

    def count() -> None:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [uuid7(), sponsor.pk, timezone.now().date(), views, clicks])

    transaction.on_commit(count)
