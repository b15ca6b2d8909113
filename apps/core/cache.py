"""Django's cache on Redis, and in this process's memory for as long as Redis is away.

What lies in it are counts of attempts and codes that were used: with neither of them kept, limits would be gone, and
with an error instead nobody could sign in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from apps.core.ratelimit import Breaker

log = logging.getLogger(__name__)
T = TypeVar("T")
_breaker = Breaker()


class PatientCache(RedisCache):
    """Serves what allauth asks of a cache: add, get, set, delete."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._local = LocMemCache("patient", params)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return self._either(super().add, self._local.add, *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._either(super().get, self._local.get, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        return self._either(super().set, self._local.set, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return self._either(super().delete, self._local.delete, *args, **kwargs)

    def _either(self, ask: Callable[..., T], instead: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        if not _breaker.lets_through():
            return instead(*args, **kwargs)
        try:
            answer = ask(*args, **kwargs)
        except (RedisError, OSError) as error:
            _breaker.failed()
            log.warning("cache kept in this process only", extra={"reason": str(error)})
            return instead(*args, **kwargs)
        _breaker.succeeded()
        return answer
