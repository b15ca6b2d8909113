"""Reading documents into passages, on the queue `embedding`: fetch, read in a child, cut, embed, write all at once."""

from __future__ import annotations

import mimetypes
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from ml.embeddings import MAX_TOKENS, EmbeddingFailed
from ml.embeddings.tokens import SPECIAL_TOKENS, lengths
from ml.text.chunks import Chunk, chunks
from ml.text.extraction import Extracted, Kind, Refused, extract
from workers import fetching
from workers.celery import app
from workers.embedding import encoder
from workers.leases import Lease, LeaseLost

if TYPE_CHECKING:
    from apps.knowledge.files import Stored
    from apps.knowledge.models import SourceVersion

# Of each chunk's tokens, what it repeats of the one before.
OVERLAP = 32
MOST_PASSAGES = 5_000
# Passages embedded between two looks at how far it has got.
SHOWN_EVERY = 32
FETCH_TYPES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
# One document at a time in each process: its child and its vectors take memory.
_one = threading.Lock()
log = structlog.get_logger(__name__)


class Refusal(Exception):
    """A version that ends without passages; `code` is one of `apps.knowledge.errors.REASONS`."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message


@app.task(name="knowledge.wake")
def wake() -> None:
    """Returns what a lost worker held, then reads what waits, until nothing does."""
    from apps.core import jobs
    from apps.knowledge.models import SourceVersion

    if not _one.acquire(blocking=False):
        return
    try:
        reap()
        while claimed := jobs.claim(SourceVersion, worker_name(), 1):
            for version in claimed:
                with structlog.contextvars.bound_contextvars(request_id=version.request_id, job=str(version.pk)):
                    run(version)
    finally:
        _one.release()


@app.task(name="knowledge.release_calls")
def release_calls() -> None:
    """Gives back what was held for calls of the embeddings API whose web process is gone; on the default queue."""
    from apps.knowledge.services.calls import release_forgotten

    release_forgotten()


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:knowledge"


def reap() -> None:
    """What has lost one worker waits again; what has lost two fails."""
    from apps.core import jobs
    from apps.knowledge import services
    from apps.knowledge.models import SourceVersion

    for version in jobs.reap(SourceVersion)[1]:
        services.fail_version(version, "worker_lost")


def run(version: SourceVersion) -> None:
    """Runs under the lease; a lost lease leaves the row to its new holder, anything else fails it visibly."""
    from django.db import InterfaceError, OperationalError, connection

    from apps.core.errors import MillraceError
    from apps.knowledge import services

    try:
        with Lease(version) as lease:
            index(version, lease.keep)
    except LeaseLost:
        log.warning("source version belongs to somebody else now")
    except Refused as refused:
        services.fail_version(version, refused.reason)
    except Refusal as refusal:
        services.fail_version(version, refusal.code, refusal.message)
    except MillraceError as error:
        # No room, no quota, no budget.
        services.fail_version(version, error.code, error.message)
    except EmbeddingFailed as error:
        services.fail_version(version, "embedding_failed", str(error))
    except (OperationalError, InterfaceError):
        # With the database away nothing can be said: the lease lapses, and the reaper returns the row.
        log.exception("source version broken off")
        connection.close()
    except Exception:
        log.exception("source version failed")
        services.fail_version(version, "indexing_failed")


def index(version: SourceVersion, keep: Callable[[], None]) -> None:
    """One version from its file, or its address, to passages that are found."""
    from apps.core import tenancy
    from apps.knowledge import files, services
    from apps.knowledge.models import Source, Stage
    from apps.knowledge.services import calls

    _shown(services.note_stage(version, Stage.READING))
    with tenancy.scope(version.organization_id):
        source = Source.objects.get(pk=version.document_id)
    path, kind = version.path, version.kind
    if source.url:
        stored = fetched(version.organization_id, source.url)
        _shown(services.note_fetched(version, stored))
        path, kind = stored.path, stored.kind
    document = extract(files.path_of(version.organization_id, path), Kind(kind))
    keep()
    _shown(services.note_stage(version, Stage.CHUNKING, pages=document.pages))
    cuts = cut(document)
    _shown(services.note_stage(version, Stage.EMBEDDING, chunks=len(cuts)))
    call = calls.open_indexing(version, len(cuts), sum(each.tokens + SPECIAL_TOKENS for each in cuts))
    try:
        vectors = embedded(version, cuts, keep)
        services.finish_version(version, document.title, document.pages, cuts, vectors, encoder.name, call)
    finally:
        # What has been charged stays so.
        calls.release_call(call)


def cut(document: Extracted) -> list[Chunk]:
    found = chunks(document.blocks, lengths, MAX_TOKENS - SPECIAL_TOKENS, OVERLAP)
    if len(found) > MOST_PASSAGES:
        raise Refusal("too_much_text")
    return found


def embedded(version: SourceVersion, cuts: Sequence[Chunk], keep: Callable[[], None]) -> list[str]:
    """The vectors as pgvector reads them, which takes a fraction of the memory of Python's numbers."""
    from apps.knowledge import services
    from apps.knowledge.models import Stage
    from apps.knowledge.vectors import as_text

    vectors: list[str] = []
    for part in encoder.in_parts([each.read for each in cuts]):
        keep()
        vectors += map(as_text, part.vectors)
        if len(vectors) % SHOWN_EVERY == 0:
            _shown(services.note_stage(version, Stage.EMBEDDING, embedded=len(vectors)))
    return vectors


def fetched(organization_id: object, url: str) -> Stored:
    """What is at the address, as a file; each step of a redirection is checked like the first address."""
    from django.conf import settings

    from apps.core.errors import MillraceError, OutboundFailed, OutboundRefused
    from apps.knowledge import files

    try:
        answer, url = fetching.get(url, FETCH_TYPES, settings.KNOWLEDGE_MAX_FILE_BYTES)
    except OutboundRefused as error:
        raise Refusal("address_refused", error.message) from error
    except OutboundFailed as error:
        raise Refusal("not_fetched", error.message) from error
    declared = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    suffix = FETCH_TYPES.get(declared) or mimetypes.guess_extension(declared) or ""
    parts = urlsplit(url)
    name = f"{(parts.path.rstrip('/').rpartition('/')[2] or parts.hostname or 'page')[:100]}{suffix}"
    try:
        return files.store(organization_id, files.Content(name, answer.body))  # type: ignore[arg-type]
    except MillraceError as error:
        raise Refusal("unknown_type" if error.code == "file_refused" else error.code, error.message) from error


def _shown(mine: bool) -> None:
    if not mine:
        raise LeaseLost
