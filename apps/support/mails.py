"""Mails of the desk, composed by a worker when they leave: mentions, answers to who has left, files and transcripts."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from apps.accounts.models import Membership, Organization
from apps.core import tenancy
from apps.support.access import READ
from apps.support.models import Author, Conversation, Cursor, MailAccount, Mention, Message, Participant
from apps.support.services import unmasking
from apps.support.services.messages import author_name


def support_mention(to: str, organization: str, id: str) -> EmailMessage | None:
    """Who mentioned the reader, and where; nothing, if the note was taken back or they do not read here by now."""
    with tenancy.scope(UUID(organization)):
        rows = Mention.objects.select_related(
            "message__user", "message__conversation", "membership__user", "membership__custom_role"
        )
        found: Mention | None = rows.filter(pk=UUID(id), membership__user__email=to).first()
        if found is None or not _reads(found.membership) or found.message.content_attributes.get("deleted"):
            return None
        conversation = found.message.conversation
        values = {
            "email": to,
            "who": author_name(found.message),
            "note": found.message.content,
            "number": conversation.number,
            "organization_name": Organization.objects.values_list("name", flat=True).get(pk=UUID(organization)),
            "url": settings.BASE_URL + reverse("desk-conversation", args=[conversation.pk]),
        }
    return _composed("mention", to, values)


def support_participant(to: str, organization: str, id: str, message: str) -> EmailMessage | None:
    """What is new where the reader takes part; nothing, if they do not any more, have seen it, or it was taken back."""
    with tenancy.scope(UUID(organization)):
        rows = Participant.objects.select_related(
            "conversation__contact", "membership__user", "membership__custom_role"
        )
        found: Participant | None = rows.filter(pk=UUID(id), membership__user__email=to).first()
        said: Message | None = Message.objects.select_related("user", "contact").filter(pk=UUID(message)).first()
        if found is None or said is None or not _reads(found.membership):
            return None
        if said.content_attributes.get("deleted"):
            # They were not told after all, and are of the next.
            Participant.objects.filter(pk=found.pk, told_through=said.sequence).update(told_through=0)
            return None
        seen = Cursor.objects.filter(conversation=found.conversation, membership=found.membership_id)
        if seen.filter(seen__gte=said.sequence).exists():
            return None
        by_contact = said.author == Author.CONTACT
        values = {
            "email": to,
            "who": str(found.conversation.contact) if by_contact else author_name(said),
            "content": said.content,
            "number": found.conversation.number,
            "organization_name": Organization.objects.values_list("name", flat=True).get(pk=UUID(organization)),
            "url": settings.BASE_URL + reverse("desk-conversation", args=[found.conversation_id]),
        }
    return _composed("participant", to, values)


def support_unread(to: str, organization: str, id: str) -> EmailMessage | None:
    """The answer, in the language that the contact reads; nothing, if they have seen it or it was taken back."""
    with tenancy.scope(UUID(organization)):
        rows = Message.objects.select_related("conversation__contact", "conversation__inbox", "user")
        found: Message | None = rows.filter(pk=UUID(id), conversation__contact__email=to).first()
        if found is None or not found.content:
            return None
        seen = Cursor.objects.filter(conversation=found.conversation, contact=found.conversation.contact)
        if seen.filter(seen__gte=found.sequence).exists():
            return None
        values = {
            "who": author_name(found),
            "content": found.content,
            "number": found.conversation.number,
            "inbox_name": found.conversation.inbox.name,
            "organization_name": Organization.objects.values_list("name", flat=True).get(pk=UUID(organization)),
        }
        language = found.conversation.contact.language or translation.get_language() or settings.LANGUAGE_CODE
    with translation.override(language):
        return _composed("unread", to, values)


def support_transcript(to: str, organization: str, id: str) -> EmailMessage | None:
    """What was said, as it stands when the mail leaves; nothing, if the address may not have it any more.

    Where the inbox has an address of its own, the answer goes there.
    """
    with tenancy.scope(UUID(organization)):
        rows = Conversation.objects.select_related("contact", "inbox")
        found: Conversation | None = rows.filter(pk=UUID(id)).first()
        if found is None or not unmasking.may_have(found, to):
            return None
        account = MailAccount.objects.filter(inbox=found.inbox).first()
        values = {
            "number": found.number,
            "text": unmasking.written(found),
            "organization_name": Organization.objects.values_list("name", flat=True).get(pk=UUID(organization)),
        }
        is_contact = to.casefold() == found.contact.email.casefold()
        language = (
            (found.contact.language if is_contact else "") or translation.get_language() or settings.LANGUAGE_CODE
        )
    with translation.override(language):
        mail = _composed("transcript", to, values)
    if account is not None:
        mail.reply_to = [account.address]
    return mail


def support_file_unchecked(to: str, organization: str, id: str) -> EmailMessage | None:
    """Where the file is that nobody is given; nothing, if the message is gone by now."""
    with tenancy.scope(UUID(organization)):
        found: Message | None = Message.objects.select_related("conversation").filter(pk=UUID(id)).first()
        if found is None:
            return None
        values = {
            "number": found.conversation.number,
            "organization_name": Organization.objects.values_list("name", flat=True).get(pk=UUID(organization)),
            "url": settings.BASE_URL + reverse("desk-conversation", args=[found.conversation_id]),
        }
    return _composed("file_unchecked", to, values)


def _reads(member: Membership) -> bool:
    """Whether a member may be told what was said, at this moment."""
    return member.user.is_active and READ in member.permissions


def _composed(name: str, to: str, values: dict[str, object]) -> EmailMessage:
    subject = " ".join(render_to_string(f"support/email/{name}_subject.txt", values).split())
    text = render_to_string(f"support/email/{name}_message.txt", values).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])
