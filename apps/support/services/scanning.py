"""Files are looked at by a virus scanner before anybody is given them, where the operator has set one.

While the scanner is away they wait, and the desk sees that they do. Looking twice does no harm: what came of it is
written once.
"""

from __future__ import annotations

import time
from uuid import UUID

import structlog
from django.conf import settings

from apps.accounts import audit
from apps.core import events, tenancy
from apps.core.errors import MillraceError
from apps.core.media import folder_of
from apps.core.tenancy import Across, across_tenants
from apps.support import clamd
from apps.support.models import Message, MessageFile
from apps.support.models.conversations import Scan
from apps.support.services import hints
from apps.support.services.storing import SYSTEM, change, locked, message_changed

# So much at a time; the rest waits for the next round.
AT_ONCE, MOST_SECONDS = 50, 60.0
log = structlog.get_logger(__name__)


def scan_waiting() -> int:
    """Has the scanner look at some of what waits; how many files it has judged."""
    if not settings.CLAMD_URL:
        return 0
    with across_tenants(Across.CLAIM_WORK):
        # In no order: those that it does not take would stand before all others.
        rows = MessageFile.objects.filter(scan=Scan.WAITING).order_by("?")
        waiting = list(rows.values_list("organization_id", "pk", "path")[:AT_ONCE])
    done, until = 0, time.monotonic() + MOST_SECONDS
    for organization_id, id, path in waiting:
        if time.monotonic() > until:
            break
        try:
            finding = clamd.scanned(settings.CLAMD_URL, folder_of(organization_id) / path)
        except FileNotFoundError:
            # It has gone with its message, or something was found in it under another one, which a merge has copied.
            finding = _found_before(organization_id, path)
            if not finding:
                continue
        except clamd.NotScanned as error:
            log.warning("file not scanned", file=str(id), reason=str(error))
            continue
        except clamd.ScannerAway as error:
            log.warning("virus scanner away", waiting=len(waiting), reason=str(error))
            break
        try:
            done += _note(organization_id, id, finding)
        except MillraceError as error:  # merged meanwhile, for example: the next round notes it where it is now
            log.warning("finding not noted", file=str(id), reason=str(error))
    return done


def _found_before(organization_id: UUID, path: str) -> str:
    with tenancy.scope(organization_id):
        rows = MessageFile.objects.filter(path=path, scan=Scan.INFECTED)
        return str(rows.values_list("finding", flat=True).first() or "")


def _note(organization_id: UUID, id: UUID, finding: str) -> bool:
    with tenancy.scope(organization_id):
        found: MessageFile | None = MessageFile.objects.select_related("message").filter(pk=id).first()
        if found is None:
            return False
        message: Message = found.message
        finding = "".join(each for each in finding if each.isprintable())[:120] or "?" * bool(finding)
        values = {"scan": Scan.INFECTED if finding else Scan.CLEAN, "finding": finding}
        merged = message.conversation.merged_into_id is not None
        held = None if merged else locked(message.conversation_id)
        if not MessageFile.objects.filter(pk=id, scan=Scan.WAITING).update(**values):
            return False
        if finding:
            (folder_of(organization_id) / found.path).unlink(missing_ok=True)
        if held is None:
            return True
        if finding:
            change(held, SYSTEM, "file_infected", {"messages": [message.sequence], "finding": finding})
            audit.record(
                audit.system(organization_id), "support_file.infected", held,
                sequence=message.sequence, finding=finding,
            )  # fmt: skip
            facts = {"conversation": str(held.pk), "number": held.number, "sequence": message.sequence}
            facts |= {"inbox": str(held.inbox_id), "finding": finding}
            events.record("support_file.infected", message.pk, facts)
        message_changed(held, message, ["files"])
        hints.hint_changed(organization_id, held.pk)
    return True
