"""When schedules are due, in zones whose clocks are changed."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from apps.studio.calendars import Rule, latest_until, missed_between, next_after

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "after", "due"),
    [
        (Rule("daily", time(8), "UTC"), "2026-01-05 07:59", "2026-01-05 08:00"),
        (Rule("daily", time(8), "UTC"), "2026-01-05 08:00", "2026-01-06 08:00"),
        (Rule("weekdays", time(8), BERLIN), "2026-01-02 08:00", "2026-01-05 07:00"),
        (Rule("weekly", time(23, 30), NEW_YORK, weekday=6), "2026-01-01 00:00", "2026-01-05 04:30"),
        (Rule("monthly", time(0), "Asia/Shanghai", day=1), "2026-01-01 00:00", "2026-01-31 16:00"),
        (Rule("monthly", time(12), "UTC", day=31), "2026-01-31 12:00", "2026-02-28 12:00"),
        # The night of 8 March has no 02:30 in New York, and that of 1 November has 01:30 twice.
        (Rule("daily", time(2, 30), NEW_YORK), "2026-03-08 00:00", "2026-03-08 07:30"),
        (Rule("daily", time(2, 30), NEW_YORK), "2026-03-08 07:30", "2026-03-09 06:30"),
        (Rule("daily", time(1, 30), NEW_YORK), "2026-11-01 00:00", "2026-11-01 05:30"),
        (Rule("daily", time(1, 30), NEW_YORK), "2026-11-01 05:30", "2026-11-02 06:30"),
        (Rule("daily", time(8), BERLIN), "2026-03-28 08:00", "2026-03-29 06:00"),
        # A day is left out altogether where the date line was moved.
        (Rule("daily", time(8), "Pacific/Apia"), "2011-12-29 18:00", "2011-12-30 18:00"),
    ],
)
def test_the_next_time(rule: Rule, after: str, due: str) -> None:
    assert next_after(rule, utc(after)) == utc(due)


@pytest.mark.parametrize("frequency", ["daily", "weekdays", "weekly", "monthly"])
@pytest.mark.parametrize("zone", ["UTC", NEW_YORK, BERLIN, "Asia/Shanghai", "Australia/Lord_Howe"])
def test_times_follow_each_other_without_gap_or_repetition(frequency: str, zone: str) -> None:
    rule = Rule(frequency, time(2, 15), zone, weekday=6, day=30)
    at, days = utc("2025-12-31 23:00"), set[date]()
    for _ in range(400 if frequency in {"daily", "weekdays"} else 60):
        following = next_after(rule, at)
        assert following > at
        assert latest_until(rule, following) == following
        assert latest_until(rule, following + timedelta(seconds=1)) == following
        days.add(following.date())
        at = following
    assert len(days) == (400 if frequency in {"daily", "weekdays"} else 60)


def test_what_downtime_has_left_out_is_counted() -> None:
    rule = Rule("daily", time(8), BERLIN)
    first = utc("2026-03-27 07:00")
    assert missed_between(rule, first, first) == 0
    assert missed_between(rule, first, latest_until(rule, utc("2026-03-30 12:00"))) == 3
