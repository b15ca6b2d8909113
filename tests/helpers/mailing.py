"""E-mail inboxes for tests: set up, looked into, and what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.core import tenancy
from apps.support.models import Conversation, MailAccount, Message, OutgoingMail, ReceivedMail
from apps.support.services import messages
from apps.support.services.mail import accounts, receiving, sending
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.mailservers import PASSWORD, USER, Imap, Smtp, written

ADDRESS = "help@bank.example"


def values(imap: Imap, smtp: Smtp, **more: Any) -> dict[str, Any]:
    return {
        "address": ADDRESS, "name": "The Bank", "imap_host": "127.0.0.1", "imap_port": imap.port, "imap_tls": "none",
        "imap_user": USER, "imap_password": PASSWORD, "smtp_host": "127.0.0.1", "smtp_port": smtp.port,
        "smtp_tls": "none", "smtp_user": "desk", "smtp_password": PASSWORD,
    } | more  # fmt: skip


def with_mail(desk: Desk, imap: Imap, smtp: Smtp, **more: Any) -> Desk:
    accounts.set_up(desk.tenant.actor, desk.inbox.pk, values(imap, smtp, **more))
    # Mails are delivered with whole seconds as their time.
    change(desk, begins_at=timezone.now() - timedelta(hours=1))
    return desk


def change(desk: Desk, **facts: Any) -> None:
    with tenancy.scope(desk.tenant.id):
        MailAccount.objects.filter(inbox=desk.inbox).update(**facts)


def account(desk: Desk) -> MailAccount:
    with tenancy.scope(desk.tenant.id):
        found: MailAccount = MailAccount.objects.get(inbox=desk.inbox)
        return found


def look(desk: Desk) -> int:
    """As the worker does it, whenever it is due."""
    change(desk, look_at=timezone.now() - timedelta(seconds=1))
    held = receiving.claim(10, failing=False) + receiving.claim(10, failing=True)
    return sum(receiving.look(each) for each in held)


def conversations_of(desk: Desk) -> list[Conversation]:
    with tenancy.scope(desk.tenant.id):
        return list(Conversation.objects.filter(inbox=desk.inbox).select_related("contact").order_by("number"))


def said(desk: Desk) -> list[Message]:
    with tenancy.scope(desk.tenant.id):
        rows = Message.objects.filter(conversation__inbox=desk.inbox, kind="incoming").prefetch_related("files")
        return list(rows.order_by("created_at", "sequence"))


def received(desk: Desk, **which: Any) -> list[ReceivedMail]:
    with tenancy.scope(desk.tenant.id):
        return list(ReceivedMail.objects.filter(account__inbox=desk.inbox, **which).order_by("uid"))


def mails(desk: Desk) -> list[OutgoingMail]:
    with tenancy.scope(desk.tenant.id):
        return list(OutgoingMail.objects.filter(conversation__inbox=desk.inbox).order_by("created_at"))


def send(desk: Desk) -> int:
    return sum(sending.send_due(organization, id) for organization, id in sending.due_accounts())


def begun(desk: Desk, imap: Imap, **more: Any) -> Conversation:
    """A conversation that a customer's mail has begun."""
    imap.put(written(**{"Message_ID": "<first@customer.example>", **more}))
    look(desk)
    return conversations_of(desk)[-1]


def replied(desk: Desk, conversation: Conversation, text: str = "We look into it.", **more: Any) -> Message:
    return messages.reply(desk.tenant.actor, conversation.pk, Draft(text, **more))


def due(desk: Desk, **facts: Any) -> None:
    with tenancy.scope(desk.tenant.id):
        OutgoingMail.objects.update(send_at=timezone.now() - timedelta(seconds=1), **facts)
