"""Token buckets: never above the limit however many ask at once, refilled by Redis's clock alone."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis as redis_py
from django.conf import settings
from redis.exceptions import TimeoutError as RedisTimeout

from apps.core import ratelimit
from apps.core.errors import RateLimitExceeded
from apps.core.ratelimit import Breaker, Bucket, Level, charge, headers


def key(owner: str, name: str) -> str:
    return f"{settings.REDIS_PREFIX}:rate:{owner}:{name}"


def passes(owner: str, *buckets: Bucket) -> bool:
    try:
        charge(owner, list(buckets))
    except RateLimitExceeded:
        return False
    return True


def go_back(redis: Any, owner: str, name: str, milliseconds: int) -> None:
    """Makes a bucket's last charge that much older, as if time had passed."""
    at = float(redis.hget(key(owner, name), "at"))
    redis.hset(key(owner, name), "at", at - milliseconds)


def test_two_hundred_at_once_never_exceed_the_limit() -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=25) as pool:
        passed = sum(pool.map(lambda _: passes("a", Bucket("requests", 30, 1)), range(200)))
    refilled = (time.monotonic() - started) * 30 / 60
    assert 30 <= passed <= 30 + refilled


def test_a_bucket_refills_evenly_and_not_above_its_limit(redis: Any) -> None:
    bucket = Bucket("requests", 60, 60)
    assert passes("a", bucket)
    assert not passes("a", Bucket("requests", 60, 1))
    go_back(redis, "a", "requests", 30_000)
    [level] = charge("a", [Bucket("requests", 60, 1)])
    assert level.remaining == 29
    go_back(redis, "a", "requests", 600_000)
    [level] = charge("a", [Bucket("requests", 60, 1)])
    assert level.remaining == 59


def test_a_refusal_says_how_long_to_wait() -> None:
    charge("a", [Bucket("tokens", 600, 600)])
    with pytest.raises(RateLimitExceeded) as refused:
        charge("a", [Bucket("tokens", 600, 100)])
    assert 9 < refused.value.retry_after <= 10
    assert refused.value.should_retry


def test_a_clock_of_the_web_server_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    charge("a", [Bucket("requests", 1, 1)])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert not passes("a", Bucket("requests", 1, 1))


def test_all_buckets_are_charged_or_none() -> None:
    charge("a", [Bucket("tokens", 100, 100)])
    assert not passes("a", Bucket("requests", 10, 1), Bucket("tokens", 100, 50))
    [level] = charge("a", [Bucket("requests", 10, 1)])
    assert level.remaining == 9


def test_owners_do_not_share_a_bucket() -> None:
    charge("a", [Bucket("requests", 1, 1)])
    assert passes("b", Bucket("requests", 1, 1))


def test_a_request_larger_than_the_bucket_passes_when_it_is_full() -> None:
    [level] = charge("a", [Bucket("tokens", 100, 150)])
    assert level.remaining == 0
    assert not passes("a", Bucket("tokens", 100, 1))


def test_a_limit_of_nothing_lets_nothing_pass() -> None:
    with pytest.raises(RateLimitExceeded) as refused:
        charge("a", [Bucket("requests", 0, 1)])
    assert refused.value.retry_after == 60
    [level] = charge("a", [Bucket("tokens", 0, 0)])
    assert (level.remaining, level.reset_ms) == (0, 0)


def test_buckets_go_away_by_themselves(redis: Any) -> None:
    charge("a", [Bucket("requests", 10, 1)])
    assert 0 < redis.pttl(key("a", "requests")) <= 180_000


def test_redis_being_down_refuses_nothing(monkeypatch: pytest.MonkeyPatch, breaker: Breaker) -> None:
    nobody = redis_py.Redis(port=1, socket_connect_timeout=0.2, retry=None)
    monkeypatch.setattr(ratelimit, "quick_redis_client", lambda: nobody)
    assert charge("a", [Bucket("requests", 1, 1)]) == []


@pytest.fixture
def breaker(monkeypatch: pytest.MonkeyPatch) -> Breaker:
    made = Breaker(seconds=60)
    monkeypatch.setattr(ratelimit, "_breaker", made)
    return made


def test_only_the_first_of_many_waits_for_a_redis_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, breaker: Breaker
) -> None:
    asked: list[int] = []

    class Gone:
        def eval(self, *arguments: Any) -> None:
            asked.append(1)
            raise RedisTimeout

    monkeypatch.setattr(ratelimit, "quick_redis_client", Gone)
    for _ in range(20):
        assert charge("a", [Bucket("requests", 1, 1)]) == []
    assert len(asked) == 1


def test_a_redis_that_is_back_limits_again(monkeypatch: pytest.MonkeyPatch, breaker: Breaker) -> None:
    breaker.failed()
    assert not breaker.lets_through()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert breaker.lets_through()
    # One tries, and the others still do without.
    assert not breaker.lets_through()
    breaker.succeeded()
    assert breaker.lets_through()
    assert passes("a", Bucket("requests", 1, 1))
    assert not passes("a", Bucket("requests", 1, 1))


def test_what_is_given_back_can_be_taken_again_and_no_more() -> None:
    charge("a", [Bucket("tokens", 100, 80)])
    [level] = charge("a", [Bucket("tokens", 100, -80)])
    assert level.remaining == 100
    charge("a", [Bucket("tokens", 100, -80)])
    [level] = charge("a", [Bucket("tokens", 100, 0)])
    assert level.remaining == 100


def test_giving_back_is_never_refused_however_deep_the_debt() -> None:
    charge("a", [Bucket("tokens", 100, 5_000)])
    [level] = charge("a", [Bucket("tokens", 100, -10)])
    assert level.remaining == 0


def test_headers_are_those_that_openai_clients_read() -> None:
    assert headers([Level("requests", 60, 59, 1000), Level("tokens", 1000, 10, 59_400), Level("x", 1, 1, 0)]) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "10",
        "x-ratelimit-reset-tokens": "59.4s",
        "x-ratelimit-limit-x": "1",
        "x-ratelimit-remaining-x": "1",
        "x-ratelimit-reset-x": "0ms",
    }


def test_a_bucket_of_a_day_refills_over_a_day() -> None:
    charge("a", [Bucket("bytes_a_day", 10, 10, 86_400)])
    with pytest.raises(RateLimitExceeded) as refused:
        charge("a", [Bucket("bytes_a_day", 10, 5, 86_400)])
    assert 43_100 < refused.value.retry_after <= 43_200
