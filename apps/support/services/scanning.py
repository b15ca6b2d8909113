"""Files are looked at by a virus scanner before anybody is given them, where the operator has set one.

While the scanner is away they wait, and the desk sees that they do. What it does not judge is tried a few times, with
growing pauses, and then given up: nobody is given it, and whoever sets up the desk hears of it. Looking twice does no
harm: what came of it is written once.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.accounts.services import notices
from apps.core import events, jobs, tenancy
from apps.core.errors import MillraceError, NotFound
from apps.core.media import folder_of
from apps.core.tenancy import Across, across_tenants
from apps.support import clamd
from apps.support.access import MANAGE, WRITE
from apps.support.errors import FileHeld
from apps.support.models import Conversation, Message, MessageFile
from apps.support.models.conversations import Scan
from apps.support.services import hints
from apps.support.services.files import SCAN
from apps.support.services.storing import SYSTEM, change, locked, message_changed

# So much at a time; the rest waits for the next round.
AT_ONCE, MOST_SECONDS = 50, 60.0
# Before each further attempt; after the last the file is given up.
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
# Longer than any look takes: nobody else looks at the file meanwhile.
TAKEN, TOLD_EVERY = timedelta(minutes=5), timedelta(days=1)
UNCHECKED = "support_file_unchecked"
NO_FILE = gettext_noop("This message has no file that could be checked again.")
GONE = gettext_noop("The file itself is gone: there is nothing left to check.")
log = structlog.get_logger(__name__)
# A scanner that takes its time holds one thread of a process, and not, with every round, one more.
_looking = threading.Lock()


def scan_waiting() -> int:
    """Has the scanner look at some of what waits; how many files it has judged."""
    if not settings.CLAMD_URL or not _looking.acquire(blocking=False):
        return 0
    try:
        return _scan_some()
    finally:
        _looking.release()


def _due() -> Q:
    return Q(scan=Scan.WAITING) & (Q(scan_at=None) | Q(scan_at__lte=Now()))


def due() -> QuerySet[MessageFile]:
    """Files that wait for the scanner, none where none is set; across tenants."""
    rows: QuerySet[MessageFile] = MessageFile.objects.filter(_due())
    return rows if settings.CLAMD_URL else rows.none()


def _scan_some() -> int:
    with across_tenants(Across.CLAIM_WORK):
        # In no order: those that it does not take would stand before all others.
        rows = MessageFile.objects.filter(_due()).order_by("?")
        waiting = list(rows.values_list("organization_id", "pk", "path")[:AT_ONCE])
    done, until = 0, time.monotonic() + MOST_SECONDS
    for organization_id, id, path in waiting:
        if time.monotonic() > until:
            break
        if not _taken(organization_id, id):
            continue
        try:
            done += _look_at(organization_id, id, path)
        except clamd.ScannerAway as error:
            _give_back(organization_id, id)
            log.warning("virus scanner away", waiting=len(waiting), reason=str(error))
            break
        except MillraceError as error:  # merged meanwhile, for example: the next round notes it where it is now
            _give_back(organization_id, id)
            log.warning("finding not noted", file=str(id), reason=str(error))
    return done


def _taken(organization_id: UUID, id: UUID) -> bool:
    with tenancy.scope(organization_id):
        return bool(MessageFile.objects.filter(_due(), pk=id).update(scan_at=Now() + TAKEN))


def _give_back(organization_id: UUID, id: UUID) -> None:
    with tenancy.scope(organization_id):
        MessageFile.objects.filter(pk=id, scan=Scan.WAITING).update(scan_at=None)


def _look_at(organization_id: UUID, id: UUID, path: str) -> bool:
    """Whether it is judged now; raises ScannerAway."""
    try:
        finding = clamd.scanned(settings.CLAMD_URL, folder_of(organization_id) / path)
    except FileNotFoundError:
        # It has gone with its message, or something was found in it under another one, which a merge has copied.
        finding = _found_before(organization_id, path)
        if not finding:
            log.warning("file gone before it was scanned", file=str(id))
            _note(organization_id, id, Scan.FAILED)
            return False
    except clamd.NotScanned as error:
        log.warning("file not scanned", file=str(id), reason=str(error))
        _put_off(organization_id, id)
        return False
    return _note(organization_id, id, Scan.INFECTED if finding else Scan.CLEAN, finding)


def _found_before(organization_id: UUID, path: str) -> str:
    with tenancy.scope(organization_id):
        rows = MessageFile.objects.filter(path=path, scan=Scan.INFECTED)
        return str(rows.values_list("finding", flat=True).first() or "")


def _put_off(organization_id: UUID, id: UUID) -> None:
    with tenancy.scope(organization_id):
        rows = MessageFile.objects.filter(pk=id, scan=Scan.WAITING)
        attempts = rows.values_list("scan_attempts", flat=True).first()
        if attempts is None:
            return
        if attempts < len(PAUSES):
            rows.update(scan_attempts=attempts + 1, scan_at=Now() + PAUSES[attempts])
            return
    _note(organization_id, id, Scan.FAILED)


def _note(organization_id: UUID, id: UUID, scan: Scan, finding: str = "") -> bool:
    with tenancy.scope(organization_id):
        found: MessageFile | None = MessageFile.objects.select_related("message").filter(pk=id).first()
        if found is None:
            return False
        message: Message = found.message
        finding = "".join(each for each in finding if each.isprintable())[:120] or "?" * bool(finding)
        merged = message.conversation.merged_into_id is not None
        held = None if merged else locked(message.conversation_id)
        values = {"scan": scan, "finding": finding, "scan_at": Now()}
        if not MessageFile.objects.filter(pk=id, scan=Scan.WAITING).update(**values):
            return False
        if scan == Scan.INFECTED:
            (folder_of(organization_id) / found.path).unlink(missing_ok=True)
        if held is None:
            return True
        if scan == Scan.FAILED:
            _tell_of_failure(message, id)
        if scan != Scan.CLEAN:
            _write_down(held, message, scan, {"finding": finding} if finding else {})
        message_changed(held, message, ["files"])
        hints.hint_changed(organization_id, held.pk)
    return True


def _write_down(held: Conversation, message: Message, scan: Scan, told_with: dict[str, Any]) -> None:
    """In the conversation, in the audit log and for the organization's programs."""
    name = "infected" if scan == Scan.INFECTED else "unchecked"
    change(held, SYSTEM, f"file_{name}", {"messages": [message.sequence], **told_with})
    audit.record(
        audit.system(held.organization_id), f"support_file.{name}", held, sequence=message.sequence, **told_with
    )
    facts = {"conversation": str(held.pk), "number": held.number, "sequence": message.sequence}
    events.record(f"support_file.{name}", message.pk, facts | {"inbox": str(held.inbox_id)} | told_with)


def _tell_of_failure(message: Message, id: UUID) -> None:
    """By mail, whoever may set up the desk; once a day, since what is wrong with one file may be so with hundreds."""
    with connection.cursor() as cursor:
        key = f"support unchecked {message.organization_id}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    lately = MessageFile.objects.filter(scan=Scan.FAILED, scan_at__gt=Now() - TOLD_EVERY)
    if lately.exclude(pk=id).exists():
        return
    for each in Membership.objects.select_related("user", "custom_role").filter(user__is_active=True):
        if MANAGE in each.permissions:
            notices.tell(UNCHECKED, each.user.email, message.pk, in_turn=True)


def check_again(actor: Actor, conversation_id: UUID, sequence: int) -> None:
    """Has files of a message that were given up looked at once more; raises FileHeld where their bytes are gone."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(conversation_id)
        rows = MessageFile.objects.select_related("message")
        failed = list(rows.filter(message__conversation=held, message__sequence=sequence, scan=Scan.FAILED))
        if not failed:
            raise NotFound(NO_FILE)
        there = [row.pk for row in failed if (folder_of(row.organization_id) / row.path).exists()]
        if not there:
            raise FileHeld(GONE)
        MessageFile.objects.filter(pk__in=there).update(scan=Scan.WAITING, scan_attempts=0, scan_at=None)
        audit.record(actor, "support_file.checked_again", held, sequence=sequence)
        message_changed(held, failed[0].message, ["files"])
        hints.hint_changed(actor.organization_id, held.pk)
        jobs.ring(SCAN)
