"""Ids that are made one after the other are in that order."""

from datetime import UTC, datetime
from itertools import pairwise
from unittest.mock import patch

from apps.core.ids import uuid7


def test_ids_are_of_version_7_and_in_the_order_of_their_making() -> None:
    start = 1_790_000_000_000_000_000
    with patch("time.time_ns", side_effect=range(start, start + 2_000_000, 500)):
        ids = [uuid7() for _ in range(4000)]
    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
    assert datetime.fromtimestamp((ids[0].int >> 80) / 1000, UTC).timestamp() == 1_790_000_000


def test_two_of_the_same_moment_differ() -> None:
    with patch("time.time_ns", return_value=1_790_000_000_000_000_000):
        assert len({uuid7() for _ in range(1000)}) == 1000
