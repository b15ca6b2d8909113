"""Following an organization's events as they are committed, from any of them on.

A process asks once for all organizations that somebody follows, twice a second, how far they have got; a follower reads
its events only when there are new ones. So a thousand quiet streams cost one small question.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import InterfaceError, OperationalError

from apps.accounts.access import Actor
from apps.accounts.watching import watching
from apps.core import shutdown
from apps.core.errors import ServiceUnavailable
from apps.core.threads import in_database
from apps.webhooks import feed
from apps.webhooks.access import EVENTS
from apps.webhooks.feed import Feed

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
# Without a follower the counting ends.
LINGER_SECONDS = 5.0
PATIENCE_SECONDS = 30.0
AT_A_TIME = 100


@dataclass(eq=False)
class Follower:
    """One open stream; `known` is the last event that the process has seen of its organization."""

    organization_id: UUID
    changed: asyncio.Event
    known: int = 0

    def news(self, last: int) -> None:
        if last > self.known:
            self.known = last
            self.changed.set()


class Counting:
    """How far the followed organizations have got, asked by one task of the event loop."""

    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, organization_id: UUID) -> Iterator[Follower]:
        follower = Follower(organization_id, asyncio.Event())
        self._followers.add(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        used = clock()
        while self._followers or clock() - used < LINGER_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._followers:
                continue
            used = clock()
            organizations = list({each.organization_id for each in self._followers})
            try:
                last = await in_database(feed.counted, organizations)
            except (OperationalError, InterfaceError) as error:
                log.warning("events not counted: %s", error)
                continue
            for follower in list(self._followers):
                follower.news(last.get(follower.organization_id, 0))


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Counting] = WeakKeyDictionary()


def counting() -> Counting:
    return _by_loop.setdefault(asyncio.get_running_loop(), Counting())


async def follow(actor: Actor, after: int, types: Sequence[str], grace: float = 0.0) -> AsyncGenerator[Feed | None]:
    """What has been committed behind `after`, then what comes, without an end; None is a heartbeat.

    Raises AccessRevoked once the actor may not read events any more, ServiceUnavailable when the database stays away,
    and Leaving when this process stops; a reader comes back with the last position that it has seen.
    """
    loop = asyncio.get_running_loop()
    with watching(actor, EVENTS) as watch, counting().following(actor.organization_id) as follower:
        if watch is not None:
            watch.on_end = follower.changed.set
        told, away = loop.time(), None
        while True:
            shutdown.check(grace)
            follower.changed.clear()
            try:
                found, away = await in_database(feed.read, actor, after, types, AT_A_TIME), None
            except (OperationalError, InterfaceError) as error:
                away = away or loop.time()
                if loop.time() - away > PATIENCE_SECONDS:
                    raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error
                await asyncio.sleep(LOOK_SECONDS)
                continue
            if watch is not None:
                watch.check()
            if found.events or found.removed_through:
                yield found
                told = loop.time()
            after = found.position
            follower.known = max(follower.known, after)
            while not (found.has_more or follower.changed.is_set()):
                shutdown.check(grace)
                await _pause(follower.changed)
                if loop.time() - told >= settings.STREAM_HEARTBEAT_SECONDS:
                    yield None
                    told = loop.time()
            if watch is not None:
                watch.check()


async def _pause(changed: asyncio.Event) -> None:
    """A second at most, so that a server that stops is left in good time."""
    try:
        async with asyncio.timeout(1.0):
            await changed.wait()
    except TimeoutError:
        return
