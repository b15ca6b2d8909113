"""Charts: where marks lie, what the scale says, and that the table says the same."""

from __future__ import annotations

import pytest
from django.template import Context, Template

from apps.core.charts import HEIGHT, LEAST, Chart, Kind, Series, draw

DAYS = ["Mon", "Tue", "Wed", "Thu"]


def drawn(kind: Kind, *rows: list[int], links: list[str] | None = None) -> Chart:
    series = [Series(f"row {place}", values) for place, values in enumerate(rows, 1)]
    chart = draw(kind, "Title", DAYS, series, label="Day", show=lambda value: f"{value:,}", links=links or ())
    assert chart is not None
    return chart


def test_where_there_is_nothing_nothing_is_drawn() -> None:
    assert draw(Kind.BARS, "Title", DAYS, [Series("row", [0] * 4)], label="Day", show=str) is None


@pytest.mark.parametrize(
    ("highest", "scale"),
    [(1, ["1", "0"]), (7, ["8", "4", "0"]), (1_234, ["1,500", "750", "0"]), (90_001, ["100,000", "50,000", "0"])],
)
def test_the_scale_ends_at_a_round_number_above_the_highest(highest: int, scale: list[str]) -> None:
    assert drawn(Kind.BARS, [0, highest, 0, 0]).scale == scale


def test_bars_are_as_high_as_their_values_and_anything_can_be_seen() -> None:
    chart = drawn(Kind.BARS, [1_000, 500, 1, 0])
    assert [mark.height for mark in chart.marks] == [HEIGHT, HEIGHT / 2, LEAST]
    assert all(mark.y + mark.height == HEIGHT for mark in chart.marks)
    assert [mark.words for mark in chart.marks] == ["Mon: 1,000", "Tue: 500", "Wed: 1"]


def test_stacked_bars_stand_on_each_other() -> None:
    chart = drawn(Kind.STACKED, [3, 0, 0, 1], [5, 0, 0, 1])
    below, above = chart.marks[0], chart.marks[1]
    assert above.y + above.height == below.y
    assert above.y == 0
    assert {colour for colour, _ in chart.key} == {1, 2}


def test_lines_go_through_their_values() -> None:
    chart = drawn(Kind.LINES, [0, 5, 10, 10])
    assert chart.lines[0].points == "5,100 15,50 25,0 35,0"
    assert [mark.words for mark in chart.marks][1] == "Tue: 5"


def test_the_table_behind_says_every_number_and_leads_to_what_it_counts() -> None:
    chart = drawn(Kind.BARS, [1, 0, 0, 1_234], links=[f"/{day}" for day in DAYS])
    assert chart.table.lines == [(["Thu", "1,234"], "/Thu"), (["Mon", "1"], "/Mon")]
    assert chart.summary == "Title. 1,234 (Thu)"
    html = Template("{% load ui %}{% chart drawn %}").render(Context({"drawn": chart}))
    assert '<td><a href="/Thu">1,234</a></td>' in html
    assert 'role="img" aria-label="Title. 1,234 (Thu)"' in html


def test_a_page_without_a_chart_has_no_empty_frame() -> None:
    assert Template("{% load ui %}{% chart drawn %}").render(Context({"drawn": None})).strip() == ""
