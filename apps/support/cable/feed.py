"""One reader of an organization's events for all sockets of a process (decision 80).

The rows of events are the truth, in the order in which they were committed; hints say when to look. What is read is
told to all from one short memory, and each goes on from the position that they have: one who is slow holds up nobody,
and reads from the rows what is forgotten here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_noop

from apps.core import tenancy
from apps.core.errors import ServiceUnavailable
from apps.core.models import Event, EventCounter
from apps.core.rooms import Hints, rooms_of
from apps.core.threads import in_database
from apps.support.cable import telling
from apps.support.cable.telling import Told
from apps.support.following import ANEW
from apps.support.services.hints import EVENTS, EVERYWHERE, channel_of
from apps.support.services.numbers import Numbers

log = logging.getLogger(__name__)

# A hint may be lost with Redis: after so long rows are looked at without one.
LOOK_SECONDS = 10.0
PATIENCE_SECONDS, AGAIN_SECONDS, MOST_REST_SECONDS = 30.0, 0.5, 0.1
# What is read together has to fit into what is kept: one event may be told by three names.
AT_A_TIME, KEPT, MOST_TYPING = 50, 256, 32
UNTOLD = gettext_noop("What has happened could not be told; come back.")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is told of the events up to a position; `has_more` says that there are others behind it."""

    told: list[Told]
    position: int
    has_more: bool


class Follower:
    """One subscription: how far it has got, and what it is woken by. A contact's is that of a browser's `session`."""

    def __init__(self, feed: Feed, position: int, wake: Callable[[], None], session: UUID | None = None) -> None:
        self.feed, self.position, self.wake, self.session = feed, position, wake, session
        self.typing: deque[Told] = deque(maxlen=MOST_TYPING)
        # Somebody has signed out since it was looked at.
        self.is_doubted = False

    async def take(self) -> list[Told]:
        """What has happened since, in its order. Raises ServiceUnavailable when the database stays away."""
        self.feed.check()
        forgotten = self.feed.forgotten
        if self.position < forgotten:
            read = await self.feed.again(self.position)
            # What is forgotten here and not in the rows any more has been removed there.
            found, self.position = read.told, read.position if read.has_more else max(read.position, forgotten)
            # There may be more, which nobody else will say.
            self.wake()
        else:
            found = self.feed.behind(self.position)
            self.position = max(self.position, self.feed.position)
        typing, self.typing = list(self.typing), deque(maxlen=MOST_TYPING)
        return found + typing


class Feed:
    """The events of one organization, read once for all followers of this event loop."""

    def __init__(self, organization_id: UUID) -> None:
        self.organization_id = organization_id
        # Read up to here; up to `forgotten` not kept any more.
        self.position = self.forgotten = 0
        self._kept: deque[Told] = deque()
        self._followers: set[Follower] = set()
        self._readings: dict[int, asyncio.Task[Stretch]] = {}
        self._task: asyncio.Task[None] | None = None
        self._away: float | None = None
        self._has_failed = False

    def check(self) -> None:
        """Raises ServiceUnavailable where nobody reads any more, or the database stays away."""
        if self._has_failed:
            raise ServiceUnavailable(UNTOLD, retry_after=5)
        if self._away is not None and asyncio.get_running_loop().time() - self._away > PATIENCE_SECONDS:
            raise ServiceUnavailable("The database does not answer; come back.", retry_after=5)

    def behind(self, position: int) -> list[Told]:
        found = []
        for told in reversed(self._kept):
            if told.position <= position:
                break
            found.append(told)
        return found[::-1]

    async def again(self, position: int) -> Stretch:
        """What is behind a position, from the rows: read once for all who have got equally far.

        Whoever has listened to the same is as far behind when more happens at once than is kept.
        """
        if position not in self._readings:
            self._readings[position] = asyncio.create_task(self._read_again(position))
        return await asyncio.shield(self._readings[position])

    async def _read_again(self, position: int) -> Stretch:
        try:
            return await in_database(_read, self.organization_id, position)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # Said once, and not by each who waits for it.
            log.exception("events of the desk not read again")
            raise ServiceUnavailable(UNTOLD, retry_after=5) from None
        finally:
            del self._readings[position]

    @contextmanager
    def followed(self, position: int, wake: Callable[[], None], session: UUID | None = None) -> Iterator[Follower]:
        follower = Follower(self, position, wake, session)
        self._followers.add(follower)
        if self._task is None or self._task.done():
            self.position = self.forgotten = position
            self._kept.clear()
            self._has_failed, self._away = False, None
            self._task = asyncio.create_task(self._guarded())
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers and self._task is not None:
                self._task.cancel()
                self._task = None
                _forget(self)

    async def _guarded(self) -> None:
        try:
            await self._run()
        except Exception:
            # All who follow end with it, and begin anew behind what could not be told.
            log.exception("events of the desk not read")
            self._has_failed = True
            self._wake()

    async def _run(self) -> None:
        channels = (channel_of(self.organization_id, place) for place in (EVERYWHERE, EVENTS))
        with rooms_of(f"{settings.REDIS_PREFIX}:desk:*", ANEW).entered(*channels) as hints:
            waiting: list[dict[str, Any]] = []
            clock = asyncio.get_running_loop().time
            while True:
                began = clock()
                try:
                    await self._look(waiting)
                    self._away = None
                except (OperationalError, InterfaceError):
                    self._away = self._away or began
                    self._wake()
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                # Half of the time at most (decision 7): what happens meanwhile is read together.
                await asyncio.sleep(min(MOST_REST_SECONDS, clock() - began))
                waiting = await _next(hints)

    async def _look(self, waiting: list[dict[str, Any]]) -> None:
        has_more = True
        while has_more:
            before = self.position
            read = await in_database(_read, self.organization_id, before)
            self.position, has_more = read.position, read.has_more
            self._keep(read.told)
            # Now, and not behind all that there is: by then it might be forgotten.
            self._pass_on(read.told, before)
        typing = await self._typing([each for each in waiting if each.get("type") == "typing"])
        is_doubted = any(each.get("type") == "signed_out" for each in waiting)
        for follower in self._followers if typing or is_doubted else ():
            follower.typing.extend(typing)
            follower.is_doubted = follower.is_doubted or is_doubted
            follower.wake()

    def _pass_on(self, told: list[Told], before: int) -> None:
        """Wakes those who hear something of it, and no thousand browsers for what is said in one."""
        sessions = frozenset[UUID]().union(*(each.sessions for each in told))
        for follower in self._followers:
            concerns = bool(told) if follower.session is None else follower.session in sessions
            if concerns or follower.position < before:
                follower.wake()
            else:
                follower.position = max(follower.position, self.position)

    def _keep(self, found: list[Told]) -> None:
        """Together with what somebody has still to take, as long as that is not too much."""
        taken = min((each.position for each in self._followers), default=self.position)
        while self._kept and self._kept[0].position <= taken:
            self.forgotten = self._kept.popleft().position
        self._kept.extend(found)
        while len(self._kept) > KEPT:
            self.forgotten = self._kept.popleft().position

    async def _typing(self, hints: list[dict[str, Any]]) -> list[Told]:
        return await in_database(_told_of_typing, self.organization_id, hints) if hints else []

    def _wake(self) -> None:
        for follower in list(self._followers):
            follower.wake()


async def _next(hints: Hints) -> list[dict[str, Any]]:
    """All hints that have come, once there is one; none where it is time to look without one."""
    first = await hints.within(LOOK_SECONDS)
    return [] if first is None else [first, *(hints.get_nowait() for _ in range(hints.qsize()))]


def position_of(organization_id: UUID) -> int:
    """Behind what happens from now on: positions are given in the order of commits."""
    with tenancy.scope(organization_id):
        return int(EventCounter.objects.values_list("last", flat=True).first() or 0)


def _read(organization_id: UUID, after: int) -> Stretch:
    with tenancy.scope(organization_id):
        rows = list(Event.objects.filter(position__gt=after).order_by("position")[:AT_A_TIME])
        told = telling.told_of(rows, Numbers(organization_id))
        return Stretch(told, rows[-1].position if rows else after, len(rows) == AT_A_TIME)


def _told_of_typing(organization_id: UUID, hints: list[dict[str, Any]]) -> list[Told]:
    with tenancy.scope(organization_id):
        numbers = Numbers(organization_id)
        return [each for hint in hints for each in telling.typing(hint, numbers)]


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[UUID, Feed]] = WeakKeyDictionary()


def feed_of(organization_id: UUID) -> Feed:
    """This event loop's feed of an organization."""
    known = _feeds.setdefault(asyncio.get_running_loop(), {})
    return known.get(organization_id) or known.setdefault(organization_id, Feed(organization_id))


def _forget(feed: Feed) -> None:
    known = _feeds.get(asyncio.get_running_loop(), {})
    if known.get(feed.organization_id) is feed:
        del known[feed.organization_id]
