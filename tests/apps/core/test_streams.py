"""One stream per piece of work: ordered, readable from any point, closed to a worker that was taken over."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from redis.exceptions import ResponseError

from apps.core import streams
from apps.core.errors import InvalidRequest
from apps.core.streams import DELTA, END, RESET, Entry, Fenced


@pytest.fixture
def work() -> UUID:
    return uuid4()


def write(redis: Any, work: UUID, attempt: int, seq: int, entry: Entry) -> None:
    pipe = redis.pipeline()
    streams.append(pipe, work, attempt, seq, entry)
    pipe.execute()


def words(redis: Any, work: UUID, attempt: int, *texts: str, offset: int = 0) -> None:
    for index, text in enumerate(texts):
        write(redis, work, attempt, index + 1, Entry("", DELTA, text, (index,), offset + index))


async def test_everything_is_read_in_order_from_any_point(redis: Any, work: UUID) -> None:
    assert await streams.read(work, streams.START, 100) == []
    assert await streams.newest(work) is None
    streams.take_over(redis, work, 1)
    words(redis, work, 1, "Grüße", " 你", "好 🎉")
    write(redis, work, 1, 4, Entry("", END))
    found = await streams.read(work, streams.START, 100)
    assert [piece.id for piece in found] == ["1-0", "1-1", "1-2", "1-3", "1-4"]
    assert "".join(piece.text for piece in found) == "Grüße 你好 🎉"
    assert (found[3].tokens, found[3].offset) == (1, 2)
    for index, piece in enumerate(found):
        assert await streams.read(work, piece.id, 100) == found[index + 1 :]
        assert await streams.until(work, piece.id) == found[: index + 1]
        assert await streams.around(work, piece.id) == (found[index::-1], index < 4)
    assert await streams.newest(work) == found[-1]
    assert await streams.read(work, streams.START, 2) == found[:2]


def test_a_worker_that_was_taken_over_writes_nothing_more(redis: Any, work: UUID) -> None:
    streams.take_over(redis, work, 1)
    words(redis, work, 1, "one", " two")
    before = streams.take_over(redis, work, 2)
    assert [entry.text for entry in before if entry.kind == DELTA] == ["one", " two"]
    with pytest.raises(ResponseError) as refused:
        write(redis, work, 1, 3, Entry("", DELTA, " late", (9,), 2))
    assert streams.is_fenced(redis, work, 1, refused.value)
    with pytest.raises(Fenced):
        streams.take_over(redis, work, 1)
    assert redis.xlen(streams.key(work)) == 4


def test_a_repeat_of_ones_own_entry_is_harmless(redis: Any, work: UUID) -> None:
    streams.take_over(redis, work, 1)
    words(redis, work, 1, "one")
    with pytest.raises(ResponseError) as refused:
        write(redis, work, 1, 1, Entry("", DELTA, "one", (0,), 0))
    assert not streams.is_fenced(redis, work, 1, refused.value)
    assert len(streams.take_over(redis, work, 1)) == 2
    assert not streams.is_fenced(redis, work, 1, ValueError("equal or smaller"))


def test_progress_is_what_stands_since_the_last_reset() -> None:
    entries = [
        Entry("1-0", streams.ATTEMPT),
        Entry("1-1", DELTA, "lost", (1, 2), 0),
        Entry("2-0", RESET),
        Entry("2-1", DELTA, "He", (5, 6), 0),
        Entry("2-2", DELTA, "llo", (7,), 2),
    ]
    found = streams.progress(entries)
    assert (found.token_ids, found.text) == ((5, 6, 7), "Hello")
    assert streams.progress([]).token_ids == ()


def test_progress_with_a_hole_starts_over() -> None:
    beginning_lost = [Entry("1-2", DELTA, "b", (2,), 1)]
    middle_lost = [Entry("1-1", DELTA, "a", (1,), 0), Entry("1-3", DELTA, "c", (3,), 2)]
    for entries in (beginning_lost, middle_lost):
        assert streams.progress(entries).token_ids == ()
        assert streams.progress(entries).text == ""


def test_text_without_tokens_is_no_hole() -> None:
    """The last bytes of a character may come out after their token."""
    entries = [Entry("1-1", DELTA, "", (1,), 0), Entry("1-2", DELTA, "é"), Entry("1-3", DELTA, "!", (2,), 1)]
    assert (streams.progress(entries).text, streams.progress(entries).token_ids) == ("é!", (1, 2))


def test_streams_go_away_by_themselves(redis: Any, work: UUID) -> None:
    streams.take_over(redis, work, 1)
    assert settings.STREAM_EXPIRY_SECONDS < redis.ttl(streams.key(work)) <= streams.ABANDONED_SECONDS
    streams.close(work, 1, 1)
    assert 0 < redis.ttl(streams.key(work)) <= settings.STREAM_EXPIRY_SECONDS


@pytest.mark.parametrize("value", ["1-17", "0-0", "999999999-999999999999"])
def test_a_position_is_an_entrys_id(value: str) -> None:
    assert streams.parse_position(value) == value
    assert streams.parse_position("") == streams.START


@pytest.mark.parametrize("value", ["x", "1", "-1-0", "1-", "$", "1-1-1", "1 - 1", "1-1\n", "١-١", "9" * 30 + "-0"])
def test_any_other_position_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        streams.parse_position(value)
    assert refused.value.param == "after"
