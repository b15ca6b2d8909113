"""What contacts think of conversations that are resolved."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.core import events
from apps.core.errors import InvalidRequest, NotFound
from apps.support.masking import clean
from apps.support.models import Contact, Conversation, Inbox, Message, MessageKind, Rating
from apps.support.services.desk import settings_of
from apps.support.services.storing import SYSTEM, Draft, append, by_contact, change, locked, message_changed

QUESTION = gettext_noop("How was this conversation?")
LONGEST_COMMENT = 1_000


def ask(held: Conversation, *, by_bot: bool) -> Rating | None:
    """Asks once, where the inbox does and somebody has answered; the conversation's row is held."""
    inbox: Inbox = Inbox.objects.get(pk=held.inbox_id)
    answered = Message.objects.filter(conversation=held, kind=MessageKind.OUTGOING).exclude(author="system")
    if not inbox.csat_enabled or not answered.exists():
        return None
    Rating.objects.filter(conversation=held, answered_at=None).delete()
    asked: Rating = Rating.objects.create(
        organization_id=held.organization_id,
        conversation=held,
        contact_id=held.contact_id,
        assignee_id=held.assignee_id,
        by_bot=by_bot,
    )
    append(held, MessageKind.OUTGOING, SYSTEM, Draft(QUESTION, content_type="input_csat"))
    return asked


def rate(conversation: Conversation, contact: Contact, score: int, comment: str = "") -> Rating:
    """The contact's answer, in scope; another one replaces it as long as the conversation stays resolved."""
    if not isinstance(score, int) or not 1 <= score <= 5:
        raise InvalidRequest("A rating is from 1 to 5.", param="score")
    held = locked(conversation.pk)
    found: Rating | None = (
        Rating.objects.filter(conversation=held, contact=contact).order_by("-asked_at", "-id").first()
    )
    if found is None or held.resolved_at is None:
        raise NotFound("Nothing is to be rated here.")
    said = clean(" ".join(comment.split())[:LONGEST_COMMENT], settings_of(held.organization_id).masked)
    found.score, found.comment, found.answered_at = score, said.text, timezone.now()
    found.save(update_fields=["score", "comment", "answered_at"])
    question: Message | None = (
        Message.objects.filter(conversation=held, content_type="input_csat").order_by("-sequence").first()
    )
    if question is not None:
        # As Chatwoot keeps it: whoever opens the conversation again sees what was chosen.
        answered = {"csat_survey_response": {"rating": score, "feedback_message": said.text}}
        question.content_attributes = question.content_attributes | {"submitted_values": answered}
        question.save(update_fields=["content_attributes"])
    change(held, by_contact(contact), "rated", {"score": score})
    if question is not None:
        message_changed(held, question, ["content_attributes"])
    facts = {"number": held.number, "score": score, "by_bot": found.by_bot}
    events.record("support_conversation.rated", held.pk, facts)
    return found
