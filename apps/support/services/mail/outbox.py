"""What is said to a contact of an e-mail inbox becomes a mail that waits, in the transaction in which it is said."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import jobs, tenancy
from apps.core.errors import NotFound
from apps.support.access import WRITE
from apps.support.errors_mail import MailNotPossible, MailTooMany
from apps.support.mail.tokens import new_message_id
from apps.support.models import (
    Author,
    Contact,
    Conversation,
    InboxKind,
    MailAccount,
    Message,
    MessageKind,
    OutgoingMail,
    Sending,
)

SEND = "support.send_mail"
GIVE_UP_AFTER = timedelta(days=1)
# So many a program may write to an address in an hour: two that answer each other would write without end.
MOST_AUTOMATIC, COUNTED = 20, timedelta(hours=1)
# So many of its mails are looked at for who wrote last.
MOST_LOOKED_AT = 50
# Questions that are answered in the widget alone.
NOT_BY_MAIL = frozenset({"input_csat"})
NO_MAIL = gettext_noop("There is no mail of this message that could be sent again.")


def leave(conversation: Conversation, message: Message) -> OutgoingMail | None:
    """The mail of a message, where the inbox has mail servers; notes, and what no program may answer, make none."""
    if message.kind != MessageKind.OUTGOING or message.content_type in NOT_BY_MAIL:
        return None
    if conversation.inbox.kind != InboxKind.EMAIL:
        return None
    account: MailAccount | None = MailAccount.objects.filter(inbox=conversation.inbox_id).first()
    if account is None:
        return None
    automatic = message.author in (Author.BOT, Author.SYSTEM)
    if automatic and _answers_a_program(conversation, message):
        return None
    to = _recipient(conversation)
    problem = "" if to else MailNotPossible.code
    if to and automatic and _has_had_many(to):
        problem = MailTooMany.code
    made: OutgoingMail = OutgoingMail.objects.create(
        organization_id=conversation.organization_id,
        conversation=conversation,
        message=message,
        account=account,
        to=to,
        mail_id=new_message_id(conversation.inbox_id, conversation.number, account.address),
        automatic=automatic,
        status=Sending.FAILED if problem else Sending.WAITING,
        problem=problem,
        give_up_at=timezone.now() + GIVE_UP_AFTER,
    )
    jobs.ring(SEND)
    return made


def _recipient(conversation: Conversation) -> str:
    """Whoever wrote the last mail, as it said then: what a profile says may have been typed by somebody else. Programs
    count where nobody else wrote, and the profile where no mail came.
    """
    said = Message.objects.filter(conversation=conversation, kind=MessageKind.INCOMING, details__has_key="mail")
    facts = [each["mail"] for each in said.order_by("-sequence").values_list("details", flat=True)[:MOST_LOOKED_AT]]
    mails = [each for each in facts if each.get("answer_to")]
    if mails:
        chosen = next((each for each in mails if not each.get("automatic")), mails[0])
        return str(chosen["answer_to"])
    return str(Contact.objects.values_list("email", flat=True).get(pk=conversation.contact_id))


def _answers_a_program(conversation: Conversation, message: Message) -> bool:
    said = Message.objects.filter(conversation=conversation, kind=MessageKind.INCOMING, sequence__lt=message.sequence)
    last = said.order_by("-sequence").values_list("details", flat=True).first()
    return bool(last and last.get("mail", {}).get("automatic"))


def _has_had_many(to: str) -> bool:
    since = timezone.now() - COUNTED
    return bool(OutgoingMail.objects.filter(to=to, automatic=True, created_at__gte=since).count() >= MOST_AUTOMATIC)


def cancel(message: Message) -> None:
    """What is taken back does not leave any more."""
    OutgoingMail.objects.filter(message=message, status__in=(Sending.WAITING, Sending.FAILED)).update(
        status=Sending.CANCELLED
    )


def send_again(actor: Actor, conversation_id: UUID, sequence: int) -> OutgoingMail:
    """The same mail once more and at once, to whoever wrote last and by the inbox's present servers."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        rows = OutgoingMail.objects.select_for_update(of=("self",), no_key=True).select_related("conversation")
        found: OutgoingMail | None = rows.filter(
            message__conversation=conversation_id,
            message__sequence=sequence,
            status__in=(Sending.FAILED, Sending.WAITING),
        ).first()
        if found is None:
            raise NotFound(NO_MAIL)
        if found.taken_by is not None:
            # It is being sent at this moment.
            return found
        account = MailAccount.objects.filter(inbox=found.conversation.inbox_id).first()
        to = _recipient(found.conversation)
        if account is None or not to:
            raise MailNotPossible
        found.account, found.to = account, to
        found.status, found.problem, found.attempts, found.taken_by = Sending.WAITING, "", 0, None
        found.send_at, found.give_up_at = Now(), timezone.now() + GIVE_UP_AFTER
        found.save()
        found.refresh_from_db()
        jobs.ring(SEND)
    return found
