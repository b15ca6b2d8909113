"""Answers leave once, as mails of their thread, by servers that were set up; the servers are real ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.support.errors_mail import MailError, MailNotEncrypted, MailServerRefused
from apps.support.models import Contact, MailAccount, OutgoingMail, ReceivedMail, Sending
from apps.support.services import contacts, inboxes, messages
from apps.support.services.files import Upload
from apps.support.services.mail import accounts, outbox, receiving, sending
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk, open_desk
from tests.helpers.mailing import (
    ADDRESS,
    account,
    begun,
    change,
    conversations_of,
    due,
    look,
    mails,
    received,
    replied,
    send,
    values,
    with_mail,
)
from tests.helpers.mailservers import PASSWORD, Imap, Smtp, written
from tests.helpers.people import Tenant, audit_of

pytestmark = pytest.mark.django_db


# ---------------------------------------------------------------- sent


def test_an_answer_leaves_as_a_part_of_the_thread(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    conversation = begun(mail_desk, imap)
    replied(mail_desk, conversation, files=[Upload("terms.pdf", b"%PDF-1.4 terms")])
    messages.note(mail_desk.tenant.actor, conversation.pk, Draft("Only for us"))
    assert send(mail_desk) == 1
    [taken] = smtp.taken
    mail = taken.mail
    assert (taken.sender, taken.recipients) == (ADDRESS, ["ada@customer.example"])
    assert str(mail["From"]) == f"The Bank <{ADDRESS}>"
    assert (str(mail["Subject"]), mail["Auto-Submitted"]) == ("Re: My card", None)
    assert str(mail["In-Reply-To"]) == str(mail["References"]) == "<first@customer.example>"
    body = mail.get_body()
    assert body is not None
    assert body.get_content().strip() == "We look into it."
    assert [part.get_content() for part in mail.iter_attachments()] == [b"%PDF-1.4 terms"]
    assert [(row.status, row.mail_id) for row in mails(mail_desk)] == [("sent", str(mail["Message-ID"]))]
    assert send(mail_desk) == 0


def test_what_the_bot_says_is_marked_as_automatic(org_a: Tenant, imap: Imap, smtp: Smtp, trusted: None) -> None:
    desk = with_mail(open_desk(org_a, "Mail", kind="email", bot_enabled=True), imap, smtp)
    conversation = begun(desk, imap)
    desk.bot_says(conversation, "Which card?", content_attributes={"items": [{"title": "Debit", "value": "d"}]})
    send(desk)
    mail = smtp.taken[0].mail
    assert str(mail["Auto-Submitted"]) == "auto-replied"
    assert "- Debit" in str(mail.get_content())


def test_two_programs_that_answer_each_other_come_to_an_end(
    org_a: Tenant, imap: Imap, smtp: Smtp, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_AUTOMATIC", 2)
    desk = with_mail(open_desk(org_a, "Mail", kind="email", bot_enabled=True), imap, smtp)
    conversation = begun(desk, imap)
    for n in range(3):
        desk.bot_says(conversation, f"Answer {n}")
    assert [row.problem for row in mails(desk)] == ["", "", "mail_too_many"]
    assert send(desk) == 2


def test_it_is_tried_again_under_the_same_id_and_fails_visibly_in_the_end(
    mail_desk: Desk, imap: Imap, smtp: Smtp
) -> None:
    conversation = begun(mail_desk, imap)
    message = replied(mail_desk, conversation)
    smtp.answers += ["451 4.3.0 Later", "451 4.3.0 Later"]
    assert send(mail_desk) == 0
    [row] = mails(mail_desk)
    assert (row.status, row.problem) == (Sending.WAITING, "mail_deferred")
    assert row.send_at > timezone.now()
    assert send(mail_desk) == 0
    assert smtp.tries == 1
    due(mail_desk, give_up_at=timezone.now())
    send(mail_desk)
    assert [each.status for each in mails(mail_desk)] == ["failed"]
    told = mail_desk.history(conversation)[-1]
    assert (told.details["why"], told.details["problem"]) == ("mail_failed", "mail_deferred")
    outbox.send_again(mail_desk.tenant.actor, conversation.pk, message.sequence)
    assert send(mail_desk) == 1
    assert str(smtp.taken[0].mail["Message-ID"]) == row.mail_id
    with pytest.raises(NotFound):
        outbox.send_again(mail_desk.tenant.actor, conversation.pk, message.sequence)


def test_who_dies_after_the_server_took_it_sends_the_same_mail_again(
    mail_desk: Desk, imap: Imap, smtp: Smtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    replied(mail_desk, begun(mail_desk, imap))
    [(organization, id)] = sending.due_accounts()
    lost = sending.claim(organization, id)
    assert lost is not None
    assert sending.claim(organization, id) is None

    def die_afterwards(*given: Any, was: Any = sending.smtp.send) -> None:
        was(*given)
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(sending.smtp, "send", die_afterwards)
        sending.send(lost)
    due(mail_desk)
    assert send(mail_desk) == 1
    # The lost one wakes up: the mail is no longer its to send.
    sending.send(lost)
    ids = [str(each.mail["Message-ID"]) for each in smtp.taken]
    assert (len(ids), len(set(ids))) == (2, 1)


def test_a_recipient_who_is_refused_fails_at_once_and_holds_up_no_other(
    mail_desk: Desk, imap: Imap, smtp: Smtp
) -> None:
    smtp.refused.add("ada@customer.example")
    replied(mail_desk, begun(mail_desk, imap))
    replied(mail_desk, begun(mail_desk, imap, Message_ID="<b@customer.example>", From="bob@customer.example"))
    assert send(mail_desk) == 1
    assert [(row.status, row.problem) for row in mails(mail_desk)] == [
        ("failed", "mail_recipient_refused"),
        ("sent", ""),
    ]


def test_a_recipient_who_is_deferred_holds_up_no_other(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    smtp.deferred.add("ada@customer.example")
    replied(mail_desk, begun(mail_desk, imap))
    replied(mail_desk, begun(mail_desk, imap, Message_ID="<b@customer.example>", From="bob@customer.example"))
    assert send(mail_desk) == 1
    ada, bob = mails(mail_desk)
    assert (ada.status, ada.problem, ada.send_at > timezone.now()) == ("waiting", "mail_deferred", True)
    assert bob.status == "sent"


def test_trouble_of_a_server_puts_others_off_no_longer_than_the_mail_that_met_it(
    mail_desk: Desk, imap: Imap, smtp: Smtp
) -> None:
    conversation = begun(mail_desk, imap)
    replied(mail_desk, conversation, "First")
    due(mail_desk, attempts=10, problem="mail_deferred")
    with tenancy.scope(mail_desk.tenant.id):
        OutgoingMail.objects.update(send_at=timezone.now() + timedelta(hours=1))
    replied(mail_desk, conversation, "Second")
    replied(mail_desk, conversation, "Third")
    smtp.answers.append("451 4.3.0 Later")
    assert send(mail_desk) == 0
    first, second, third = mails(mail_desk)
    assert third.send_at == second.send_at < timezone.now() + timedelta(minutes=5) < first.send_at
    # Of those that are due together the one goes first that has been tried least.
    due(mail_desk)
    with tenancy.scope(mail_desk.tenant.id):
        OutgoingMail.objects.update(send_at=second.created_at)
    claimed = sending.claim(mail_desk.tenant.id, account(mail_desk).pk)
    assert claimed is not None
    assert claimed.id == third.pk


def test_what_the_program_fails_at_is_not_tried_for_ever(
    mail_desk: Desk, imap: Imap, smtp: Smtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    replied(mail_desk, begun(mail_desk, imap))

    def fail(*_: Any) -> None:
        raise AttributeError("a fault of the program")

    monkeypatch.setattr(sending, "compose", fail)
    assert send(mail_desk) == 0
    assert [(row.status, row.problem) for row in mails(mail_desk)] == [("failed", "mail_not_possible")]


def test_an_answer_goes_to_who_wrote_whatever_the_profile_says_now(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    conversation = begun(mail_desk, imap)
    with tenancy.scope(mail_desk.tenant.id):
        Contact.objects.filter(pk=conversation.contact_id).update(email="eve@evil.example")
    message = replied(mail_desk, conversation)
    smtp.refused.add("ada@customer.example")
    send(mail_desk)
    smtp.refused.clear()
    outbox.send_again(mail_desk.tenant.actor, conversation.pk, message.sequence)
    send(mail_desk)
    assert [taken.recipients for taken in smtp.taken] == [["ada@customer.example"]]


def test_what_came_back_is_told_at_the_message(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    conversation = begun(mail_desk, imap)
    replied(mail_desk, conversation)
    send(mail_desk)
    id = str(smtp.taken[0].mail["Message-ID"])
    report = (
        'From: MAILER-DAEMON@mx.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"'
        "\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIt failed.\r\n--b\r\nContent-Type: message/delivery-status"
        "\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; ada@customer.example\r\n"
        "Action: failed\r\nStatus: 5.1.1\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"Message-ID: {id}\r\nSubject: Re: My card\r\n--b--\r\n"
    )
    imap.put(report.encode())
    look(mail_desk)
    assert [(row.status, row.problem) for row in mails(mail_desk)] == [("failed", "mail_bounced")]
    assert len(conversations_of(mail_desk)) == 1
    assert mail_desk.history(conversation)[-1].details["why"] == "mail_failed"


def test_what_was_taken_back_does_not_leave(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    conversation = begun(mail_desk, imap)
    message = replied(mail_desk, conversation)
    messages.delete_message(mail_desk.tenant.actor, conversation.pk, message.sequence)
    assert (send(mail_desk), smtp.tries, [row.status for row in mails(mail_desk)]) == (0, 0, ["cancelled"])


def test_a_header_cannot_be_smuggled_in(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    imap.put(written("=?utf-8?Q?Hi=0D=0ABcc:_all@evil.example?="))
    look(mail_desk)
    [conversation] = conversations_of(mail_desk)
    replied(mail_desk, conversation)
    send(mail_desk)
    assert smtp.taken[0].mail["Bcc"] is None
    assert smtp.taken[0].recipients == ["ada@customer.example"]


# ---------------------------------------------------------------- set up


def test_passwords_are_sealed_and_go_to_no_other_server(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    with tenancy.scope(mail_desk.tenant.id):
        assert PASSWORD not in str(list(MailAccount.objects.values()))
    actor, id = mail_desk.tenant.actor, mail_desk.inbox.pk
    assert accounts.set_up(actor, id, {"name": "Bank"}).name == "Bank"
    with pytest.raises(InvalidRequest) as refused:
        accounts.set_up(actor, id, {"smtp_host": "smtp.evil.example", "smtp_tls": "tls"})
    assert refused.value.param == "smtp_password"
    assert PASSWORD not in str([vars(row) for row in audit_of(mail_desk.tenant, "support_inbox.changed")])


def test_correcting_the_server_loses_no_mail_and_another_mailbox_begins_now(
    mail_desk: Desk, imap: Imap, smtp: Smtp
) -> None:
    actor, id, before = mail_desk.tenant.actor, mail_desk.inbox.pk, account(mail_desk)
    change(mail_desk, uid_validity=7, last_uid=9)
    moved = accounts.set_up(
        actor, id, {"imap_host": "imap.bank.example", "imap_port": 993, "imap_tls": "tls", "imap_password": "x"}
    )
    assert (moved.begins_at, moved.uid_validity, moved.last_uid) == (before.begins_at, None, 0)
    assert accounts.set_up(actor, id, {"folder": "Support"}).begins_at > before.begins_at


def test_only_servers_that_may_be_asked_are_asked(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    actor, id = mail_desk.tenant.actor, mail_desk.inbox.pk
    with pytest.raises(InvalidRequest):
        accounts.set_up(actor, id, {"imap_host": "mail.example.org", "imap_tls": "none", "imap_password": "x"})
    inside = {"imap_host": "127.0.0.1", "imap_port": 993, "imap_tls": "tls", "imap_password": "x"}
    with pytest.raises(MailServerRefused):
        accounts.try_out(actor, id, inside)


def test_trying_the_connection_says_what_is_wrong(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    actor, id = mail_desk.tenant.actor, mail_desk.inbox.pk
    accounts.try_out(actor, id)
    assert smtp.tries == 0
    for changed, code, param in (
        ({"imap_password": "wrong"}, "mail_sign_in_refused", "imap_host"),
        ({"smtp_password": "wrong"}, "mail_sign_in_refused", "smtp_host"),
        ({"folder": "Nowhere"}, "mail_folder_missing", "imap_host"),
        ({"imap_tls": "starttls"}, "mail_not_encrypted", "imap_host"),
    ):
        with pytest.raises(MailError) as wrong:
            accounts.try_out(actor, id, changed)
        assert (wrong.value.code, wrong.value.param) == (code, param)


def test_what_speaks_another_protocol_is_told_apart(mail_desk: Desk, imap: Imap, smtp: Smtp, settings: Any) -> None:
    with pytest.raises(MailNotEncrypted):
        accounts.try_out(mail_desk.tenant.actor, mail_desk.inbox.pk, {"smtp_tls": "tls"})
    change(mail_desk, imap_port=smtp.port)
    look(mail_desk)
    assert account(mail_desk).problem == "mail_server_confused"


def test_only_an_inbox_for_mail_has_servers(desk: Desk, imap: Imap, smtp: Smtp, trusted: None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        accounts.set_up(desk.tenant.actor, desk.inbox.pk, values(imap, smtp))
    assert refused.value.code == "mail_not_set_up"


def test_two_inboxes_do_not_share_a_mailbox(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    second = open_desk(mail_desk.tenant, "Second", kind="email")
    with pytest.raises(InvalidRequest):
        accounts.set_up(mail_desk.tenant.actor, second.inbox.pk, values(imap, smtp))
    inboxes.close(mail_desk.tenant.actor, mail_desk.inbox.pk)
    accounts.set_up(mail_desk.tenant.actor, second.inbox.pk, values(imap, smtp))
    assert receiving.claim(5, failing=False)[0].account_id == account(second).pk


def test_an_erased_contact_leaves_no_name_in_what_was_set_aside(mail_desk: Desk, imap: Imap) -> None:
    conversation = begun(mail_desk, imap)
    with tenancy.scope(mail_desk.tenant.id):
        ReceivedMail.objects.update(outcome="aside", sender="ADA@customer.example", subject="Mine")
    contacts.erase(mail_desk.tenant.actor, conversation.contact_id)
    assert [(row.sender, row.subject) for row in received(mail_desk)] == [("", "")]
