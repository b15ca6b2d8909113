"""A mail server that tells of new mails by itself: they are taken at once, and the bell alone does nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from apps.core.connections import redis_client
from apps.support.mail import imap as protocol
from apps.support.services.mail import accounts, watching
from apps.support.services.mail.watching import Mailbox
from tests.helpers.desk import Desk
from tests.helpers.mailing import account, change, look, said
from tests.helpers.mailservers import Imap, written
from tests.helpers.scripted import wait_for
from workers.listening import Listeners

pytestmark = pytest.mark.django_db(transaction=True)


class Listening:
    """A listener in a thread, as a worker has it; `rings` counts its bells."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox, self.rings, self.answer = mailbox, 0, False
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Listening:
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.over.set()
        self.thread.join(60)
        assert not self.thread.is_alive()

    def _run(self) -> None:
        try:
            self.answer = watching.listen(self.mailbox, self.over.is_set, self._ring)
        finally:
            connections.close_all()

    def _ring(self) -> None:
        self.rings += 1


@pytest.fixture
def mailbox(mail_desk: Desk) -> Mailbox:
    look(mail_desk)
    [found] = watching.listenable()
    return found


def test_a_new_mail_brings_the_next_look_forward(mail_desk: Desk, imap: Imap, mailbox: Mailbox) -> None:
    with Listening(mailbox) as listening:
        # What came before anybody listened is looked for as well.
        wait_for(lambda: listening.rings == 1, 60)
        change(mail_desk, look_at=timezone.now() + timedelta(hours=1))
        imap.put(written(text="Right now"))
        wait_for(lambda: listening.rings == 2, 60)
        assert account(mail_desk).look_at <= timezone.now()
        look(mail_desk)
        assert [each.content for each in said(mail_desk)] == ["Right now"]
        # It goes on listening.
        imap.put(written(text="And again"))
        wait_for(lambda: listening.rings == 3, 60)
    assert listening.answer
    assert not redis_client().exists(watching._key(mailbox))


def test_one_process_listens_to_a_mailbox(imap: Imap, mailbox: Mailbox) -> None:
    with Listening(mailbox) as first:
        wait_for(lambda: first.rings == 1, 60)
        assert watching.listen(mailbox, lambda: False, lambda: None)


def test_a_mailbox_that_is_set_up_anew_is_left(
    mail_desk: Desk, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_AGAIN_SECONDS", 0.0)
    with Listening(mailbox) as listening:
        wait_for(lambda: listening.rings == 1, 60)
        accounts.set_up(mail_desk.tenant.actor, mail_desk.inbox.pk, {"active": False})
        listening.thread.join(60)
        assert not listening.thread.is_alive()


def test_a_server_that_does_not_tell_is_asked_every_minute(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol.Mailbox, "can_tell", lambda _: False)
    assert not watching.listen(mailbox, lambda: False, lambda: None)
    listeners = Listeners(lambda: None)
    listeners.look()
    wait_for(lambda: listeners._not_before and not listeners._busy, 60)
    assert listeners._not_before.keys() == {mailbox.account_id}
    listeners.look()
    assert not listeners._busy
    listeners.stop()


def test_what_fails_is_not_listened_to(mail_desk: Desk, mailbox: Mailbox) -> None:
    change(mail_desk, failures=1)
    assert watching.listenable() == []
