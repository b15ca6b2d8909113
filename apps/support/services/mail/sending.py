"""Mails that wait are sent, each inbox's by themselves; what cannot be sent says so at the message.

A mail is claimed for some minutes. Whoever dies between the server's yes and the note of it leaves a mail that is sent
again under the same Message-ID, which mail servers and programs take for the same one: better than never.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.db import DatabaseError, InterfaceError
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import MillraceError
from apps.core.media import folder_of
from apps.core.tenancy import Across, across_tenants
from apps.support.errors_mail import (
    MailBounced,
    MailError,
    MailFileInfected,
    MailFilesWaiting,
    MailFileUnchecked,
    MailNotPossible,
    MailRecipientDeferred,
)
from apps.support.mail import smtp
from apps.support.mail.composing import Leaving, compose, subject_of
from apps.support.mail.tokens import answer_address
from apps.support.models import MailAccount, Message, MessageKind, OutgoingMail, Sending
from apps.support.models.conversations import Scan
from apps.support.services.mail import access
from apps.support.services.storing import SYSTEM, change, locked

LEASE = timedelta(minutes=5)
# With the largest files, and within the lease.
SECONDS = 240.0
SHORTEST_PAUSE, LONGEST_PAUSE = 60, 3_600

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    organization_id: UUID
    id: UUID
    token: UUID


def due() -> QuerySet[OutgoingMail]:
    """Mails that are to leave by now; across tenants."""
    rows: QuerySet[OutgoingMail] = OutgoingMail.objects.filter(
        status=Sending.WAITING, send_at__lte=Now(), account__isnull=False
    )
    return rows


def due_accounts(busy: Iterable[UUID] = ()) -> list[tuple[UUID, UUID]]:
    """Organizations and accounts with mails that are due, those first that have waited longest."""
    with across_tenants(Across.CLAIM_WORK):
        rows = due().exclude(account__in=list(busy)).order_by("send_at")
        found = rows.values_list("organization_id", "account_id")
        return list(dict.fromkeys(found[:1_000]))


def claim(organization_id: UUID, account_id: UUID) -> Claimed | None:
    """The mail of an account that has waited longest."""
    token = uuid4()
    with tenancy.scope(organization_id):
        rows = OutgoingMail.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        due = rows.filter(account=account_id, status=Sending.WAITING, send_at__lte=Now())
        found: OutgoingMail | None = due.order_by("send_at", "attempts", "created_at").first()
        if found is None:
            return None
        OutgoingMail.objects.filter(pk=found.pk).update(
            taken_by=token, send_at=Now() + LEASE, attempts=F("attempts") + 1
        )
        return Claimed(organization_id, found.pk, token)


def send_due(organization_id: UUID, account_id: UUID) -> int:
    """Sends what an account has due, in order, until its server fails; how many it has taken."""
    sent = 0
    while claimed := claim(organization_id, account_id):
        problem = send(claimed)
        if problem is None:
            sent += 1
        elif not problem.lasting and not isinstance(problem, MailRecipientDeferred):
            # The server's trouble is not this mail's: the others would only wait for it one by one.
            _put_off(claimed, account_id)
            break
    return sent


def send(claimed: Claimed) -> MailError | None:
    """Sends one mail, and notes what came of it."""
    try:
        ready = _ready(claimed)
        if ready is not None:
            account, leaving = ready
            with access.servers(account) as (_, server):
                smtp.send(server, compose(leaving), leaving.sender, leaving.to, SECONDS)
    except MailError as error:
        _note_failure(claimed, error)
        return error
    except (DatabaseError, InterfaceError):
        # Nothing is known of the mail itself; the lease lapses.
        raise
    except Exception as error:
        # A mail that the program fails at would otherwise be tried for ever, and nobody told.
        log.warning("mail not composed", mail=str(claimed.id), reason=type(error).__name__)
        problem = MailNotPossible()
        _note_failure(claimed, problem)
        return problem
    if ready is not None:
        with tenancy.scope(claimed.organization_id):
            _mine(claimed).update(status=Sending.SENT, sent_at=Now(), problem="", taken_by=None)
    return None


def _mine(claimed: Claimed) -> tenancy.TenantQuerySet:
    rows: tenancy.TenantQuerySet = OutgoingMail.objects.filter(
        pk=claimed.id, taken_by=claimed.token, status=Sending.WAITING
    )
    return rows


def _ready(claimed: Claimed) -> tuple[MailAccount, Leaving] | None:
    """The mail as it is to be now; None where it is not to leave any more."""
    with tenancy.scope(claimed.organization_id):
        rows = _mine(claimed).select_related("message", "conversation__contact", "conversation__inbox", "account")
        row: OutgoingMail | None = rows.first()
        if row is None:
            return None
        if row.message.content_attributes.get("deleted"):
            _mine(claimed).update(status=Sending.CANCELLED)
            return None
        if row.account is None or not row.to:
            raise MailNotPossible
        _require_scanned(row.message)
        return row.account, _leaving(row)


def _require_scanned(message: Message) -> None:
    """Raises for files that nobody may be given, or that wait for the virus scanner."""
    scans = set(message.files.values_list("scan", flat=True))
    if Scan.INFECTED in scans:
        raise MailFileInfected
    if Scan.FAILED in scans:
        raise MailFileUnchecked
    if Scan.WAITING in scans:
        raise MailFilesWaiting


def _leaving(row: OutgoingMail) -> Leaving:
    account, conversation, message = row.account, row.conversation, row.message
    assert account is not None  # noqa: S101 - looked at by the caller
    before = Message.objects.filter(conversation=conversation, sequence__lt=message.sequence).order_by("sequence")
    sent = dict(OutgoingMail.objects.filter(message__in=before.values("pk")).values_list("message_id", "mail_id"))
    ids: list[str] = []
    answers = ""
    for each in before.filter(kind__in=(MessageKind.INCOMING, MessageKind.OUTGOING)):
        id = each.external_id if each.kind == MessageKind.INCOMING else sent.get(each.pk, "")
        if id.startswith("<"):
            ids.append(id)
            answers = id if each.kind == MessageKind.INCOMING else answers
    plus = account.plus
    return Leaving(
        sender=account.address,
        sender_name=account.name or conversation.inbox.name,
        answer_to=answer_address(account.address, conversation.inbox_id, conversation.number)
        if plus
        else account.address,
        to=row.to,
        to_name=conversation.contact.name,
        subject=subject_of(conversation.subject, conversation.number, answers=bool(answers)),
        text=_text(message),
        mail_id=row.mail_id,
        written=message.created_at,
        automatic=row.automatic,
        answers=answers or (ids[-1] if ids else ""),
        earlier=ids,
        files=[(file.name, (folder_of(file.organization_id) / file.path).read_bytes()) for file in message.files.all()],
    )


def _text(message: Message) -> str:
    """The words, and under them the choices that a widget would show as buttons."""
    items = message.content_attributes.get("items")
    titles = [str(each.get("title", "")) for each in items if isinstance(each, dict)] if isinstance(items, list) else []
    return "\n".join([message.content, *(f"- {title}" for title in titles if title)])


# ---------------------------------------------------------------- what went wrong
def _note_failure(claimed: Claimed, error: MailError) -> None:
    with tenancy.scope(claimed.organization_id):
        row: OutgoingMail | None = _mine(claimed).first()
        if row is None:
            return
        again = timezone.now() + pause(row.attempts)
        failed = error.lasting or again >= row.give_up_at
        values = {"status": Sending.FAILED} if failed else {"send_at": again}
        _mine(claimed).update(problem=error.code, taken_by=None, **values)
    log.warning("desk's mail not sent", mail=str(claimed.id), problem=error.code, given_up=failed)
    if failed:
        _tell(row, error.code)


def pause(attempts: int) -> timedelta:
    """Doubles with each attempt."""
    return timedelta(seconds=min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(max(attempts - 1, 0), 10)))


def _put_off(claimed: Claimed, account_id: UUID) -> None:
    """The account's other mails wait as long as the one that met the trouble."""
    with tenancy.scope(claimed.organization_id):
        waiting = OutgoingMail.objects.filter(account=account_id, status=Sending.WAITING)
        its = waiting.filter(pk=claimed.id).values_list("send_at", flat=True).first()
        later: datetime = its or timezone.now() + timedelta(seconds=SHORTEST_PAUSE)
        waiting.filter(send_at__lt=later).update(send_at=later)


def _tell(row: OutgoingMail, problem: str) -> None:
    """An activity in the conversation, so that whoever has it open sees it at once."""
    try:
        with tenancy.scope(row.organization_id):
            sequence = Message.objects.values_list("sequence", flat=True).get(pk=row.message_id)
            change(locked(row.conversation_id), SYSTEM, "mail_failed", {"message": sequence, "problem": problem})
    except MillraceError:
        # It has been merged into another one, whose messages are copies that were never sent.
        log.info("failure of a mail not told", mail=str(row.pk))


def came_back(inbox_id: UUID, mail_ids: Iterable[str]) -> OutgoingMail | None:
    """A report says that a mail could not be delivered; in scope. The mail, which whoever reads it tells of."""
    rows = OutgoingMail.objects.select_related("conversation").filter(mail_id__in=list(mail_ids)[:20])
    found: OutgoingMail | None = rows.filter(conversation__inbox=inbox_id).first()
    if found is not None and found.status == Sending.SENT:
        OutgoingMail.objects.filter(pk=found.pk).update(status=Sending.FAILED, problem=MailBounced.code)
    return found
