"""Charts drawn on the server: bars, stacked bars and lines as places in a view box, with the same numbers as a table.

The drawing is stretched to the width that there is, so it holds no text; scale and labels are words of the page beside
it. What the eye reads off the drawing, the table behind it says exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor, log10

HEIGHT, STEP = 100.0, 10.0
# Of a step, as wide as a bar is; the rest is the gap.
BAR = 7.0
# Lowest height that can be seen where there is anything at all.
LEAST = 1.5
# One colour each in the style sheet, after which they begin anew.
COLOURS = 5


class Kind(StrEnum):
    BARS = "bars"
    STACKED = "stacked"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers, a value for each label; none is negative."""

    name: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Mark:
    """A bar, or the column over which a line's values are told; `colour` counts from 1."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the `points` of an SVG polyline."""

    points: str
    colour: int


@dataclass(frozen=True, slots=True)
class Table:
    """`links`, where given, leads from the last cell of each row to what it counts."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    links: Sequence[str] = ()

    @property
    def lines(self) -> list[tuple[Sequence[str], str]]:
        return list(zip(self.rows, self.links or [""] * len(self.rows), strict=True))


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of `width` by HEIGHT units. `scale` is from the top down, `labels` are first, middle and last."""

    kind: Kind
    title: str
    width: float
    scale: Sequence[str]
    labels: Sequence[str]
    marks: Sequence[Mark]
    lines: Sequence[Line]
    key: Sequence[tuple[int, str]]
    summary: str
    table: Table

    @property
    def grid(self) -> list[float]:
        """Where the lines of the scale lie."""
        steps = max(len(self.scale) - 1, 1)
        return [round(HEIGHT * step / steps, 2) for step in range(len(self.scale))]


def draw(
    kind: Kind,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    label: str,
    show: Callable[[int], str],
    most: str = "{value} ({label})",
    links: Sequence[str] = (),
    table: Table | None = None,
) -> Chart | None:
    """The chart, or None where every value is nought: a page then says so in words.

    `label` heads the table's first column, `show` writes a value, `most` says which was the highest, and `links` leads
    from each label to what it counts. A `table` of its own takes the place of the numbers alone.
    """
    sums = [sum(row.values[place] for row in series) for place in range(len(labels))]
    highest = max(sums if kind is Kind.STACKED else [max(row.values, default=0) for row in series], default=0)
    if not highest:
        return None
    top = _ceiling(highest)
    peak = max(range(len(labels)), key=sums.__getitem__)
    return Chart(
        kind=kind,
        title=title,
        width=len(labels) * STEP,
        scale=[show(value) for value in ([top, top // 2, 0] if top % 2 == 0 else [top, 0])],
        labels=[labels[0], labels[(len(labels) - 1) // 2], labels[-1]] if len(labels) > 2 else list(labels),
        marks=_columns(labels, series, show) if kind is Kind.LINES else _bars(kind, labels, series, top, show),
        lines=[_line(row, place, top) for place, row in enumerate(series)] if kind is Kind.LINES else [],
        key=[(_colour(place), row.name) for place, row in enumerate(series)] if len(series) > 1 else [],
        summary=f"{title}. " + most.format(value=show(sums[peak]), label=labels[peak]),
        table=table or _table(label, labels, series, show, links),
    )


def _ceiling(value: int) -> int:
    """The next number of one digit, 15 or 25 with noughts, that is not below `value`."""
    unit = 10 ** floor(log10(value))
    for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10):
        if step * unit >= value:
            ceiling: int = ceil(step * unit)
            return ceiling
    return value


def _colour(place: int) -> int:
    return place % COLOURS + 1


def _height(value: int, top: int) -> float:
    return max(LEAST, round(HEIGHT * value / top, 2)) if value else 0.0


def _bars(
    kind: Kind, labels: Sequence[str], series: Sequence[Series], top: int, show: Callable[[int], str]
) -> list[Mark]:
    beside = 1 if kind is Kind.STACKED else len(series)
    width = BAR / beside
    marks = []
    for place, label in enumerate(labels):
        under = 0.0
        for order, row in enumerate(series):
            height = min(_height(row.values[place], top), HEIGHT - under)
            if not height:
                continue
            x = place * STEP + (STEP - BAR) / 2 + (0 if kind is Kind.STACKED else order * width)
            words = f"{label}: {show(row.values[place])}" + (f" ({row.name})" if len(series) > 1 else "")
            y = round(HEIGHT - under - height, 2)
            marks.append(Mark(round(x, 2), y, round(width, 2), height, _colour(order), words))
            under += height if kind is Kind.STACKED else 0.0
    return marks


def _columns(labels: Sequence[str], series: Sequence[Series], show: Callable[[int], str]) -> list[Mark]:
    """Over each label a column as high as the chart, which says its values."""
    named = len(series) > 1
    return [
        Mark(
            place * STEP,
            0.0,
            STEP,
            HEIGHT,
            0,
            f"{label}: " + ", ".join(show(row.values[place]) + (f" ({row.name})" if named else "") for row in series),
        )
        for place, label in enumerate(labels)
    ]


def _line(row: Series, place: int, top: int) -> Line:
    points = " ".join(
        f"{index * STEP + STEP / 2:g},{round(HEIGHT - HEIGHT * value / top, 2):g}"
        for index, value in enumerate(row.values)
    )
    return Line(points, _colour(place))


def _table(
    label: str, labels: Sequence[str], series: Sequence[Series], show: Callable[[int], str], links: Sequence[str]
) -> Table:
    """The labels at which there is anything, the newest (or last) first."""
    places = [place for place in reversed(range(len(labels))) if any(row.values[place] for row in series)]
    return Table(
        headers=[label, *(row.name for row in series)],
        rows=[[labels[place], *(show(row.values[place]) for row in series)] for place in places],
        links=[links[place] for place in places] if links else (),
    )
