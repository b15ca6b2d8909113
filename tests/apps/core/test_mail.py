"""Mails are rows until a mail server has taken them: nothing is lost, and a request waits for nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.utils import timezone

from apps.core import mail
from apps.core.connections import quick_redis_client
from apps.core.models import Mail

pytestmark = pytest.mark.django_db


class Server(BaseEmailBackend):
    """A mail server that keeps what it takes, and is away when told."""

    taken: list[EmailMessage] = []
    away = False

    def send_messages(self, email_messages: Any) -> int:
        if Server.away:
            raise ConnectionRefusedError
        Server.taken += email_messages
        return len(email_messages)


@pytest.fixture(autouse=True)
def server(settings: Any) -> type[Server]:
    settings.EMAIL_BACKEND = "apps.core.mail.Outbox"
    settings.MAIL_DELIVERY_BACKEND = f"{__name__}.Server"
    Server.taken, Server.away = [], False
    return Server


def due() -> None:
    Mail.objects.update(next_at=timezone.now() - timedelta(seconds=1))


@pytest.fixture(autouse=True)
def backend_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = mail.get_connection
    monkeypatch.setattr(mail, "get_connection", lambda name: Server() if name.endswith("Server") else before(name))


def test_a_mail_is_a_sealed_row_until_it_is_sent(server: type[Server]) -> None:
    message = EmailMultiAlternatives("Subject", "the secret link", "a@x.example", ["b@x.example"], headers={"X-A": "1"})
    message.attach_alternative("<p>the secret link</p>", "text/html")
    message.send()
    row = Mail.objects.get()
    assert server.taken == []
    assert "secret" not in row.content and "b@x.example" not in row.content
    assert mail.deliver_due() == 1
    [sent] = server.taken
    assert (sent.subject, sent.body, sent.to, sent.extra_headers) == (
        "Subject",
        "the secret link",
        ["b@x.example"],
        {"X-A": "1"},
    )
    assert not Mail.objects.exists()


def test_a_mail_goes_with_its_transaction(server: type[Server]) -> None:
    with transaction.atomic():
        send_mail("S", "t", "a@x.example", ["b@x.example"])
        transaction.set_rollback(True)
    assert not Mail.objects.exists()


def test_a_mail_that_cannot_be_composed_holds_up_no_other(server: type[Server]) -> None:
    mail.compose_later("a kind of the version before", "a@x.example")
    send_mail("S", "t", "a@x.example", ["b@x.example"])
    assert mail.deliver_due() == 1
    assert len(server.taken) == 1
    Mail.objects.update(created_at=timezone.now() - timedelta(days=2))
    due()
    mail.deliver_due()
    assert not Mail.objects.exists(), "given up in the end"


def test_a_mail_server_that_is_away_costs_only_time(server: type[Server]) -> None:
    send_mail("S", "t", "a@x.example", ["b@x.example"])
    server.away = True
    assert mail.deliver_due() == 0
    waits = []
    for _ in range(3):
        waits.append(round((Mail.objects.get().next_at - timezone.now()).total_seconds() / 60))
        assert mail.deliver_due() == 0, "not due yet"
        due()
        mail.deliver_due()
    assert waits == [5, 10, 20]
    server.away = False
    due()
    assert mail.deliver_due() == 1


def test_a_mail_is_given_up_after_a_day(server: type[Server]) -> None:
    send_mail("S", "t", "a@x.example", ["b@x.example"])
    server.away = True
    Mail.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert mail.deliver_due() == 0
    assert not Mail.objects.exists()


def test_a_worker_that_was_lost_leaves_the_mail_to_the_next(server: type[Server]) -> None:
    send_mail("S", "t", "a@x.example", ["b@x.example"])
    assert mail._claim() is not None
    assert mail.deliver_due() == 0, "leased"
    due()
    assert mail.deliver_due() == 1


def test_the_bell_rings_and_a_lost_bell_loses_nothing(capture_doorbells: list[str], server: type[Server]) -> None:
    send_mail("S", "t", "a@x.example", ["b@x.example"])
    assert capture_doorbells == [mail.SEND]
    assert mail.deliver_due() == 1


def test_nobodys_mailbox_is_filled() -> None:
    for _ in range(20):
        send_mail("S", "t", "a@x.example", ["victim@x.example"])
    assert Mail.objects.count() == mail.MOST_A_MINUTE
    send_mail("S", "t", "a@x.example", ["other@x.example"])
    assert Mail.objects.count() == mail.MOST_A_MINUTE + 1


def test_what_programs_send_is_all_sent_a_few_at_a_time_and_holds_up_nobody(server: type[Server]) -> None:
    for number in range(10):
        mail.send_in_turn(EmailMessage(f"Text {number}", "t", "a@x.example", ["reader@x.example"]))
    assert Mail.objects.count() == 10, "none is dropped"
    send_mail("Your code", "t", "a@x.example", ["reader@x.example"])
    mail.deliver_due()
    subjects = [message.subject for message in server.taken]
    assert subjects == ["Your code", *(f"Text {number}" for number in range(mail.MOST_A_MINUTE))]
    waiting = list(Mail.objects.all())
    assert len(waiting) == 4 and all(row.next_at > timezone.now() and row.attempts == 0 for row in waiting)
    quick_redis_client().flushdb()
    due()
    mail.deliver_due()
    assert len(server.taken) == 11


def test_what_the_outbox_cannot_keep_is_refused() -> None:
    message = EmailMessage("S", "t", "a@x.example", ["b@x.example"], cc=["c@x.example"])
    with pytest.raises(ValueError, match="outbox"):
        message.send()
