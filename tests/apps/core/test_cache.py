"""The cache is Redis, and this process's memory while Redis is away."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache

from apps.core import cache as patient
from apps.core.cache import PatientCache
from apps.core.ratelimit import Breaker


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> PatientCache:
    monkeypatch.setattr(patient, "_breaker", Breaker(seconds=60))
    return PatientCache("redis://127.0.0.1:1/0", {"OPTIONS": {"socket_connect_timeout": 0.2}})


def test_it_lies_in_redis(redis: Any) -> None:
    cache.set("x", [1.5], 60)
    assert cache.get("x") == [1.5]
    assert list(redis.scan_iter(match=f"{settings.REDIS_PREFIX}:cache:*x"))


def test_without_redis_it_remembers_all_the_same(away: PatientCache) -> None:
    away.delete("x")
    assert away.get("x", "nothing") == "nothing"
    assert away.add("x", 1, 60)
    assert not away.add("x", 2, 60)
    away.set("x", 3, 60)
    assert away.get("x") == 3
    away.delete("x")
    assert away.get("x") is None


def test_only_the_first_call_waits_for_redis(away: PatientCache, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    from django.core.cache.backends.redis import RedisCache

    def fail(*args: Any, **options: Any) -> None:
        tried.append(1)
        raise ConnectionError

    monkeypatch.setattr(RedisCache, "get", fail)
    for _ in range(20):
        away.get("x")
    assert len(tried) == 1
