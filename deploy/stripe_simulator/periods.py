"""The calendar of recurring prices: periods are counted from an anchor, so that the 31st stays the 31st."""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Any

SECONDS = {"day": 86_400, "week": 604_800}


def add_months(moment: int, months: int) -> int:
    """So many months later; a day that the month lacks becomes its last."""
    start = datetime.fromtimestamp(moment, UTC)
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    return int(start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1])).timestamp())


def nth(anchor: int, recurring: dict[str, Any], number: int) -> int:
    """When the `number`-th period from the anchor begins."""
    step = recurring["interval_count"] * number
    if recurring["interval"] in SECONDS:
        return anchor + SECONDS[recurring["interval"]] * step
    return add_months(anchor, step * (12 if recurring["interval"] == "year" else 1))


def period_at(anchor: int, recurring: dict[str, Any], moment: int) -> tuple[int, int]:
    """The period from the anchor on that holds the moment; the moment of a change belongs to the later one."""
    number = 0
    while nth(anchor, recurring, number + 1) <= moment:
        number += 1
    while nth(anchor, recurring, number) > moment:
        number -= 1
    return nth(anchor, recurring, number), nth(anchor, recurring, number + 1)
