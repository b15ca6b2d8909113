"""Telling those who take part in a conversation what is said in it, by mail, while their console is closed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from apps.core.mail import compose_later
from apps.core.statements import TenantStatement
from apps.support.access import READ
from apps.support.assigning import PRESENT_SECONDS
from apps.support.models import Agent, Conversation, Cursor, Message, MessageKind, Participant

PARTICIPANT = "support_participant"
SPOKEN = frozenset({MessageKind.INCOMING, MessageKind.OUTGOING, MessageKind.NOTE})

# Asked with every message; what the bot answers alone has nobody.
_THERE: TenantStatement[Participant] = TenantStatement(
    lambda id: Participant.objects.filter(conversation=id).order_by("id"), UUID
)


def tell(conversation: Conversation, message: Message) -> None:
    """One mail to each who has not written it, is not named in it, and has looked since the last; the row is held."""
    if message.kind not in SPOKEN:
        return
    there = _THERE.ask(conversation.pk)
    if not there:
        return
    # Whoever is just being taken off with their membership is not waited for, which would wait for the conversation.
    rows = Participant.objects.select_for_update(of=("self",), skip_locked=True)
    rows = rows.filter(pk__in=[row.pk for row in there])
    rows = rows.select_related("membership__user", "membership__custom_role")
    since = timezone.now() - timedelta(seconds=PRESENT_SECONDS)
    # Whoever has the console open sees it there, and whoever is named in a note is told of that.
    elsewhere = Agent.objects.filter(seen_at__gt=since).values("membership")
    named = message.details.get("mentions", ())
    found = list(rows.exclude(membership__in=elsewhere).exclude(membership__in=named))
    if not found:
        return
    seen = dict(Cursor.objects.filter(conversation=conversation, contact=None).values_list("membership_id", "seen"))
    for row in found:
        member = row.membership
        has_looked = seen.get(member.pk, 0) >= row.told_through
        if has_looked and member.user_id != message.user_id and member.user.is_active and READ in member.permissions:
            row.told_through = message.sequence
            row.save(update_fields=["told_through"])
            data = {"organization": str(conversation.organization_id), "id": str(row.pk), "message": str(message.pk)}
            compose_later(PARTICIPANT, member.user.email, data, in_turn=True)
