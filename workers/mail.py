"""Mail of support desks, on the default queue: each mailbox and each server in a thread of its own.

A server that answers slowly holds up its own inbox alone; those that fail have a few threads for themselves, so that
many dead ones never take the place of one that answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog
from celery.signals import worker_shutdown

from workers.celery import app
from workers.listening import Listeners

if TYPE_CHECKING:
    from apps.support.services.mail.receiving import Look

READERS, FAILING_READERS, SENDERS = 16, 4, 16
# So often is looked for mailboxes that nobody listens to.
LISTEN_EVERY = 15.0
log = structlog.get_logger(__name__)


class Post:
    """The threads, and what each of them is about."""

    def __init__(self) -> None:
        self._readers = {
            False: ThreadPoolExecutor(READERS, "mail-in"),
            True: ThreadPoolExecutor(FAILING_READERS, "mail-in-failing"),
        }
        self._senders = ThreadPoolExecutor(SENDERS, "mail-out")
        self._lock = threading.Lock()
        self._busy: dict[str, set[Any]] = {"in": set(), "failing": set(), "out": set()}
        self._stopping = threading.Event()
        self._listeners, self._listen_at = Listeners(self.read), 0.0

    def stop(self) -> None:
        """What is under way ends with its lease; nothing is taken twice."""
        self._stopping.set()
        self._listeners.stop()
        for pool in (*self._readers.values(), self._senders):
            pool.shutdown(wait=False, cancel_futures=True)

    def read(self) -> None:
        """Looks into the mailboxes that are due."""
        from apps.support.services.mail import receiving

        for failing, most in ((False, READERS), (True, FAILING_READERS)):
            kind = "failing" if failing else "in"
            with self._lock:
                room = most - len(self._busy[kind])
            for held in receiving.claim(room, failing=failing):
                self._begin(self._readers[failing], kind, held.account_id, self._looking(held))

    def listen(self) -> None:
        """Hears of new mails at once where servers tell of them."""
        if not self._stopping.is_set() and time.monotonic() >= self._listen_at:
            self._listen_at = time.monotonic() + LISTEN_EVERY
            self._listeners.look()

    def send(self) -> None:
        """Sends what waits, of each inbox that is not being sent for already."""
        from apps.support.services.mail import sending

        with self._lock:
            busy = set(self._busy["out"])
        for organization, account in sending.due_accounts(busy)[: SENDERS - len(busy)]:
            self._begin(self._senders, "out", account, self._sending(organization, account))

    @staticmethod
    def _looking(held: Look) -> Callable[[], int]:
        from apps.support.services.mail import receiving

        return lambda: receiving.look(held)

    @staticmethod
    def _sending(organization: Any, account: Any) -> Callable[[], int]:
        from apps.support.services.mail import sending

        return lambda: sending.send_due(organization, account)

    def _begin(self, pool: ThreadPoolExecutor, kind: str, about: Any, work: Callable[[], int]) -> None:
        if self._stopping.is_set():
            return
        with self._lock:
            others = ("out",) if kind == "out" else ("in", "failing")
            if any(about in self._busy[each] for each in others):
                # Its lease has lapsed and its thread has not ended: one more would wait for the same server.
                return
            self._busy[kind].add(about)
        try:
            pool.submit(self._do, kind, about, work)
        except RuntimeError:
            # The worker is leaving.
            self._end(kind, about)

    def _do(self, kind: str, about: Any, work: Callable[[], int]) -> None:
        from django.db import connection

        try:
            work()
        except Exception:
            # The lease lapses, and the next look goes on from what was written.
            log.exception("mail not looked after", account=str(about))
        finally:
            connection.close()
            self._end(kind, about)

    def _end(self, kind: str, about: Any) -> None:
        with self._lock:
            self._busy[kind].discard(about)


_post: Post | None = None
_making = threading.Lock()


def post() -> Post:
    global _post
    with _making:
        if _post is None:
            _post = Post()
        return _post


@worker_shutdown.connect
def leave_in_order(**_: Any) -> None:
    if _post is not None:
        _post.stop()


@app.task(name="support.fetch_mail")
def fetch_mail() -> None:
    """Looks into the mailboxes of desks that are due, and listens to those whose servers tell of new mails."""
    post().read()
    post().listen()


@app.task(name="support.send_mail")
def send_mail() -> None:
    """Sends the mails of desks that wait."""
    post().send()
