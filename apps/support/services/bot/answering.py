"""What of an answer that a model writes is kept with the turn, so that nothing is written twice or said too late."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.access import Actor
from apps.accounts.audit.recording import system
from apps.accounts.models import Organization
from apps.core import tenancy
from apps.core.jobs import Status
from apps.support.models import BotTurn, Conversation, Message, MessageKind
from apps.support.services.bot.speaking import NotMine, Silenced, Superseded
from apps.support.services.bot.turns import Prepared


def writing_actor(organization_id: UUID) -> Actor:
    """The product itself: what the bot has written is the organization's own usage, and nobody's of it."""
    with tenancy.scope(organization_id):
        closing = Organization.objects.filter(pk=organization_id, deletes_at__isnull=False).exists()
    made = system(organization_id)
    return Actor(made.organization_id, made.permissions, name=made.name, kind=made.kind, closing=closing)


def asked_before(turn: BotTurn, digest: str) -> UUID | None:
    """The text that an earlier attempt has asked for, if it asked for the same."""
    with tenancy.scope(turn.organization_id):
        row: BotTurn | None = BotTurn.objects.filter(pk=turn.pk).first()
    return row.generation if row is not None and row.asked == digest else None


def note_asked(turn: BotTurn, generation: UUID, digest: str) -> None:
    """In the transaction that accepts the text, in scope; raises NotMine, and then nothing is accepted."""
    mine = BotTurn.objects.filter(pk=turn.pk, attempt=turn.attempt, status=Status.RUNNING)
    if not mine.update(generation=generation, asked=digest):
        raise NotMine


def require_silence(prepared: Prepared) -> None:
    """Raises Silenced once a person has acted, and Superseded once the visitor has gone on writing."""
    with tenancy.scope(prepared.turn.organization_id):
        if not Conversation.objects.filter(pk=prepared.conversation.pk, bot_owns=True, merged_into=None).exists():
            raise Silenced
        incoming = Message.objects.filter(conversation=prepared.conversation, kind=MessageKind.INCOMING)
        if incoming.filter(sequence__gt=prepared.through).exists():
            raise Superseded
