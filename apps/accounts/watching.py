"""Open streams end within seconds when whoever follows them may not any more (decision 24).

A web process asks the database about all of them together every CHECK_SECONDS, and at once when a notice comes
(`apps.core.revocation`). So what a stream may cost is a place in one list, and what a lost notice costs is seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from apps.accounts.access import Actor, Credential
from apps.accounts.services.standing import permissions_now
from apps.core import revocation
from apps.core.errors import AccessRevoked
from apps.core.revocation import Notice
from apps.core.threads import in_database

log = logging.getLogger(__name__)

# With what the question itself takes this stays below the 5 s within which access has to end.
CHECK_SECONDS = 3.0
RECONNECT_SECONDS = 1.0
# Without a stream to watch the watchman goes after this time.
LINGER_SECONDS = 10.0


def _nothing() -> None:
    """What is called at the end of a watch that nobody waits for."""


class Watch:
    """One open stream, and whether it must end; `on_end` wakes whoever waits for its next frame."""

    __slots__ = ("credential", "ended", "on_end", "permission")

    def __init__(self, credential: Credential, permission: str) -> None:
        self.credential, self.permission = credential, permission
        self.ended = False
        self.on_end: Callable[[], None] = _nothing

    def check(self) -> None:
        """Raises AccessRevoked once the stream must end."""
        if self.ended:
            raise AccessRevoked

    def end(self) -> None:
        self.ended = True
        self.on_end()


class Watchman:
    """The open streams of one event loop."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._task: asyncio.Task[None] | None = None
        self._heard: list[Notice] = []
        self._woken, self._added = asyncio.Event(), asyncio.Event()

    def add(self, watch: Watch) -> None:
        self._watches.add(watch)
        self._added.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def remove(self, watch: Watch) -> None:
        self._watches.discard(watch)

    # ------------------------------------------------------------ looking
    async def _run(self) -> None:
        listener = asyncio.create_task(self._listen())
        clock = asyncio.get_running_loop().time
        due = clock() + CHECK_SECONDS
        try:
            while await self._anybody():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self._woken.wait()
                self._woken.clear()
                heard, self._heard = self._heard, []
                if clock() >= due:
                    due = clock() + CHECK_SECONDS
                    heard.append(Notice())
                await self._look(heard)
        finally:
            listener.cancel()

    async def _anybody(self) -> bool:
        if not self._watches:
            self._added.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._added.wait()
        return bool(self._watches)

    async def _look(self, heard: Iterable[Notice]) -> None:
        """Asks about those whom a notice concerns, and ends what may not go on."""
        asked = [w for w in self._watches if any(n.concerns(w.credential.organization_id) for n in heard)]
        if not asked:
            return
        try:
            standing = await in_database(permissions_now, {watch.credential for watch in asked})
        except (OperationalError, InterfaceError):
            # Who was named is believed to be out; about the others nothing is known, and nothing changes.
            for watch in asked:
                if any(_names(notice, watch.credential) for notice in heard):
                    watch.end()
            return
        except Exception:
            # The next look must come whatever happens to this one.
            log.exception("streams not checked")
            return
        for watch in asked:
            if watch.permission not in standing.get(watch.credential, frozenset()):
                watch.end()

    # ------------------------------------------------------------ listening
    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(revocation.notices()) as notices:
                    async for notice in notices:
                        self._heard.append(notice)
                        self._woken.set()
            except (RedisError, OSError) as error:
                log.debug("not listening: %s", error)
            except Exception:
                log.exception("listener stumbled")
            await asyncio.sleep(RECONNECT_SECONDS)


def _names(notice: Notice, credential: Credential) -> bool:
    """Whether the notice is about this person or key by name."""
    of_it = notice.concerns(credential.organization_id)
    return of_it and notice.subject_id in {credential.owner_id, credential.api_key_id} - {None}


_watchmen: WeakKeyDictionary[asyncio.AbstractEventLoop, Watchman] = WeakKeyDictionary()


@contextmanager
def watching(actor: Actor, permission: str) -> Iterator[Watch | None]:
    """A watch over whether the actor still has the permission; None for one who acts inside the product itself."""
    if actor.credential is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    watchman = _watchmen.get(loop) or _watchmen.setdefault(loop, Watchman())
    watch = Watch(actor.credential, permission)
    watchman.add(watch)
    try:
        yield watch
    finally:
        watchman.remove(watch)
