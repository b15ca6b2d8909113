"""Pages that fill in templates: fetched behind the guards for outgoing calls, and read by a bounded child process."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from ml.text.chunks import BlockKind
from ml.text.extraction import Bounds, Extracted, Kind, Refusal, Refused, extract
from ml.text.extraction.detection import HEAD_BYTES, check
from workers import fetching
from workers.celery import app
from workers.leases import Lease, LeaseLost

if TYPE_CHECKING:
    from apps.core.outbound import Response
    from apps.studio.models import PageText

KINDS = {
    "text/html": Kind.HTML,
    "application/xhtml+xml": Kind.HTML,
    "text/plain": Kind.TEXT,
    "text/markdown": Kind.MARKDOWN,
    "application/pdf": Kind.PDF,
}
MOST_BYTES = 5_000_000
# Somebody waits for it.
BOUNDS = Bounds(cpu_seconds=15, seconds=20.0)
_one = threading.Lock()
log = structlog.get_logger(__name__)


@app.task(name="studio.fetch_pages")
def wake() -> None:
    """Returns what a lost worker held, then fetches what waits, until nothing does."""
    from apps.core import jobs
    from apps.studio.models import PageText
    from apps.studio.services import pages

    if not _one.acquire(blocking=False):
        return
    try:
        for page in jobs.reap(PageText)[1]:
            pages.fail_page(page, "worker_lost", "The worker was lost twice while it fetched this page.")
        while claimed := jobs.claim(PageText, worker_name(), 1):
            for page in claimed:
                run(page)
    finally:
        _one.release()


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:pages"


def run(page: PageText) -> None:
    """One page under its lease; whatever goes wrong ends it with a word that helps."""
    from django.db import InterfaceError, OperationalError, connection

    from apps.core.errors import MillraceError
    from apps.studio.services import pages

    try:
        with Lease(page) as lease:
            answer, _ = fetching.get(page.url, KINDS, MOST_BYTES)
            lease.keep()
            title, text = read(answer)
        if not text.strip():
            raise Refused(Refusal.NO_TEXT)
        pages.finish_page(page, title, text)
    except LeaseLost:
        log.warning("page belongs to somebody else now", page=str(page.pk))
    except Refused as refused:
        pages.fail_page(page, refused.reason.value, f"It cannot be read: {refused.reason.value.replace('_', ' ')}.")
    except MillraceError as error:
        pages.fail_page(page, error.code, error.message)
    except (OperationalError, InterfaceError):
        # With the database away nothing can be said: the lease lapses, and the reaper returns the row.
        log.exception("page broken off")
        connection.close()
    except Exception:
        log.exception("page failed")
        pages.fail_page(page, "fetch_failed", "The page could not be read.")


def read(answer: Response) -> tuple[str, str]:
    """Title and text of what was answered; Refused for what is no document."""
    declared = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = KINDS.get(declared)
    if kind is None:
        raise Refused(Refusal.UNKNOWN_TYPE)
    with tempfile.NamedTemporaryFile(suffix=".page") as file:
        file.write(answer.body)
        file.flush()
        check(kind, answer.body[:HEAD_BYTES])
        found = extract(Path(file.name), kind, BOUNDS)
    return found.title, as_text(found)


def as_text(found: Extracted) -> str:
    """The blocks as paragraphs, headings marked as in Markdown."""
    return "\n\n".join(
        f"{'#' * max(1, block.level)} {block.text}" if block.kind == BlockKind.HEADING else block.text
        for block in found.blocks
    )
