"""Business time: by examples that can be checked by hand, and by laws that hold for any week."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.support import hours
from apps.support.hours import Hours, HoursInvalid

WEEK = [{"day": day, "from": "09:00", "until": "12:00"} for day in range(5)] + [
    {"day": day, "from": "13:00", "until": "17:00"} for day in range(5)
]


def berlin(holidays: list[dict[str, Any]] | None = None) -> Hours:
    return hours.parsed("Europe/Berlin", WEEK, holidays or [])


def at(text: str) -> datetime:
    """A moment of Berlin's clocks in winter."""
    return datetime.fromisoformat(f"{text}+01:00")


def test_lunch_is_no_business_time() -> None:
    # Wednesday, half past eleven: half an hour before lunch, and half an hour after it.
    assert hours.due(berlin(), at("2026-11-25T11:30"), 3600) == at("2026-11-25T13:30")
    assert hours.between(berlin(), at("2026-11-25T11:30"), at("2026-11-25T13:30")) == 3600


def test_a_night_and_a_weekend_are_passed_over() -> None:
    assert hours.due(berlin(), at("2026-11-27T16:45"), 1800) == at("2026-11-30T09:15")


def test_a_holiday_is_passed_over() -> None:
    closed = berlin([{"date": "2026-12-25", "name": "Christmas"}])
    assert hours.due(closed, at("2026-12-24T16:30"), 3600) == at("2026-12-28T09:30")
    assert not hours.is_open(closed, at("2026-12-25T10:00"))


def test_what_is_asked_at_night_is_due_in_the_morning() -> None:
    assert hours.due(berlin(), at("2026-11-25T22:00"), 600) == at("2026-11-26T09:10")
    assert hours.next_opening(berlin(), at("2026-11-25T22:00")) == at("2026-11-26T09:00")


def test_times_of_day_are_those_of_the_zone() -> None:
    shanghai = hours.parsed("Asia/Shanghai", WEEK, [])
    assert hours.is_open(shanghai, datetime(2026, 11, 25, 1, 30, tzinfo=UTC))
    assert not hours.is_open(shanghai, datetime(2026, 11, 25, 9, 30, tzinfo=UTC))


def test_the_night_when_clocks_go_forward_has_an_hour_less() -> None:
    night = hours.parsed("Europe/Berlin", [{"day": 6, "from": "00:00", "until": "06:00"}], [])
    start = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
    assert hours.between(night, start, start + timedelta(days=1)) == 5 * 3600


def test_the_night_when_clocks_go_back_has_an_hour_more() -> None:
    night = hours.parsed("Europe/Berlin", [{"day": 6, "from": "00:00", "until": "06:00"}], [])
    start = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    assert hours.between(night, start, start + timedelta(days=1)) == 7 * 3600


def test_where_nobody_is_ever_there_plain_time_counts() -> None:
    never = hours.parsed("UTC", [], [])
    start = datetime(2026, 11, 25, tzinfo=UTC)
    assert hours.due(never, start, 60) == start + timedelta(seconds=60)
    assert hours.next_opening(never, start) is None


def test_without_hours_it_is_always_open() -> None:
    start = datetime(2026, 11, 28, 3, tzinfo=UTC)
    assert hours.is_open(None, start)
    assert hours.due(None, start, 90) == start + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("zone", "weekly", "holidays", "message"),
    [
        ("Nowhere/City", [], [], hours.BAD_ZONE),
        ("UTC", [{"day": 7, "from": "09:00", "until": "10:00"}], [], hours.BAD_PART),
        ("UTC", [{"day": 0, "from": "10:00", "until": "09:00"}], [], hours.BAD_PART),
        ("UTC", [{"day": 0, "from": "9", "until": "10:00"}], [], hours.BAD_PART),
        ("UTC", [{"day": True, "from": "09:00", "until": "10:00"}], [], hours.BAD_PART),
        (
            "UTC",
            [{"day": 0, "from": "09:00", "until": "11:00"}, {"day": 0, "from": "10:00", "until": "12:00"}],
            [],
            hours.BAD_OVERLAP,
        ),
        ("UTC", [], [{"date": "2026-02-30"}], hours.BAD_HOLIDAY),
        ("UTC", [], [{"name": "no date"}], hours.BAD_HOLIDAY),
    ],
)
def test_what_makes_no_sense_is_refused(zone: str, weekly: Any, holidays: Any, message: str) -> None:
    with pytest.raises(HoursInvalid) as refused:
        hours.parsed(zone, weekly, holidays)
    assert str(refused.value) == message


ZONES = ("UTC", "Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
parts = st.builds(
    lambda day, start, length: {
        "day": day,
        "from": f"{start // 60:02}:{start % 60:02}",
        "until": f"{min(start + length, 1439) // 60:02}:{min(start + length, 1439) % 60:02}",
    },
    st.integers(0, 6),
    st.integers(0, 1300),
    st.integers(60, 600),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def weeks(draw: Any) -> Hours:
    """One part a day, so that none overlaps another."""
    drawn = {part["day"]: part for part in draw(st.lists(parts, min_size=1, max_size=12))}
    days = draw(st.lists(st.dates(datetime(2026, 1, 1).date(), datetime(2026, 12, 31).date()), max_size=5))  # noqa: DTZ001
    return hours.parsed(draw(st.sampled_from(ZONES)), list(drawn.values()), [{"date": str(day)} for day in days])


@given(weeks(), moments, st.integers(1, 300_000))
def test_between_start_and_due_lies_what_was_asked_for(week: Hours, start: datetime, seconds: int) -> None:
    assert hours.between(week, start, hours.due(week, start, seconds)) == pytest.approx(seconds)


@given(weeks(), moments, st.integers(1, 900_000), st.integers(1, 900_000))
def test_business_time_adds_up(week: Hours, start: datetime, one: int, two: int) -> None:
    middle, end = start + timedelta(seconds=one), start + timedelta(seconds=one + two)
    parts = hours.between(week, start, middle) + hours.between(week, middle, end)
    assert hours.between(week, start, end) == pytest.approx(parts)


@given(weeks(), moments)
def test_the_next_opening_is_open_and_nothing_before_it(week: Hours, moment: datetime) -> None:
    opening = hours.next_opening(week, moment)
    assert opening is not None
    assert hours.is_open(week, opening)
    assert hours.between(week, moment, opening) == 0
