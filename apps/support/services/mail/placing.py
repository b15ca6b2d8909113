"""Where a mail belongs: in the conversation that it answers, or in a new one with whoever wrote it.

An address in a mail proves nothing. A conversation is found by ids that only its participants have been sent, by its
signed name, or by the id of a mail in it if the same address writes; and a contact who was proved elsewhere is not
given what came by mail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef
from django.db.models.functions import Lower

from apps.core.errors import MillraceError
from apps.support.mail import quoting
from apps.support.mail.parsing import LONGEST_PERSON, LONGEST_SUBJECT, LONGEST_TEXT, Incoming
from apps.support.mail.tokens import number_in
from apps.support.masking import clean
from apps.support.models import (
    Contact,
    ContactSession,
    Conversation,
    Inbox,
    MailAccount,
    Message,
    OutgoingMail,
    Received,
)
from apps.support.services import contacts, conversations, files, messages, rules, timers
from apps.support.services.desk import settings_of
from apps.support.services.files import MOST_FILES, Upload
from apps.support.services.mail.sending import came_back
from apps.support.services.storing import SYSTEM, Draft, by_contact, change, locked

LONGEST_QUOTED, MOST_LEFT_OUT = 10_000, 20


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a mail."""

    outcome: Received
    reason: str = ""
    message: Message | None = None


def prepare(account: MailAccount, mail: Incoming) -> None:
    """The contact of a mail that begins something new, in scope and in a transaction of its own: that a contact is new
    is an event, and after one no conversation may be waited for.
    """
    if not _is_own(account, mail) and conversation_of(account, mail) is None and _contact_of(mail) is None:
        _new_contact(account, mail)


def place(account: MailAccount, mail: Incoming) -> Placed:
    """Takes a mail in, in scope; whoever calls holds the account."""
    if _is_own(account, mail):
        return Placed(Received.OWN)
    automatic = mail.automatic or ("own" if _is_ours(mail) else "")
    returned = came_back(account.inbox_id, mail.bounced)
    known = conversation_of(account, mail) or (returned.conversation if returned else None)
    contact = contacts.find(known.contact_id) if known else _contact_of(mail) or _new_contact(account, mail)
    if contact.blocked_at is not None:
        return Placed(Received.REFUSED)
    draft = _draft(account, mail, automatic, answers=known is not None)
    conversation = known or _begun(account, contact, mail, automatic)
    message = messages.receive(conversation.pk, contact, draft, automatic=bool(automatic))
    if returned is not None:
        held = locked(message.conversation_id)
        sequence = Message.objects.values_list("sequence", flat=True).get(pk=returned.message_id)
        change(held, SYSTEM, "mail_failed", {"message": sequence, "problem": "mail_bounced"})
    return Placed(Received.AUTOMATIC if automatic else Received.TAKEN, automatic, message)


def _begun(account: MailAccount, contact: Contact, mail: Incoming, automatic: str) -> Conversation:
    inbox: Inbox = Inbox.objects.get(pk=account.inbox_id)
    by = by_contact(contact)
    subject = shortened(mail.subject, LONGEST_SUBJECT, settings_of(account.organization_id).masked)
    if not automatic:
        return conversations.begin(inbox, contact, by, subject=subject)
    with rules.quiet():
        made = conversations.begin(inbox, contact, by, subject=subject, with_bot=False)
    # Nobody waits for an answer, so nothing is promised.
    timers.call_off(made)
    return made


# ---------------------------------------------------------------- which conversation
def conversation_of(account: MailAccount, mail: Incoming) -> Conversation | None:
    """In this inbox; where it was merged into another one, that is found later."""
    rows = Conversation.objects.filter(inbox=account.inbox_id)
    number = number_in(account.inbox_id, [*mail.recipients, *mail.answers])
    if number is not None:
        found: Conversation | None = rows.filter(number=number).first()
        if found is not None:
            return found
    if not mail.answers:
        return None
    sent = OutgoingMail.objects.filter(mail_id__in=mail.answers, conversation__inbox=account.inbox_id)
    id = sent.order_by("-created_at").values_list("conversation_id", flat=True).first()
    return rows.filter(pk=id).first() if id else _of_same_writer(account, mail)


def _of_same_writer(account: MailAccount, mail: Incoming) -> Conversation | None:
    """Ids of what contacts wrote are no secret: by them only whoever wrote there before is let in."""
    rows = Message.objects.filter(external_id__in=mail.answers, conversation__inbox=account.inbox_id)
    for message in rows.select_related("conversation__contact").order_by("-created_at")[:20]:
        there = {str(message.details.get("mail", {}).get("from", "")).lower()}
        there.add(message.conversation.contact.email.lower())
        if {mail.sender.lower(), mail.answer_to.lower()} & (there - {""}):
            found: Conversation = message.conversation
            return found
    return None


def _is_own(account: MailAccount, mail: Incoming) -> bool:
    """What this inbox has sent itself, or somebody in its name."""
    if mail.bounced:
        return False
    local, _, domain = mail.sender.lower().partition("@")
    if f"{local.partition('+')[0]}@{domain}" == account.address.lower():
        return True
    return number_in(account.inbox_id, [mail.message_id]) is not None


def _is_ours(mail: Incoming) -> bool:
    """Sent by another inbox of the same organization."""
    return bool(mail.message_id and OutgoingMail.objects.filter(mail_id=mail.message_id).exists())


# ---------------------------------------------------------------- whose
def _contact_of(mail: Incoming) -> Contact | None:
    """Known by the address, and never proved: whoever forges an address gets no further than that. Nor one who writes
    through a widget, where anybody types whatever address they like and later another one.
    """
    rows = Contact.objects.annotate(address=Lower("email")).filter(
        ~Exists(ContactSession.objects.filter(contact=OuterRef("pk"))),
        address=mail.answer_to.lower(), merged_into=None, verified_at=None,
    )  # fmt: skip
    found: Contact | None = rows.order_by("created_at", "id").first()
    return found


def _new_contact(account: MailAccount, mail: Incoming) -> Contact:
    made = Contact(organization_id=account.organization_id)
    name = mail.sender_name if mail.sender == mail.answer_to else ""
    masked = settings_of(account.organization_id).masked
    contacts.fill(made, {"email": mail.answer_to, "name": shortened(name, LONGEST_PERSON, masked)})
    contacts.save(made)
    contacts.created(made)
    return made


# ---------------------------------------------------------------- what was said
def _draft(account: MailAccount, mail: Incoming, automatic: str, *, answers: bool) -> Draft:
    masked = settings_of(account.organization_id).masked
    parted = quoting.part(mail.text) if answers else quoting.Parted(mail.text)
    taken, left_out = _sorted_files(account, mail)
    facts: dict[str, Any] = {"from": clean(mail.sender, masked).text}
    if clean(mail.answer_to, masked).text == mail.answer_to:
        facts["answer_to"] = mail.answer_to
    facts |= {"automatic": automatic} if automatic else {}
    facts |= {"left_out": left_out} if left_out else {}
    facts |= {"cut": True} if mail.cut else {}
    subject = shortened(mail.subject, LONGEST_SUBJECT, masked)
    said = quoting.changed(parted.said, lambda text: clean(text, masked).text)
    quoted = quoting.changed(parted.quoted, lambda text: clean(text, masked).text)
    said = shortened(said, LONGEST_TEXT, masked) or ("" if taken else subject or "–")
    about = {"subject": subject} | ({"quoted": shortened(quoted, LONGEST_QUOTED, masked)} if quoted else {})
    return Draft(
        said,
        content_attributes={"email": about},
        details={"mail": facts},
        # Masked it would be another id, and as it is it is not to be stored.
        external_id=mail.message_id if clean(mail.message_id, masked).text == mail.message_id else "",
        files=taken,
    )


def shortened(text: str, most: int, masked: Iterable[str]) -> str:
    """Masked before it is cut: of half a number nobody can tell what it is."""
    return text if len(text) <= most else clean(text, masked).text[:most]


def _sorted_files(account: MailAccount, mail: Incoming) -> tuple[list[Upload], list[dict[str, str]]]:
    """Files that the desk takes, and those that it does not, with why: no file keeps a mail out."""
    masked = settings_of(account.organization_id).masked
    taken: list[Upload] = []
    left_out: list[dict[str, str]] = []
    for each in mail.files:
        upload = Upload(each.name, each.data)
        try:
            files.checked([upload])
            why = "too_many" if len(taken) >= MOST_FILES else ""
        except MillraceError as error:
            why = error.code
        if not why:
            taken.append(upload)
        elif len(left_out) < MOST_LEFT_OUT:
            left_out.append({"name": clean(each.name, masked).text[-150:], "why": why})
    return taken, left_out
