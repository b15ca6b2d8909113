"""Who listens to mailboxes whose servers tell of new mails by themselves: a thread each, for as many as there are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

if TYPE_CHECKING:
    from apps.support.services.mail.watching import Mailbox

LISTENERS = 64
# After an end of whatever kind, and where a server has said that it does not tell.
AGAIN_SECONDS, WITHOUT_SECONDS = 15.0, 3_600.0
log = structlog.get_logger(__name__)


class Listeners:
    """The threads; mailboxes beyond their number are looked into every minute and no sooner."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring, self._stopping = ring, threading.Event()
        self._pool = ThreadPoolExecutor(LISTENERS, "mail-listen")
        self._lock = threading.Lock()
        self._busy: set[UUID] = set()
        self._not_before: dict[UUID, float] = {}

    def stop(self) -> None:
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """Listens to the mailboxes that nobody of this process listens to yet."""
        from apps.support.services.mail import watching

        found = watching.listenable()
        now = time.monotonic()
        with self._lock:
            there = {each.account_id for each in found}
            self._not_before = {id: at for id, at in self._not_before.items() if id in there and at > now}
            free = [each for each in found if each.account_id not in self._busy | self._not_before.keys()]
            chosen = free[: max(0, LISTENERS - len(self._busy))]
            self._busy |= {each.account_id for each in chosen}
        for each in chosen:
            try:
                self._pool.submit(self._listen, each)
            except RuntimeError:
                # The worker is leaving.
                self._end(each, AGAIN_SECONDS)

    def _listen(self, mailbox: Mailbox) -> None:
        from apps.support.services.mail import watching

        pause = AGAIN_SECONDS
        try:
            if not watching.listen(mailbox, self._stopping.is_set, self._ring):
                pause = WITHOUT_SECONDS
        except Exception:
            # The mailbox is looked into every minute all the same.
            log.exception("mailbox not listened to", account=str(mailbox.account_id))
        finally:
            self._end(mailbox, pause)

    def _end(self, mailbox: Mailbox, pause: float) -> None:
        with self._lock:
            self._busy.discard(mailbox.account_id)
            self._not_before[mailbox.account_id] = time.monotonic() + pause
