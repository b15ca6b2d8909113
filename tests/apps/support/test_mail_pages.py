"""Mail of the desk where people and programs meet it: pages, REST, transcripts, and the worker that carries it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.core.mail import deliver_due
from apps.support.mail import quoting
from apps.support.models import MailAccount, Message, OutgoingMail, ReceivedMail
from apps.support.services import messages, unmasking
from apps.support.services.mail import accounts
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk, open_desk
from tests.helpers.people import Tenant, audit_of, bearer_with
from workers.mail import Post

pytestmark = pytest.mark.django_db
SERVERS = {
    "address": "help@bank.example", "imap_host": "imap.bank.example", "imap_user": "desk",
    "imap_password": "aPassword1", "smtp_host": "smtp.bank.example", "smtp_user": "desk", "smtp_password": "aPassword2",
}  # fmt: skip
FORM = SERVERS | {
    "imap_port": "993", "imap_tls": "tls", "folder": "INBOX", "smtp_port": "587", "smtp_tls": "starttls",
    "active": "on",
}  # fmt: skip


@pytest.fixture
def post(org_a: Tenant) -> Desk:
    return open_desk(org_a, "Mail", kind="email")


@pytest.fixture
def owner(post: Desk, client_of: Callable[[Any], Client]) -> Client:
    return client_of(post.tenant.owner)


@pytest.fixture
def set_up(post: Desk) -> MailAccount:
    return accounts.set_up(post.tenant.actor, post.inbox.pk, SERVERS)


def answered(post: Desk) -> Message:
    conversation = post.begin(post.visitor(name="Ada", email="ada@customer.example"))
    return messages.reply(post.tenant.actor, conversation.pk, Draft("We look into it."))


def test_servers_are_set_and_told_of_on_the_page(post: Desk, owner: Client) -> None:
    inbox, page = reverse("desk-inbox", args=[post.inbox.pk]), reverse("desk-inbox-mail", args=[post.inbox.pk])
    assert page in owner.get(inbox).content.decode()
    assert owner.post(page, FORM).status_code == 302
    shown = owner.get(page).content.decode()
    assert "imap.bank.example" in shown
    assert "aPassword" not in shown
    # Another server would be told the password that was typed for this one.
    refused = owner.post(page, FORM | {"imap_host": "imap.evil.example", "imap_password": ""})
    assert "Type the password for this server." in refused.content.decode()
    assert owner.post(page, FORM | {"name": "The Bank", "imap_password": "", "smtp_password": ""}).status_code == 302
    with tenancy.scope(post.tenant.id):
        MailAccount.objects.update(problem="mail_sign_in_refused", failures=3)
    assert "refuses the user or the password" in owner.get(inbox).content.decode()


def test_trying_the_connection_on_the_page_tells_at_which_server(post: Desk, owner: Client) -> None:
    page = reverse("desk-inbox-mail", args=[post.inbox.pk])
    inside = FORM | {"imap_host": "localhost", "try": "1"}
    shown = owner.post(page, inside)
    assert "not on the public internet" in shown.content.decode()
    with tenancy.scope(post.tenant.id):
        assert not MailAccount.objects.exists()


def test_what_was_set_aside_is_listed_and_taken_again(post: Desk, owner: Client, set_up: MailAccount) -> None:
    with tenancy.scope(post.tenant.id):
        aside = ReceivedMail.objects.create(
            organization=post.tenant.organization, account=set_up, uid_validity=1, uid=9, key="k", outcome="aside",
            reason="too_large", sender="ada@customer.example", subject="<b>Large</b>",
        )  # fmt: skip
    page = reverse("desk-inbox-mail", args=[post.inbox.pk])
    shown = owner.get(page).content.decode()
    assert "It is larger than 25 MB." in shown
    assert "&lt;b&gt;Large" in shown
    assert owner.post(page, {"again": str(aside.pk)}).status_code == 302
    assert "It is larger than 25 MB." not in owner.get(page).content.decode()


def test_a_failure_stands_at_the_message_with_a_way_to_send_it_again(
    post: Desk, owner: Client, set_up: MailAccount
) -> None:
    message = answered(post)
    place = reverse("desk-conversation", args=[message.conversation_id])
    assert "Waits to leave for ada@customer.example." in owner.get(place).content.decode()
    with tenancy.scope(post.tenant.id):
        OutgoingMail.objects.update(status="failed", problem="mail_recipient_refused")
    shown = owner.get(place).content.decode()
    assert "refuses the recipient" in shown
    act = reverse("desk-act", args=[message.conversation_id, "send-again"])
    assert owner.post(act, {"sequence": str(message.sequence)}).status_code == 302
    with tenancy.scope(post.tenant.id):
        assert OutgoingMail.objects.get().status == "waiting"


def test_rest_sets_reads_and_takes_away(post: Desk, owner: Client) -> None:
    api = Client(headers=bearer_with(post.tenant, "support:read", "support:write", "support:manage"))
    place = f"/api/v1/support/inboxes/{post.inbox.pk}/mail"
    assert api.get(place).status_code == 404
    made = api.put(place, SERVERS, "application/json")
    assert made.status_code == 200
    body = made.json()
    assert (body["address"], body["smtp_port"], body["problem"]) == ("help@bank.example", 587, None)
    assert not {"imap_password", "smtp_password"} & set(body)
    message = answered(post)
    found = api.get(f"/api/v1/support/conversations/{message.conversation_id}/messages").json()["data"][-1]
    assert (found["mail"]["status"], found["mail"]["to"]) == ("waiting", "ada@customer.example")
    again = f"/api/v1/support/conversations/{message.conversation_id}/messages/{message.sequence}/send"
    assert api.post(again).json()["status"] == "waiting"
    assert api.delete(place).status_code == 204
    assert api.get(place).status_code == 404
    tried = api.post(f"{place}/try", SERVERS | {"smtp_host": "localhost", "imap_host": "localhost"}, "application/json")
    assert (tried.status_code, tried.json()["error"]["code"]) == (422, "mail_server_refused")
    assert tried.json()["error"]["param"] == "imap_host"


# ---------------------------------------------------------------- transcripts


def test_a_transcript_is_mailed_masked_and_without_notes(post: Desk, owner: Client, set_up: MailAccount) -> None:
    conversation = post.begin(post.visitor(name="Ada", email="ada@customer.example"), "Mine is 4111 1111 1111 1111")
    messages.note(post.tenant.actor, conversation.pk, Draft("She is difficult"))
    act = reverse("desk-act", args=[conversation.pk, "mail-transcript"])
    assert owner.post(act, {"to": ""}).status_code == 302
    deliver_due()
    [sent] = mail.outbox
    assert (sent.to, sent.reply_to) == (["ada@customer.example"], ["help@bank.example"])
    assert "[CARD_1]" in sent.body
    assert "4111" not in sent.body
    assert "difficult" not in sent.body
    assert audit_of(post.tenant, "support_conversation.exported")


def test_a_transcript_goes_to_nobody_else(post: Desk, outsider: Any) -> None:
    conversation = post.begin(post.visitor(name="Ada", email="ada@customer.example"))
    assert unmasking.mail_transcript(post.tenant.actor, conversation.pk, post.tenant.admin.email)
    for address in (outsider.email, "anybody@evil.example"):
        with pytest.raises(InvalidRequest):
            unmasking.mail_transcript(post.tenant.actor, conversation.pk, address)
    nameless = post.begin(post.visitor(name="Bob"))
    with pytest.raises(InvalidRequest):
        unmasking.mail_transcript(post.tenant.actor, nameless.pk)


# ---------------------------------------------------------------- quotations


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes.\n\nAm 01.01.2026 um 10:00 schrieb Help <help@bank.example>:\n> Before\n", "Yes."),
        ("好的\n\n在 2026年1月1日，Help <help@bank.example> 写道：\n> 之前\n", "好的"),
        ("Yes.\n\nOn Mon, 1 Jan 2026 at 10:00, A Very Long Name\n<help@bank.example> wrote:\n> Before", "Yes."),
        ("Yes.\n\nOn 1 Jan 2026, Help <help@bank.example> wrote:\n\nBefore, from HTML", "Yes."),
        ("Yes.\n\n-----Original Message-----\nFrom: a\nSent: b\nTo: c\nSubject: d\n\nBefore", "Yes."),
        ("Yes.\n\nFrom: a <a@b.example>\nSent: Monday\nTo: c\nSubject: d\n\nBefore", "Yes."),
    ],
)
def test_what_a_reply_quotes_is_told_apart(text: str, said: str) -> None:
    parted = quoting.part(text)
    assert parted.said == said
    assert text.strip().endswith(parted.quoted)
    assert "Before" in parted.quoted or "之前" in parted.quoted


@pytest.mark.parametrize(
    "text",
    [
        "> Which card?\nThe blue one.\n> Since when?\nMonday.",
        "On Monday I wrote:\nit fails.\nFrom: the start\nit was bad.",
        "> All of it is quoted",
        "Hello,\nmy card is lost.\n\nBest regards,\nAda",
        "-- \nAda",
    ],
)
def test_nothing_is_cut_that_somebody_has_said(text: str) -> None:
    assert quoting.part(text) == quoting.Parted(text.strip())


@pytest.mark.parametrize(
    "text", ["\n" * 20_000, "On a " * 4_000, "From: a\n" * 2_500, "wrote: \n" * 2_500, "> " * 9_000]
)
def test_a_hostile_text_takes_no_longer_than_another(text: str) -> None:
    """Twice the text takes about twice the time: what grows faster would be seen here many times over."""
    spent = []
    for times in (1, 4):
        begun = time.process_time()
        quoting.part(text * times)
        spent.append(time.process_time() - begun)
    assert spent[1] < 0.5 + spent[0] * 12


# ---------------------------------------------------------------- the worker


@pytest.fixture
def silent() -> Generator[socket.socket]:
    """A server that takes connections and says nothing; who still waits when it is closed is told so."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server


@pytest.mark.django_db(transaction=True)
def test_a_mailbox_that_hangs_holds_up_no_other(
    org_a: Tenant, org_b: Tenant, silent: socket.socket, settings: Any
) -> None:
    port = silent.getsockname()[1]
    settings.OUTBOUND_TRUSTED = [f"127.0.0.1:{port}"]
    hanging = open_desk(org_a, "Hangs", kind="email")
    local = {"imap_host": "127.0.0.1", "imap_port": port, "imap_tls": "none"}
    accounts.set_up(org_a.actor, hanging.inbox.pk, SERVERS | local)
    quick = open_desk(org_b, "Quick", kind="email")
    # Nobody has opened this port, which is told at once.
    accounts.set_up(org_b.actor, quick.inbox.pk, SERVERS | {"imap_host": "localhost", "imap_port": 1})
    with tenancy.scope(org_a.id):
        MailAccount.objects.update(look_at=timezone.now() - timedelta(minutes=1))
    office = Post()
    try:
        office.read()
        until = time.monotonic() + 60
        while time.monotonic() < until and not _problem(quick):
            time.sleep(0.05)
        assert _problem(quick) == "mail_server_refused"
        assert _problem(hanging) == ""
        # It is not looked into a second time meanwhile.
        office.read()
        assert len(office._busy["in"]) == 1
    finally:
        silent.close()
        office.stop()
        _ended(office)


def test_an_account_that_is_busy_is_not_begun_with_again() -> None:
    office, begun, end = Post(), threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> int:
        begun.set()
        end.wait(60)
        done.append("first")
        return 0

    def second() -> int:
        done.append("second")
        return 0

    try:
        office._begin(office._readers[False], "in", "account", first)
        assert begun.wait(60)
        # Meanwhile its lease has lapsed, and it has been claimed as one of those that fail.
        office._begin(office._readers[True], "failing", "account", second)
        assert not office._busy["failing"]
        end.set()
        _ended(office)
        assert done == ["first"]
    finally:
        office.stop()


def _problem(desk: Desk) -> str:
    with tenancy.scope(desk.tenant.id):
        return str(MailAccount.objects.values_list("problem", flat=True).get())


def _ended(office: Post) -> None:
    """Until its step with the silent server is over."""
    until = time.monotonic() + 60
    while time.monotonic() < until and any(office._busy.values()):
        time.sleep(0.05)
    connection.close()
