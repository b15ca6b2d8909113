"""Locks that grow with each failed attempt, counted in Redis by one atomic script on Redis's own clock.

An attempt is counted before it is made, so that a thousand at once are no more than one after the other; what turns out
right is taken back. Without Redis each process counts for itself: an attacker then has as many tries as there are
processes, and never as many as they like.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from apps.core.connections import quick_redis_client
from apps.core.ratelimit import Breaker

log = logging.getLogger(__name__)
MOST_REMEMBERED = 20_000

# Nothing is counted while any of the keys is locked: whoever is locked out of one cannot wear out the others.
_BEGIN = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local wait = 0
for _, key in ipairs(KEYS) do
    wait = math.max(wait, (tonumber(redis.call('HGET', key, 'until')) or 0) - now)
end
if wait > 0 then return tostring(wait) end
for i, key in ipairs(KEYS) do
    local free, first = tonumber(ARGV[i * 4 - 3]), tonumber(ARGV[i * 4 - 2])
    local longest, forget = tonumber(ARGV[i * 4 - 1]), tonumber(ARGV[i * 4])
    local made = redis.call('HINCRBY', key, 'made', 1)
    if made >= free then
        redis.call('HSET', key, 'until', now + math.min(longest, first * 2 ^ (made - free)))
    end
    redis.call('EXPIRE', key, forget)
end
return '0'
"""
_TAKE_BACK = """
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then
        if redis.call('HINCRBY', key, 'made', -1) <= 0 then redis.call('DEL', key)
        else redis.call('HDEL', key, 'until') end
    end
end
return 0
"""


@dataclass(frozen=True, slots=True)
class Lock:
    """`free` attempts cost nothing; the last of them locks for `first` seconds, each further one for twice as long.

    `key` may hold what is personal: it is stored as a hash. The count is forgotten `forget` seconds after the last try.
    """

    key: str
    free: int
    first: int = 60
    longest: int = 3600
    forget: int = 86_400

    @property
    def name(self) -> str:
        return f"{settings.REDIS_PREFIX}:attempts:{hashlib.sha256(self.key.encode()).hexdigest()}"


@dataclass(slots=True)
class _Count:
    made: int = 0
    until: float = 0.0
    forget_at: float = 0.0


class _Local:
    """The same counts in this process's memory, for as long as Redis is away; the oldest go first."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, locks: Sequence[Lock]) -> float:
        with self._lock:
            now = time.monotonic()
            counts = [self._of(lock.name, now) for lock in locks]
            wait = max((count.until - now for count in counts), default=0.0)
            if wait > 0:
                return wait
            for lock, count in zip(locks, counts, strict=True):
                count.made += 1
                count.forget_at = now + lock.forget
                if count.made >= lock.free:
                    count.until = now + min(lock.longest, lock.first * 2 ** min(count.made - lock.free, 32))
            return 0.0

    def take_back(self, locks: Sequence[Lock]) -> None:
        with self._lock:
            for lock in locks:
                count = self._of(lock.name, time.monotonic())
                count.made, count.until = max(0, count.made - 1), 0.0

    def forgive(self, locks: Sequence[Lock]) -> None:
        with self._lock:
            for lock in locks:
                self._counts.pop(lock.name, None)

    def _of(self, name: str, now: float) -> _Count:
        count = self._counts.get(name)
        if count is None or count.forget_at < now:
            count = self._counts[name] = _Count(forget_at=now + 1)
        self._counts.move_to_end(name)
        if len(self._counts) > MOST_REMEMBERED:
            self._counts.popitem(last=False)
        return count


_breaker = Breaker()
_local = _Local()


def _redis(script: str, locks: Sequence[Lock], arguments: Sequence[Any] = ()) -> Any:
    """The script's answer, or None when Redis gives none."""
    if not _breaker.lets_through():
        return None
    try:
        answer = quick_redis_client().eval(script, len(locks), *(lock.name for lock in locks), *arguments)
    except (RedisError, OSError) as error:
        _breaker.failed()
        log.warning("attempts counted in this process only", extra={"reason": str(error)})
        return None
    _breaker.succeeded()
    return answer


def begin(locks: Sequence[Lock]) -> float:
    """Counts an attempt against every lock and returns 0, or the seconds to wait when it may not be made."""
    figures = [figure for lock in locks for figure in (lock.free, lock.first, lock.longest, lock.forget)]
    answer = _redis(_BEGIN, locks, figures)
    return _local.begin(locks) if answer is None else float(answer)


def take_back(locks: Sequence[Lock]) -> None:
    """The attempt was right: it counts no longer, those before it still do."""
    if _redis(_TAKE_BACK, locks) is None:
        _local.take_back(locks)


def forgive(locks: Sequence[Lock]) -> None:
    """Forgets all attempts, since whoever made them has shown to be the owner."""
    if _redis("return redis.call('DEL', unpack(KEYS))", locks) is None:
        _local.forgive(locks)
