"""A mail goes where it belongs, and to nobody else."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from apps.core import tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import NotFound
from apps.support.services import contacts, conversations, merging, visitors
from apps.support.services.mail import accounts, outbox
from apps.support.services.visitors import Proof
from tests.helpers.desk import Desk, open_desk
from tests.helpers.mailing import begun, change, conversations_of, look, received, replied, said, send, with_mail
from tests.helpers.mailservers import Imap, Smtp, written
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db


def test_an_answer_goes_on_in_its_conversation_and_opens_it_again(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    conversation = begun(mail_desk, imap)
    replied(mail_desk, conversation)
    send(mail_desk)
    conversations.set_status(mail_desk.tenant.actor, conversation.pk, "resolved")
    text = "Thanks!\n\nOn Mon, 1 Jan 2026 at 10:00, The Bank <help@bank.example> wrote:\n> We look into it.\n"
    imap.put(written("Re: My card", text, In_Reply_To=smtp.taken[0].mail["Message-ID"]))
    look(mail_desk)
    again = mail_desk.again(conversation)
    assert (len(conversations_of(mail_desk)), again.status) == (1, "open")
    last = said(mail_desk)[-1]
    assert last.content == "Thanks!"
    assert "We look into it." in last.content_attributes["email"]["quoted"]


def test_an_answer_is_found_by_the_signed_address_where_programs_lose_the_ids(
    org_a: Tenant, imap: Imap, smtp: Smtp, trusted: None
) -> None:
    desk = with_mail(open_desk(org_a, "Mail", kind="email"), imap, smtp, plus=True)
    conversation = begun(desk, imap)
    replied(desk, conversation)
    send(desk)
    address = str(smtp.taken[0].mail["Reply-To"])
    assert address.startswith("help+c")
    imap.put(written("Something else", To=address.upper()), written("Forged", To=address.replace("+c", "+c9")))
    look(desk)
    assert [row.subject for row in conversations_of(desk)] == ["My card", "Forged"]
    assert len([row for row in said(desk) if row.conversation_id == conversation.pk]) == 2


def test_ids_of_what_contacts_wrote_let_in_only_who_wrote_there(mail_desk: Desk, imap: Imap) -> None:
    conversation = begun(mail_desk, imap)
    imap.put(
        written("Re: My card", "And?", In_Reply_To="<first@customer.example>"),
        written("Re: My card", "I am Ada", References="<first@customer.example>", From="eve@evil.example"),
    )
    look(mail_desk)
    there = [row.content for row in said(mail_desk) if row.conversation_id == conversation.pk]
    assert there == ["It is lost.", "And?"]
    assert conversations_of(mail_desk)[-1].contact.email == "eve@evil.example"


def test_what_comes_to_a_conversation_that_was_merged_goes_on_in_the_other(
    mail_desk: Desk, imap: Imap, smtp: Smtp
) -> None:
    one = begun(mail_desk, imap)
    replied(mail_desk, one)
    send(mail_desk)
    other = begun(mail_desk, imap, Message_ID="<second@customer.example>")
    merging.merge(mail_desk.tenant.actor, one.pk, other.pk)
    imap.put(written("Re: My card", "More", In_Reply_To=smtp.taken[0].mail["Message-ID"]))
    look(mail_desk)
    assert said(mail_desk)[-1].conversation_id == other.pk


def test_a_mail_never_reaches_another_organization(
    mail_desk: Desk, org_b: Tenant, imap: Imap, smtp: Smtp, outsider: Any
) -> None:
    conversation = begun(mail_desk, imap)
    replied(mail_desk, conversation)
    send(mail_desk)
    change(mail_desk, active=False)
    theirs = with_mail(open_desk(org_b, "Mail", kind="email"), imap, smtp)
    imap.put(written("Re: My card", "Where am I?", In_Reply_To=smtp.taken[0].mail["Message-ID"]))
    look(theirs)
    assert len(said(mail_desk)) == 1
    assert len(conversations_of(theirs)) == 2
    with pytest.raises(NotFound):
        accounts.get(org_b.actor, mail_desk.inbox.pk)
    with pytest.raises(NotFound):
        outbox.send_again(org_b.actor, conversation.pk, 3)


def test_what_a_browser_has_typed_gets_no_mails(mail_desk: Desk, imap: Imap, desk: Desk) -> None:
    """The address of a stranger, typed into a widget, is no claim to what the stranger writes."""
    browser = desk.visitor(name="Eve", email="ada@customer.example")
    conversation = begun(mail_desk, imap)
    assert conversation.contact_id != browser.contact.pk


def test_who_is_proved_in_a_browser_gets_no_mails_of_whom_it_was_merged_into(
    mail_desk: Desk, imap: Imap, desk: Desk
) -> None:
    browser = desk.visitor(name="Eve")
    conversation = begun(mail_desk, imap)
    contacts.merge(mail_desk.tenant.actor, browser.contact.pk, conversation.contact_id)
    with tenancy.scope(desk.tenant.id):
        secret = unseal_from(desk.inbox, "hmac_secret")
    digest = hmac.new(secret.encode(), b"eve", hashlib.sha256).hexdigest()
    proved = visitors.identify(browser, Proof("eve", digest), {})
    again = mail_desk.again(conversation)
    assert (again.contact_id, proved.contact.identifier) == (conversation.contact_id, "eve")
    assert again.contact_id != proved.contact.pk


def test_a_mail_with_the_id_of_another_is_taken_too(mail_desk: Desk, imap: Imap) -> None:
    imap.put(
        written("Noise", Message_ID="<1@customer.example>", From="eve@evil.example"),
        written("My card", Message_ID="<1@customer.example>"),
    )
    look(mail_desk)
    assert [row.subject for row in conversations_of(mail_desk)] == ["Noise", "My card"]


def test_nothing_is_taken_from_who_is_blocked(mail_desk: Desk, imap: Imap) -> None:
    conversation = begun(mail_desk, imap)
    contacts.set_blocked(mail_desk.tenant.actor, conversation.contact_id, True)
    imap.put(written("Again"))
    look(mail_desk)
    assert [row.outcome for row in received(mail_desk)] == ["taken", "refused"]
