"""What a schedule's addresses say now: asked through the guards for strangers' addresses, and read as plain text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from django.conf import settings

from apps.core import outbound
from apps.core.errors import MillraceError
from apps.core.said import said, words_of
from ml.text.feeds import Item, NotReadable, items_of

MOST_REDIRECTS = 3
# All addresses together take no longer than this, however slow they are: a worker waits meanwhile.
MOST_BYTES, SECONDS, ALL_SECONDS = 2 * 1_048_576, 8.0, 60.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Read:
    """What one address gave; `problem` says why it gave nothing."""

    url: str
    items: tuple[Item, ...] = ()
    problem: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        return {"url": self.url, "items": len(self.items), "problem": self.problem, "said": said(self.problem)}


def read_all(urls: Sequence[str]) -> list[Read]:
    """Each address in turn; call it outside of any transaction."""
    until = time.monotonic() + ALL_SECONDS
    return [_read(url, until) for url in urls]


def _read(url: str, until: float) -> Read:
    try:
        return Read(url, tuple(_items(url, until)))
    except MillraceError as error:
        return Read(url, problem=words_of(error))
    except NotReadable as error:
        return Read(url, problem=error.words)


def _items(url: str, until: float) -> list[Item]:
    address = url
    for _ in range(MOST_REDIRECTS + 1):
        left = until - time.monotonic()
        if left <= 0:
            raise NotReadable("The sources before it took too long.")
        answer = outbound.fetch(
            "GET",
            address,
            headers={"accept": "application/rss+xml, application/atom+xml, text/html, text/plain;q=0.8"},
            allow_private=settings.OUTBOUND_ALLOW_PRIVATE,
            limit_bytes=MOST_BYTES,
            timeout=min(SECONDS, left),
        )
        if answer.status in REDIRECTS and (target := answer.headers.get("location")):
            # Every hop is looked at like the first.
            address = urljoin(address, target)
            continue
        if answer.status != 200:
            raise NotReadable("The other side answered with the status %(status)s.", status=answer.status)
        return items_of(answer.body, answer.headers.get("content-type", ""))
    raise NotReadable("The other side redirects too often.")


def as_text(reads: Sequence[Read], most_chars: int) -> str:
    """The items, numbered, as much of each as there is room for: the newest of every source before the second."""
    items: list[Item] = []
    longest = max((len(each.items) for each in reads), default=0)
    for place in range(longest):
        items += [each.items[place] for each in reads if place < len(each.items)]
    lines: list[str] = []
    for number, item in enumerate(items, 1):
        line = f"[{number}] {': '.join(filter(None, (item.title, item.summary)))}"
        left = most_chars - sum(map(len, lines)) - len(lines)
        if left < min(len(line), 60):
            break
        lines.append(line[:left])
    return "\n".join(lines)
