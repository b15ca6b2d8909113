"""Mails are taken in once, whatever they are like and whoever dies meanwhile; the server is a real one."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import NotFound
from apps.support.models import BotTurn, Contact, Conversation, Message, Received, ReceivedMail
from apps.support.services import messages
from apps.support.services.mail import accounts, placing, receiving
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk, open_desk
from tests.helpers.mailing import (
    ADDRESS,
    account,
    begun,
    change,
    conversations_of,
    look,
    mails,
    received,
    replied,
    said,
    send,
    with_mail,
)
from tests.helpers.mailservers import Imap, Smtp, written
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def written_down(*models: Any) -> str:
    """All texts of these tables, without ids and moments, in which any digits may stand by chance."""
    rows = [row for model in models for row in model.objects.values()]
    return ID.sub("", str([[value for value in row.values() if isinstance(value, str | dict | list)] for row in rows]))


# ---------------------------------------------------------------- taken in


def test_a_mail_begins_a_conversation_with_a_contact_who_is_not_proved(mail_desk: Desk, imap: Imap) -> None:
    conversation = begun(mail_desk, imap)
    assert (conversation.subject, conversation.status) == ("My card", "open")
    assert conversation.waiting_since is not None
    contact = conversation.contact
    assert (contact.email, contact.name, contact.verified_at) == ("ada@customer.example", "Ada", None)
    assert [row.content for row in said(mail_desk)] == ["It is lost."]


def test_an_address_opens_nothing_of_somebody_who_was_proved(mail_desk: Desk, imap: Imap) -> None:
    with tenancy.scope(mail_desk.tenant.id):
        proved = Contact.objects.create(
            organization=mail_desk.tenant.organization, email="Ada@customer.example", verified_at=timezone.now()
        )
    first = begun(mail_desk, imap)
    assert first.contact_id != proved.pk
    second = begun(mail_desk, imap, Message_ID="<other@customer.example>", From="ADA@customer.example")
    assert (second.pk != first.pk, second.contact_id) == (True, first.contact_id)


def test_a_mail_is_taken_once_however_often_it_is_looked_at(mail_desk: Desk, imap: Imap) -> None:
    mail = written(Message_ID="<once@customer.example>")
    imap.put(mail, mail)
    look(mail_desk)
    look(mail_desk)
    assert len(said(mail_desk)) == 1
    # The server was restored, and its numbers mean other mails now.
    change(mail_desk, uid_validity=1, last_uid=0)
    look(mail_desk)
    assert len(said(mail_desk)) == 1
    assert account(mail_desk).uid_validity != 1


def test_a_worker_that_dies_before_the_cursor_is_written_leaves_nothing_half_done(
    mail_desk: Desk, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.put(written())

    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(receiving, "_advance", die)
        look(mail_desk)
    assert (said(mail_desk), received(mail_desk)) == ([], [])
    # Nobody else has the mailbox until the lease has lapsed.
    assert look(mail_desk) == 0
    change(mail_desk, taken_until=timezone.now() - timedelta(seconds=1))
    look(mail_desk)
    assert len(said(mail_desk)) == 1


def test_who_has_lost_the_mailbox_writes_nothing_any_more(mail_desk: Desk, imap: Imap) -> None:
    raw = written().as_bytes()
    change(mail_desk, uid_validity=7)
    [slow] = receiving.claim(1, failing=False)
    change(mail_desk, taken_until=timezone.now() - timedelta(seconds=1))
    [quick] = receiving.claim(1, failing=False)
    receiving.take(quick, (7, 1), raw)
    with pytest.raises(receiving.LookLost):
        receiving.take(slow, (7, 1), raw)
    assert len(said(mail_desk)) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_has_the_mailbox(mail_desk: Desk, imap: Imap) -> None:
    from django.db import connection

    imap.put(written())
    found: list[int] = []
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        found.append(sum(receiving.look(each) for each in receiving.claim(5, failing=False)))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1]
    assert len(said(mail_desk)) == 1


def test_mails_from_before_the_inbox_was_set_up_are_left_alone(mail_desk: Desk, imap: Imap) -> None:
    imap.put(written("Old"), date='"01-Jan-2020 10:00:00 +0000"')
    imap.put(written("New"))
    look(mail_desk)
    assert [row.subject for row in conversations_of(mail_desk)] == ["New"]


def test_a_bad_mail_is_set_aside_with_its_reason_and_stops_no_other(
    mail_desk: Desk, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MOST_BYTES", 10_000)
    nested = b"From: a@b.example\r\nMIME-Version: 1.0\r\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(101)
    )
    imap.put(
        written("One"),
        b"Subject: 4111 1111 1111 1111 from nobody\r\n\r\nHello",
        written("Large", "x" * 11_000),
        nested * 1,
        b"\x00\xff\xfe garbage without any header",
        written("Two"),
    )
    look(mail_desk)
    assert [row.subject for row in conversations_of(mail_desk)][:1] == ["One"]
    assert conversations_of(mail_desk)[-1].subject == "Two"
    aside = received(mail_desk, outcome=Received.ASIDE)
    assert [row.reason for row in aside] == ["no_sender", "too_large", "nested_too_deeply", "no_sender"]
    assert "4111" not in str([row.subject for row in aside])
    shown = accounts.set_aside(mail_desk.tenant.actor, mail_desk.inbox.pk)
    assert {row.pk for row in shown} == {row.pk for row in aside}


def test_what_was_set_aside_is_taken_once_it_can_be(
    mail_desk: Desk, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.put(written("One"), written("Two", Message_ID="<two@customer.example>"), written("Three"))
    with monkeypatch.context() as patch:
        patch.setattr(placing, "_begun", lambda _a, _c, mail, _w, was=placing._begun: _begins(was, _a, _c, mail, _w))
        look(mail_desk)
    [aside] = received(mail_desk, outcome=Received.ASIDE)
    assert (aside.reason, aside.subject, len(said(mail_desk))) == ("unexpected", "Two", 2)
    accounts.look_again(mail_desk.tenant.actor, mail_desk.inbox.pk, aside.pk)
    look(mail_desk)
    assert sorted(row.subject for row in conversations_of(mail_desk)) == ["One", "Three", "Two"]
    with pytest.raises(NotFound):
        accounts.look_again(mail_desk.tenant.actor, mail_desk.inbox.pk, aside.pk)


def _begins(was: Any, account: Any, contact: Any, mail: Any, why: Any) -> Any:
    if mail.subject == "Two":
        raise ValueError("a fault of the program")
    return was(account, contact, mail, why)


def test_a_look_takes_so_many_mails_and_the_next_one_comes_at_once(
    mail_desk: Desk, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MOST_A_LOOK", 2)
    imap.put(*[written(str(n)) for n in range(3)])
    assert look(mail_desk) == 2
    assert account(mail_desk).look_at <= timezone.now()
    assert (look(mail_desk), len(said(mail_desk))) == (1, 3)
    assert account(mail_desk).look_at > timezone.now()


def test_a_mailbox_that_fails_is_put_off_and_says_so(mail_desk: Desk, imap: Imap) -> None:
    change(mail_desk, imap_port=1)
    look(mail_desk)
    row = account(mail_desk)
    # Nobody has trusted that port, so that nothing leaves without encryption.
    assert (row.problem, row.failures) == ("mail_not_encrypted", 1)
    waits = []
    for _ in range(3):
        before = timezone.now()
        look(mail_desk)
        waits.append((account(mail_desk).look_at - before).total_seconds())
    # Two, four, eight minutes, and what a look took.
    assert [round(wait / 60) for wait in waits] == [2, 4, 8]
    change(mail_desk, imap_port=imap.port)
    look(mail_desk)
    assert (account(mail_desk).problem, account(mail_desk).failures) == ("", 0)


def test_of_mails_whose_keys_are_no_longer_kept_none_is_taken_a_second_time(mail_desk: Desk, imap: Imap) -> None:
    change(mail_desk, begins_at=timezone.now() - timedelta(days=4_000))
    imap.put(written("Old"), date='"01-Jan-2020 10:00:00 +0000"')
    imap.put(written("New"))
    look(mail_desk)
    assert [row.subject for row in conversations_of(mail_desk)] == ["New"]


def test_what_is_quoted_or_stands_where_it_is_cut_is_masked(mail_desk: Desk, imap: Imap) -> None:
    begun(mail_desk, imap)
    card = "4111 1111 1111 1111"
    imap.put(
        written(
            "Re: My card",
            "Yes.\n\n> 4111 1111\n> 1111 1111\n",
            In_Reply_To="<first@customer.example>",
            Message_ID="<id=4111111111111111=x@customer.example>",
        ),
        written("x" * 190 + " " + card, "y" * 19_990 + " " + card, From=f'"{"z" * 110} {card}" <b@customer.example>'),
        written("Sender", From="id=4111111111111111=x@customer.example", Reply_To="ada@customer.example"),
    )
    look(mail_desk)
    assert "[CARD_1]" in said(mail_desk)[1].content_attributes["email"]["quoted"]
    with tenancy.scope(mail_desk.tenant.id):
        stored = written_down(Message, Conversation, Contact, ReceivedMail)
    assert "4111" not in stored
    assert len(said(mail_desk)) == 4


def test_a_mail_that_kills_whoever_reads_it_is_set_aside_after_three_tries(
    mail_desk: Desk, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.put(written("Deadly", Message_ID="<deadly@evil.example>"), written("Two"))

    def die(raw: bytes, was: Any = receiving.parsing.parse) -> Any:
        if b"Deadly" in raw:
            raise SystemExit
        return was(raw)

    monkeypatch.setattr(receiving.parsing, "parse", die)
    for _ in range(3):
        with pytest.raises(SystemExit):
            look(mail_desk)
        change(mail_desk, taken_until=timezone.now() - timedelta(seconds=1))
    look(mail_desk)
    assert [row.reason for row in received(mail_desk, outcome=Received.ASIDE)] == ["too_costly"]
    assert [row.subject for row in conversations_of(mail_desk)] == ["Two"]


def test_a_fault_of_the_program_at_a_mail_sets_it_aside_and_at_a_mailbox_is_shown(
    mail_desk: Desk, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise AttributeError("a fault of the program")

    imap.put(written("One"))
    with monkeypatch.context() as patch:
        patch.setattr(placing, "place", fail)
        look(mail_desk)
    assert [row.reason for row in received(mail_desk)] == ["unexpected"]
    monkeypatch.setattr(receiving, "_read", fail)
    look(mail_desk)
    assert (account(mail_desk).problem, account(mail_desk).failures) == ("mail_failed", 1)


def test_a_mail_is_passed_over_only_where_it_has_gone(
    mail_desk: Desk, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.put(written("One"), written("Two"))
    monkeypatch.setattr(receiving.imap.Mailbox, "raw", lambda *_: None)
    look(mail_desk)
    assert [row.reason for row in received(mail_desk)] == ["not_fetched", "not_fetched"]


# ---------------------------------------------------------------- what mails are like


def test_words_come_out_of_any_charset_and_of_html(mail_desk: Desk, imap: Imap) -> None:
    def raw(charset: str, text: str, kind: str = "plain") -> bytes:
        head = f"From: a@b.example\r\nSubject: {charset}\r\nContent-Type: text/{kind}; charset={charset}\r\n"
        return f"{head}Content-Transfer-Encoding: 8bit\r\n\r\n".encode() + text.encode(charset, "surrogateescape")

    imap.put(
        raw("gb2312", "你好，我的卡丢了"),
        raw("iso-8859-1", "Grüße"),
        b"From: a@b.example\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n" + "Größe".encode(),
        b"From: a@b.example\r\nSubject: =?utf-8?B?5L2g5aW9?= =?x-unknown?Q?=41?=\r\n\r\nbody",
        raw(
            "utf-8",
            "<html><head><style>p{color:red}</style></head><body><p>My <b>card</b></p><script>alert(1)</script>"
            "<ul><li>one<li>two</ul><blockquote>before</blockquote></body></html>",
            "html",
        ),
    )
    look(mail_desk)
    assert [row.content for row in said(mail_desk)] == [
        "你好，我的卡丢了",
        "Grüße",
        "Größe",
        "body",
        "My card\n\none\ntwo\n> before",
    ]
    # A charset that nobody knows leaves the header as it stands there.
    assert conversations_of(mail_desk)[3].subject == "=?utf-8?B?5L2g5aW9?= =?x-unknown?Q?=41?="


def test_files_are_kept_as_others_are_and_what_is_not_taken_keeps_no_mail_out(mail_desk: Desk, imap: Imap) -> None:
    mail = written()
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="../../etc/4111111111111111.pdf")
    mail.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="invoice.exe")
    mail.add_attachment(written("Inner", "Another"))
    for n in range(6):
        mail.add_attachment(b"x", maintype="image", subtype="png", filename=f"{n}.png")
    imap.put(mail)
    look(mail_desk)
    [message] = said(mail_desk)
    names = [file.name for file in message.files.all()]
    assert len(names) == 5
    assert "4111" not in names[0]
    assert "/" not in names[0]
    left = {each["name"]: each["why"] for each in message.details["mail"]["left_out"]}
    assert left == {
        "invoice.exe": "file_not_taken", "message.eml": "file_not_taken", "4.png": "too_many", "5.png": "too_many",
    }  # fmt: skip
    assert message.content == "It is lost."


def test_what_is_masked_is_masked_before_it_is_stored(mail_desk: Desk, imap: Imap) -> None:
    card = "4111 1111 1111 1111"
    imap.put(written(f"Card {card}", f"Mine is {card}", From=f'"{card}" <ada@customer.example>'))
    look(mail_desk)
    conversation, [message] = conversations_of(mail_desk)[0], said(mail_desk)
    with tenancy.scope(mail_desk.tenant.id):
        stored = written_down(Message, Conversation, Contact, ReceivedMail)
    assert "4111" not in stored
    assert (message.masked, "[CARD_1]" in conversation.subject) == (["card"], True)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Auto-Submitted": "auto-generated"}, "auto_submitted"),
        ({"Precedence": "bulk"}, "bulk"),
        ({"List-Id": "<news.example>"}, "list"),
        ({"Return-Path": "<>"}, "bounce"),
        ({"From": "MAILER-DAEMON@mx.example"}, "daemon"),
    ],
)
def test_what_a_program_wrote_is_recorded_and_never_answered(
    org_a: Tenant, imap: Imap, smtp: Smtp, trusted: None, headers: dict[str, str], why: str
) -> None:
    desk = with_mail(open_desk(org_a, "Mail", kind="email", bot_enabled=True), imap, smtp)
    imap.put(written(**headers))
    look(desk)
    [conversation], [message] = conversations_of(desk), said(desk)
    assert message.details["mail"]["automatic"] == why
    assert [row.outcome for row in received(desk)] == ["automatic"]
    assert (conversation.bot_owns, conversation.waiting_since) == (False, None)
    with tenancy.scope(org_a.id):
        assert not BotTurn.objects.exists()
        assert messages.post_by_system(conversation, Draft("We are closed.")).kind == "outgoing"
    assert mails(desk) == []
    # A person may.
    replied(desk, conversation)
    assert len(mails(desk)) == 1


def test_mails_of_the_desk_itself_come_back_to_nothing(mail_desk: Desk, imap: Imap, smtp: Smtp) -> None:
    replied(mail_desk, begun(mail_desk, imap))
    send(mail_desk)
    imap.put(smtp.taken[0].mail, written("Loop", From=f"Help <{ADDRESS}>"))
    look(mail_desk)
    assert [row.outcome for row in received(mail_desk)] == ["taken", "own", "own"]
    assert len(said(mail_desk)) == 1
