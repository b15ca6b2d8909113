"""What time alone brings about: snoozed conversations wake, promises are missed, originals go."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import media, tenancy
from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants
from apps.support.models import (
    Author,
    BotSettings,
    Conversation,
    ConversationStatus,
    DeskSettings,
    Message,
    MessageKind,
    Original,
    SlaTimer,
)
from apps.support.services import assignment, conversations, files, timers
from apps.support.services.storing import SYSTEM, locked

AT_ONCE = 200
RESOLVABLE = (ConversationStatus.OPEN, ConversationStatus.PENDING)


def sweep() -> int:
    """Looks after every desk that has something due; returns how many conversations were changed."""
    return sum(_sweep(organization) for organization in _with_something_due())


def due() -> list[QuerySet[Any]]:
    """Who sleeps too long, promises that are missed, what waits for somebody, what bots have left; across tenants."""
    asleep = Conversation.objects.filter(status=ConversationStatus.SNOOZED, snoozed_until__lte=Now())
    late = SlaTimer.objects.filter(met_at=None, breached_at=None, called_off=False, due_at__lt=Now())
    waiting = Conversation.objects.waiting().filter(inbox__auto_assignment=True).order_by()
    return [asleep, late, waiting, _left_by_bots()]


def _with_something_due() -> list[UUID]:
    with across_tenants(Across.CLAIM_WORK):
        found: set[UUID] = set()
        for rows in due():
            found.update(rows.values_list("organization_id", flat=True).distinct())
    return sorted(found)


def _sweep(organization_id: UUID) -> int:
    with tenancy.scope(organization_id):
        due = Conversation.objects.filter(status=ConversationStatus.SNOOZED, snoozed_until__lte=timezone.now())
        asleep = list(due.order_by("snoozed_until").values_list("pk", flat=True)[:AT_ONCE])
    # One at a time: after its event is recorded, no other row is waited for.
    woken = sum(_wake(organization_id, id) for id in asleep)
    woken += _give_to_people(organization_id)
    with tenancy.scope(organization_id):
        late = timers.note_breaches()
    with tenancy.scope(organization_id):
        given = assignment.assign_waiting(organization_id)
    return woken + late + given


def _left_by_bots() -> QuerySet[Conversation]:
    """A bot has them, and none answers where they came in: it was removed, or its inbox put away, and whoever should
    have given them to people was lost, or did not see them yet.
    """
    rows: QuerySet[Conversation] = Conversation.objects.filter(
        bot_owns=True, merged_into=None, inbox__agent_bot__isnull=True, inbox__bot_enabled=False
    )
    return rows.order_by()


def _give_to_people(organization_id: UUID) -> int:
    with tenancy.scope(organization_id):
        left = list(_left_by_bots().order_by("active_at").values_list("pk", flat=True)[:AT_ONCE])
    return sum(_give_up(organization_id, id) for id in left)


def _give_up(organization_id: UUID, id: UUID) -> bool:
    try:
        with tenancy.scope(organization_id):
            held = locked(id)
            # A bot may answer there again by now.
            return _left_by_bots().filter(pk=held.pk).exists() and conversations.hand_over(held, "bot_removed")
    except MillraceError:
        return False


def _wake(organization_id: UUID, id: UUID) -> bool:
    try:
        with tenancy.scope(organization_id):
            held = locked(id)
            until = held.snoozed_until
            # Somebody may have snoozed it anew meanwhile.
            if held.status != ConversationStatus.SNOOZED or until is None or until > timezone.now():
                return False
            conversations.wake(held)
            return True
    except MillraceError:
        return False


def clean_up() -> int:
    """Removes originals whose time is over and files without a row; resolves what nobody has written in for long.

    What the bot has answered is resolved after the hours that its settings say.
    """
    now = timezone.now()
    with across_tenants(Across.HOUSEKEEPING):
        removed: int = Original.objects.filter(expires_at__lte=now).delete()[0]
        desks = list(DeskSettings.objects.filter(resolve_after_days__gt=0).values_list("organization_id", flat=True))
        bots = list(
            BotSettings.objects.filter(is_on=True, idle_hours__gt=0).values_list("organization_id", "idle_hours")
        )
    removed += sum(_resolve_old(organization) for organization in desks)
    removed += sum(_resolve_answered(organization, now - timedelta(hours=hours)) for organization, hours in bots)
    return removed + media.remove_strays(files.FOLDER, files.known)


def _resolve_old(organization_id: UUID) -> int:
    """Those in which the desk had the last word."""
    with tenancy.scope(organization_id):
        days = DeskSettings.objects.values_list("resolve_after_days", flat=True).get()
        limit = timezone.now() - timedelta(days=days)
        rows = Conversation.objects.filter(
            status__in=RESOLVABLE, active_at__lt=limit, waiting_since=None, merged_into=None
        )
        old = list(rows.order_by("active_at").values_list("pk", flat=True)[:AT_ONCE])
    return sum(_resolve(organization_id, id, limit) for id in old)


def _resolve_answered(organization_id: UUID, limit: datetime) -> int:
    """Those that the bot has and in which it had the last word."""
    with tenancy.scope(organization_id):
        said = Message.objects.filter(
            conversation=OuterRef("pk"), kind__in=(MessageKind.INCOMING, MessageKind.OUTGOING)
        ).exclude(author=Author.SYSTEM)
        own = Conversation.objects.filter(bot_owns=True, inbox__agent_bot=None)
        rows = own.filter(active_at__lt=limit, merged_into=None).annotate(
            last=Subquery(said.order_by("-sequence").values("author")[:1])
        )
        old = list(rows.filter(last=Author.BOT).order_by("active_at").values_list("pk", flat=True)[:AT_ONCE])
    return sum(_resolve(organization_id, id, limit) for id in old)


def _resolve(organization_id: UUID, id: UUID, limit: datetime) -> bool:
    try:
        with tenancy.scope(organization_id):
            held = locked(id)
            # The contact may have written meanwhile.
            if held.status not in RESOLVABLE or held.waiting_since is not None or held.active_at >= limit:
                return False
            conversations.resolve(held, SYSTEM)
            return True
    except MillraceError:
        return False
