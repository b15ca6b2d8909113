"""Token buckets in Redis: checked and charged in one atomic script, on Redis's own clock.

A Redis that does not answer is left alone for some seconds, so that only the first of many requests waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from apps.core.connections import quick_redis_client
from apps.core.errors import RateLimitExceeded

log = logging.getLogger(__name__)

# Each bucket holds its period's allowance and refills evenly. All buckets are charged, or none.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local levels, wait = {}, 0
for i, key in ipairs(KEYS) do
    local limit, cost, period = tonumber(ARGV[i * 3 - 2]), tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3])
    local state = redis.call('HMGET', key, 'level', 'at')
    local level = tonumber(state[1]) or limit
    level = math.min(limit, level + (now - (tonumber(state[2]) or now)) * limit / period)
    levels[i] = level
    -- A request larger than a whole bucket passes when the bucket is full.
    local need = math.min(cost, limit)
    if limit < 1 and cost > 0 then wait = math.max(wait, period)
    elseif cost >= 0 and level < need then wait = math.max(wait, (need - level) * period / limit) end
end
local answer = {math.ceil(wait)}
for i, key in ipairs(KEYS) do
    local limit, cost, period = tonumber(ARGV[i * 3 - 2]), tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3])
    if wait == 0 then
        levels[i] = levels[i] - cost
        redis.call('HSET', key, 'level', levels[i], 'at', now)
        redis.call('PEXPIRE', key, period * 3)
    end
    answer[#answer + 1] = math.max(0, math.floor(levels[i]))
    answer[#answer + 1] = math.ceil((limit - math.min(limit, levels[i])) * period / math.max(1, limit))
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`limit` a minute, or in so many `seconds`, of which this call takes `cost`; `name` is "requests" or "tokens"."""

    name: str
    limit: int
    cost: int
    seconds: int = 60


@dataclass(frozen=True, slots=True)
class Level:
    name: str
    limit: int
    remaining: int
    reset_ms: int


class Breaker:
    """Closed while calls succeed; after a failure it lets one call through every `seconds`, until one succeeds."""

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._try_at: float | None = None
        self._lock = threading.Lock()

    def lets_through(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if self._try_at is None:
                return True
            if now < self._try_at:
                return False
            self._try_at = now + self._seconds
            return True

    def succeeded(self) -> None:
        self._try_at = None

    def failed(self) -> None:
        with self._lock:
            self._try_at = time.monotonic() + self._seconds


_breaker = Breaker()


def _duration(milliseconds: int) -> str:
    return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:g}s"


def headers(levels: list[Level]) -> dict[str, str]:
    """`x-ratelimit-*` as OpenAI's clients read them; resets are durations such as 12ms or 6s."""
    named: dict[str, str] = {}
    for level in levels:
        named[f"x-ratelimit-limit-{level.name}"] = str(level.limit)
        named[f"x-ratelimit-remaining-{level.name}"] = str(level.remaining)
        named[f"x-ratelimit-reset-{level.name}"] = _duration(level.reset_ms)
    return named


def charge(owner: str, buckets: list[Bucket]) -> list[Level]:
    """Takes each bucket's cost, or raises RateLimitExceeded with the seconds to wait and takes nothing.

    A negative cost gives back. Redis being down must not refuse work, since the ledger in PostgreSQL still bounds it:
    then no level is returned.
    """
    if not _breaker.lets_through():
        return []
    keys = [f"{settings.REDIS_PREFIX}:rate:{owner}:{bucket.name}" for bucket in buckets]
    arguments: list[Any] = [value for bucket in buckets for value in (bucket.limit, bucket.cost, bucket.seconds * 1000)]
    try:
        wait_ms, *state = quick_redis_client().eval(_SCRIPT, len(keys), *keys, *arguments)
    except (RedisError, OSError) as error:
        _breaker.failed()
        log.warning("rate limit not checked", extra={"reason": str(error)})
        return []
    _breaker.succeeded()
    levels = [
        Level(bucket.name, bucket.limit, int(state[2 * i]), int(state[2 * i + 1])) for i, bucket in enumerate(buckets)
    ]
    if wait_ms:
        seconds = wait_ms / 1000
        raise RateLimitExceeded(
            "Too many requests for this organization; try again in %(seconds).1f s.",
            values={"seconds": seconds},
            retry_after=seconds,
            headers=headers(levels),
        )
    return levels
