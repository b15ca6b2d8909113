"""Looking into mailboxes: each mail is taken once, and none keeps another one back.

What a mail becomes, that it was seen and how far the mailbox is read are written in one transaction, by whoever holds
the mailbox: a worker that dies leaves either all of it or nothing, and the next one goes on from there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import MillraceError, SealedValueUnreadable
from apps.core.tenancy import Across, across_tenants
from apps.privacy.services import retention
from apps.support.errors_mail import MailError
from apps.support.mail import imap, parsing
from apps.support.mail.parsing import MOST_BYTES, Incoming, Unreadable
from apps.support.masking import clean
from apps.support.models import MailAccount, Received, ReceivedMail
from apps.support.services.desk import settings_of
from apps.support.services.mail import access, placing

LOOK_EVERY = timedelta(seconds=60)
# Longer than a look may take (`carrying.WHOLE_SECONDS`).
LEASE = timedelta(minutes=4)
LONGEST_PAUSE = 3_600
MOST_A_LOOK, MOST_BYTES_A_LOOK = 50, 100_000_000
# So often a mail is begun with; one that cannot be fetched, or that nobody comes to an end with, is then set aside.
MOST_TRIES = 3
# The kind of data that the keys of known mails are.
KEPT = "support_received_mails"

log = structlog.get_logger(__name__)


class LookLost(Exception):
    """The mailbox is somebody else's now, or was set up anew."""


@dataclass(frozen=True, slots=True)
class Look:
    """A mailbox that somebody holds."""

    organization_id: UUID
    account_id: UUID
    token: UUID


def due() -> QuerySet[MailAccount]:
    """Mailboxes that are to be looked into, and that nobody holds; across tenants."""
    free = Q(taken_until=None) | Q(taken_until__lt=Now()) | Q(taken_by=None)
    rows: QuerySet[MailAccount] = MailAccount.objects.filter(
        free, active=True, inbox__archived_at=None, look_at__lte=Now()
    )
    return rows


def claim(limit: int, *, failing: bool) -> list[Look]:
    """Mailboxes that are due, of those that fail or of the others, for the caller to look into."""
    if limit <= 0:
        return []
    with across_tenants(Across.CLAIM_WORK):
        rows = due().select_for_update(skip_locked=True, of=("self",), no_key=True)
        rows = rows.filter(failures__gt=0) if failing else rows.filter(failures=0)
        looks = []
        for row in rows.order_by("look_at")[:limit]:
            look = Look(row.organization_id, row.pk, uuid4())
            MailAccount.objects.filter(pk=row.pk).update(taken_by=look.token, taken_until=Now() + LEASE)
            looks.append(look)
        return looks


def look(held: Look) -> int:
    """Takes what is new in a mailbox; how many mails were dealt with. What is wrong with its server stands there."""
    try:
        done, more = _read(held)
    except LookLost:
        return 0
    except MailError as error:
        _note(held, problem=error.code)
        return 0
    except SealedValueUnreadable as error:
        log.error("password of a mailbox unreadable", account=str(held.account_id), reason=error.code)
        _note(held, problem=MailError.code)
        return 0
    except (OperationalError, InterfaceError):
        # Nothing can be noted; the lease lapses.
        raise
    except Exception:
        log.exception("mailbox not read", account=str(held.account_id))
        _note(held, problem=MailError.code)
        return 0
    _note(held, more=more)
    return done


def _read(held: Look) -> tuple[int, bool]:
    with tenancy.scope(held.organization_id):
        account = _held(held)
    with access.servers(account) as (server, _), imap.opened(server, account.folder, MOST_BYTES) as mailbox:
        last = account.last_uid
        if account.uid_validity != mailbox.validity:
            last = 0
            account.begins_at = _begin_anew(held, mailbox.validity)
        uids = mailbox.uids_after(last, account.begins_at)
        some = uids[:MOST_A_LOOK]
        heads, read, done = mailbox.heads(some), 0, 0
        for uid in some:
            if read > MOST_BYTES_A_LOOK:
                break
            read += _deal_with(held, mailbox, uid, heads.get(uid), account.begins_at)
            done += 1
        return done, len(uids) > done


def _deal_with(held: Look, mailbox: imap.Mailbox, uid: int, head: imap.Head | None, begins_at: datetime) -> int:
    """One mail; how many bytes were read. Each try is counted before anything is read: who dies leaves the count."""
    place = (mailbox.validity, uid)
    if head is not None and head.arrived is not None and head.arrived < begins_at.replace(microsecond=0):
        _pass_over(held, place)
        return 0
    key = hashlib.sha256(f"{place}".encode()).hexdigest()
    size = head.size if head else 0
    tries = _count(held, place)
    if tries > MOST_TRIES:
        _set_aside(held, place, key, "too_costly", b"", size)
        return 0
    try:
        raw = mailbox.raw(uid) if head and size <= MOST_BYTES else None
        gone = raw is None and uid not in mailbox.uids_after(uid - 1, begins_at)
    except MailError:
        if tries >= MOST_TRIES:
            _set_aside(held, place, key, "not_fetched", b"", size)
        raise
    if gone:
        _pass_over(held, place)
        return 0
    if size > MOST_BYTES or (raw and len(raw) > MOST_BYTES):
        _set_aside(held, place, key, "too_large", b"", size)
    elif not raw:
        # It is there, and the server does not say what it is.
        _set_aside(held, place, key, "not_fetched", b"", size)
    else:
        take(held, place, raw)
    return len(raw or b"")


def take(held: Look, place: tuple[int, int], raw: bytes) -> None:
    """A mail, once; whatever is wrong with it, it is set aside with the reason."""
    key = hashlib.sha256(raw).hexdigest()
    try:
        mail = parsing.parse(raw)
        key = _key(mail) if mail.message_id else key
        _store(held, place, key, mail, len(raw))
    except (LookLost, OperationalError, InterfaceError):
        # Not the mail's fault: it is still there for the next look.
        raise
    except Unreadable as error:
        _set_aside(held, place, key, error.reason, raw, len(raw))
    except MillraceError as error:
        _set_aside(held, place, key, error.code, raw, len(raw))
    except Exception:
        log.exception("mail not taken", account=str(held.account_id))
        _set_aside(held, place, key, "unexpected", raw, len(raw))


def _key(mail: Incoming) -> str:
    """An id alone could be taken from another mail, to have that one passed over."""
    facts = (mail.message_id, mail.sender, mail.written, mail.subject)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _store(held: Look, place: tuple[int, int], key: str, mail: Incoming, size: int) -> None:
    with tenancy.scope(held.organization_id):
        account = _held(held, place[0])
        if not _seen_before(account, key):
            placing.prepare(account, mail)
    with tenancy.scope(held.organization_id):
        account = _held(held, place[0])
        if not _seen_before(account, key):
            placed = placing.place(account, mail)
            row = _row(account, place, key, size)
            row.outcome, row.reason, row.message = placed.outcome, placed.reason, placed.message
            row.save(force_insert=True)
        _advance(account, place)


def _held(held: Look, validity: int | None = None) -> MailAccount:
    """The account's row, until commit; raises LookLost."""
    rows = MailAccount.objects.select_for_update(of=("self",), no_key=True)
    found: MailAccount | None = rows.filter(pk=held.account_id, taken_by=held.token).first()
    if found is None or (validity is not None and found.uid_validity != validity):
        raise LookLost
    return found


def _seen_before(account: MailAccount, key: str) -> bool:
    return bool(ReceivedMail.objects.filter(account=account, key=key).exists())


def _row(account: MailAccount, place: tuple[int, int], key: str, size: int) -> ReceivedMail:
    return ReceivedMail(
        organization_id=account.organization_id,
        account=account,
        uid_validity=place[0],
        uid=place[1],
        key=key,
        size=min(size, 2**31 - 1),
    )


def _count(held: Look, place: tuple[int, int]) -> int:
    """Which try of a mail this is."""
    with tenancy.scope(held.organization_id):
        account = _held(held, place[0])
        tries = account.tries + 1 if account.trying_uid == place[1] else 1
        MailAccount.objects.filter(pk=account.pk).update(trying_uid=place[1], tries=tries)
    return tries


def _advance(account: MailAccount, place: tuple[int, int]) -> None:
    MailAccount.objects.filter(pk=account.pk, last_uid__lt=place[1]).update(last_uid=place[1])


def _pass_over(held: Look, place: tuple[int, int]) -> None:
    """What has gone meanwhile, or was there before the inbox was set up."""
    with tenancy.scope(held.organization_id):
        _advance(_held(held, place[0]), place)


def _set_aside(held: Look, place: tuple[int, int], key: str, reason: str, raw: bytes, size: int) -> None:
    sender, subject = parsing.glimpse(raw)
    with tenancy.scope(held.organization_id):
        account = _held(held, place[0])
        if not _seen_before(account, key):
            row = _row(account, place, key, size)
            masked = settings_of(account.organization_id).masked
            row.outcome, row.reason = Received.ASIDE, reason[:40]
            row.sender, row.subject = clean(sender, masked).text[:254], clean(subject, masked).text[:200]
            row.save(force_insert=True)
        _advance(account, place)
    log.warning("mail set aside", account=str(held.account_id), reason=reason)


def _begin_anew(held: Look, validity: int) -> datetime:
    """The server says that its numbers mean other mails now: all of them are looked at, and known ones passed over.
    Of what is older than the keys of known ones are kept nobody could tell whether it is known.
    """
    days = next(each.days for each in retention.terms(held.organization_id) if each.kind.name == KEPT)
    with tenancy.scope(held.organization_id):
        account = _held(held)
        begins_at = account.begins_at
        if days is not None:
            begins_at = max(begins_at, timezone.now() - timedelta(days=days))
        MailAccount.objects.filter(pk=account.pk).update(
            uid_validity=validity, last_uid=0, tries=0, begins_at=begins_at
        )
    return begins_at


def _note(held: Look, problem: str = "", *, more: bool = False) -> None:
    with tenancy.scope(held.organization_id):
        row: MailAccount | None = MailAccount.objects.filter(pk=held.account_id, taken_by=held.token).first()
        if row is None:
            return
        failures = row.failures + 1 if problem else 0
        wait = pause(failures) if problem else timedelta(0) if more else LOOK_EVERY
        MailAccount.objects.filter(pk=row.pk, taken_by=held.token).update(
            failures=failures,
            problem=problem,
            look_at=timezone.now() + wait,
            taken_by=None,
            taken_until=None,
            looked_at=row.looked_at if problem else Now(),
        )


def pause(failures: int) -> timedelta:
    """Doubles with each failure in a row, up to an hour."""
    return timedelta(seconds=min(LONGEST_PAUSE, LOOK_EVERY.total_seconds() * 2 ** min(failures - 1, 10)))
