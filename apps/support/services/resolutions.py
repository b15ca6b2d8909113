"""What the bot resolves without a person: held against the plan, and counted once the contact has not come back.

A conversation counts where the bot answered it, was never handed over, left nothing under way, and no person has acted
in it; and where the contact has not written again within REOPENED_WITHIN. Whether it may be counted never holds up a
visitor: what the plan has no room for is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.billing import services as billing
from apps.billing.models import Meter
from apps.core import tenancy
from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants
from apps.support.models import (
    Author,
    BotResolution,
    Conversation,
    ConversationStatus,
    DialogueEvent,
    Inbox,
    Message,
    MessageKind,
    ResolutionState,
    TurnRecord,
)
from apps.support.services.flows.settings import FEATURE
from apps.support.services.storing import By
from ml.dialogue.state import fold, from_json

REOPENED_WITHIN = timedelta(days=3)
ONE: dict[str, int] = {Meter.BOT_RESOLUTIONS: 1}
ANSWERED = ("replied", "cited", "generated")
AT_ONCE = 200
UNDECIDED = (ResolutionState.RESOLVED, ResolutionState.HELD)
# Taken up again, with a hold that is to be given back.
STILL_HELD = Q(state=ResolutionState.REOPENED, ended_at=None)
log = structlog.get_logger(__name__)


def has_bot(organization_id: UUID) -> bool:
    """Whether a conversation may begin with the bot, by the plan and what of it is left; in scope.

    Otherwise it begins with people.
    """
    limits = billing.limits_of(organization_id)
    return FEATURE in limits.features and billing.has_room(ONE, limits)


def answers_in(inbox: Inbox) -> bool:
    """Whether a conversation of the inbox may begin with a bot; in scope. No plan limits programs of one's own."""
    return inbox.agent_bot_id is not None or (inbox.bot_enabled and has_bot(inbox.organization_id))


def note(held: Conversation, by: By, now: datetime) -> None:
    """The bot's conversation is resolved, its row is held; nothing is counted yet. Of a conversation one counts."""
    if by.author == Author.AGENT or not _is_by_bot(held):
        return
    row: BotResolution | None = (
        BotResolution.objects.select_for_update()
        .filter(conversation=held)
        .exclude(state=ResolutionState.REOPENED)
        .first()
    )
    if row is not None and row.state not in UNDECIDED:
        return
    if row is not None:
        # Each hold ends in its time: a contact who comes back every other day would otherwise keep a month open. It is
        # given back later, for who is here may hold the counter of events, which comes behind the month's row.
        row.ended_at = None if row.state == ResolutionState.HELD else now
        row.state, row.reopened_at = ResolutionState.REOPENED, now
        row.save(update_fields=["state", "reopened_at", "ended_at"])
    times = {"resolved_at": now, "due_at": now + REOPENED_WITHIN}
    BotResolution.objects.create(organization_id=held.organization_id, conversation=held, **times)


def _is_by_bot(held: Conversation) -> bool:
    if held.opened_at is not None or held.inbox.agent_bot_id is not None:
        return False
    if Message.objects.filter(conversation=held, author=Author.AGENT, kind=MessageKind.OUTGOING).exists():
        return False
    last = TurnRecord.objects.filter(conversation=held).order_by("-through").values_list("outcome", flat=True).first()
    if last not in ANSWERED:
        return False
    bodies = DialogueEvent.objects.filter(conversation=held).order_by("position").values_list("body", flat=True)
    return not fold(map(from_json, bodies)).stack


def give_up(erased: Sequence[Conversation]) -> None:
    """Of conversations that are about to be erased: those that went on are not counted; in scope."""
    going_on = [each.pk for each in erased if each.status != ConversationStatus.RESOLVED]
    rows = BotResolution.objects.select_for_update().filter(conversation__in=going_on, state__in=UNDECIDED)
    for row in rows.order_by("pk"):
        _reopen(row, timezone.now())


def _reopen(row: BotResolution, now: datetime) -> None:
    """The contact has come back: nothing is counted. The row is held."""
    if row.state == ResolutionState.HELD:
        billing.release(row.pk)
    row.state, row.reopened_at, row.ended_at = ResolutionState.REOPENED, now, now
    row.save(update_fields=["state", "reopened_at", "ended_at"])


# ---------------------------------------------------------------- counting


def due() -> QuerySet[BotResolution]:
    """What was just resolved, or is to be counted or let go by now; across tenants."""
    ripe = Q(state=ResolutionState.HELD, due_at__lte=Now())
    rows: QuerySet[BotResolution] = BotResolution.objects.filter(Q(state=ResolutionState.RESOLVED) | ripe | STILL_HELD)
    return rows


def settle_due() -> int:
    """Holds what was just resolved, and counts or lets go what is due; each in a transaction of its own."""
    with across_tenants(Across.CLAIM_WORK):
        found = list(due().order_by("due_at").values_list("organization_id", "pk")[:AT_ONCE])
    now = timezone.now()
    return sum(_settle(organization, id, now) for organization, id in found)


def _settle(organization_id: UUID, id: UUID, now: datetime) -> bool:
    """One row. Of two workers one has it; what a lost one had begun is undone with its transaction."""
    with tenancy.scope(organization_id):
        row: BotResolution | None = (
            BotResolution.objects.select_for_update(skip_locked=True)
            .filter(Q(state__in=UNDECIDED) | STILL_HELD, pk=id)
            .first()
        )
        if row is None:
            return False
        if row.state == ResolutionState.REOPENED:
            billing.release(row.pk)
            row.ended_at = now
            row.save(update_fields=["ended_at"])
            return True
        if row.state == ResolutionState.RESOLVED:
            return _held(row)
        if row.due_at > now:
            return False
        return _counted(row, now)


def _held(row: BotResolution) -> bool:
    try:
        billing.hold(row.pk, ONE, billing.limits_of(row.organization_id))
    except MillraceError as error:
        # Nobody is refused anything for this: it is not counted, and the next conversations begin with people.
        log.info("resolution not counted", reason=error.code, organization=str(row.organization_id))
        row.state, row.reason, row.ended_at = ResolutionState.REFUSED, error.code, timezone.now()
    else:
        row.state = ResolutionState.HELD
    row.save(update_fields=["state", "reason", "ended_at"])
    return True


def _counted(row: BotResolution, now: datetime) -> bool:
    conversation: Conversation | None = Conversation.objects.filter(pk=row.conversation_id).first()
    # Of a conversation that was erased it is only known that nobody had come back.
    stayed = conversation is None or (
        conversation.merged_into_id is None
        and conversation.status == ConversationStatus.RESOLVED
        and conversation.resolved_at == row.resolved_at
    )
    if not stayed:
        _reopen(row, now)
        return True
    billing.settle(row.pk, billing.Charge(quantity=1))
    row.state, row.ended_at = ResolutionState.COUNTED, now
    row.save(update_fields=["state", "ended_at"])
    return True
