"""Pages on the web as texts: wanted by whoever renders a template, fetched by a worker, used for 15 minutes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.access import Actor
from apps.core import jobs, outbound, tenancy
from apps.core.errors import QueueFull
from apps.core.jobs import Status
from apps.studio.errors import SourceFailed, SourceNotReady
from apps.studio.models import PageText
from ml.text.prompts import Source
from ml.text.variables import LONGEST_SOURCE

WAKE = "studio.fetch_pages"
FRESH = timedelta(minutes=15)
# So long a failure is told; after that the page is tried again.
FAILURE_TOLD = timedelta(seconds=30)
RETRY_SECONDS = 1.5
MOST_WAITING = 100
_HELD = {Status.QUEUED, Status.RUNNING}


def texts_of(actor: Actor, urls: Iterable[str]) -> dict[str, Source]:
    """The pages' texts by their addresses.

    Has what is missing fetched and raises SourceNotReady until it is there: ask again. Raises OutboundRefused for an
    address that nobody may have this server ask, and SourceFailed for a page that could not be had. What it has asked
    for must be committed, also though it raises.
    """
    wanted = list(dict.fromkeys(urls))
    for url in wanted:
        outbound.target_of(url, allow_private=settings.OUTBOUND_ALLOW_PRIVATE)
    with tenancy.scope(actor.organization_id):
        found = _known(wanted)
        missing = [url for url in wanted if url not in found]
        if missing:
            _ask(actor, missing)
    for url, page in found.items():
        if page.status == Status.FAILED:
            raise SourceFailed("%(url)s: %(why)s", values={"url": url, "why": page.error_message}, param="variables")
    if missing or any(page.status in _HELD for page in found.values()):
        raise SourceNotReady("The pages are being fetched; ask again in a moment.", retry_after=RETRY_SECONDS)
    return {url: Source(url, page.text) for url, page in found.items()}


def _known(urls: list[str]) -> dict[str, PageText]:
    """The newest row of each address that still counts."""
    now = timezone.now()
    rows = PageText.objects.filter(url__in=urls, created_at__gte=now - FRESH)
    told = Q(status__in=[*_HELD, Status.SUCCEEDED]) | Q(status=Status.FAILED, finished_at__gte=now - FAILURE_TOLD)
    return {row.url: row for row in rows.filter(told).order_by("id")}


def _ask(actor: Actor, urls: list[str]) -> None:
    waiting = PageText.objects.filter(status__in=_HELD).count()
    if waiting + len(urls) > MOST_WAITING:
        raise QueueFull("%(count)s pages are waiting to be fetched already.", values={"count": waiting}, retry_after=10)
    PageText.objects.bulk_create(PageText(organization_id=actor.organization_id, url=url) for url in urls)
    jobs.ring(WAKE)


def finish_page(page: PageText, title: str, text: str) -> bool:
    """What was read; False where another attempt has the row now."""
    title = " ".join(title.split())[:300]
    whole = f"{title}\n\n{text}".strip() if title and not text.startswith(title) else text.strip()
    return _end(page, status=Status.SUCCEEDED, title=title, text=whole[:LONGEST_SOURCE])


def fail_page(page: PageText, code: str, message: str) -> bool:
    return _end(page, status=Status.FAILED, error_code=code, error_message=message[:300])


def _end(page: PageText, **facts: str) -> bool:
    with tenancy.scope(page.organization_id):
        held = PageText.objects.filter(pk=page.pk, attempt=page.attempt, status=Status.RUNNING)
        return bool(held.update(**facts, lease_until=None, finished_at=Now()))
