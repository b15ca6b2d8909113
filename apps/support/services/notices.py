"""Mails about what somebody has not seen: mentions in notes, and answers to contacts who have left."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from apps.accounts.models import Membership
from apps.core.mail import compose_later
from apps.support.models import Contact, Conversation, Cursor, Mention, Message, OutgoingMail
from apps.support.services.assignment import is_present

MENTION, UNREAD = "support_mention", "support_unread"
# Whoever had the widget open so recently reads the answer there.
JUST_HERE = timedelta(seconds=90)


def mentioned(row: Mention, conversation: Conversation, membership: Membership) -> None:
    """Told by mail, unless the console is open before them."""
    if membership.user.is_active and not is_present(membership.pk) and "support:read" in membership.permissions:
        data = {"organization": str(conversation.organization_id), "id": str(row.pk)}
        compose_later(MENTION, membership.user.email, data, in_turn=True)


def answer_unseen(conversation: Conversation, message: Message) -> None:
    """An answer to somebody who has left an address and is no longer there; one mail until they have looked.

    Of an e-mail inbox the answer itself is a mail already.
    """
    contact: Contact = Contact.objects.get(pk=conversation.contact_id)
    here = contact.last_seen_at is not None and contact.last_seen_at > timezone.now() - JUST_HERE
    if not contact.email or here or OutgoingMail.objects.filter(message=message).exists():
        return
    seen = Cursor.objects.filter(conversation=conversation, contact=contact).values_list("seen", flat=True).first()
    unseen = Message.objects.filter(
        conversation=conversation, kind="outgoing", sequence__gt=seen or 0, sequence__lt=message.sequence
    )
    if unseen.exclude(author="system").filter(details__mailed=True).exists():
        return
    message.details = message.details | {"mailed": True}
    message.save(update_fields=["details"])
    data = {"organization": str(conversation.organization_id), "id": str(message.pk)}
    compose_later(UNREAD, contact.email, data, in_turn=True)
