"""Win rates with intervals, and strengths from pairs of models."""

import math

import pytest

from ml.training.preferences import Tally, strengths, win_rate


def test_wilsons_interval_holds_for_few_votes_and_many() -> None:
    few, many = win_rate(Tally("a", "b", 3, 0)), win_rate(Tally("a", "b", 300, 100))
    assert few is not None
    assert many is not None
    # Newcombe (1998) has 0.4385 for 3 of 3.
    assert (few.value, round(few.low, 4), round(few.high, 9)) == (1.0, 0.4385, 1.0)
    assert not few.tells
    assert (many.value, many.tells) == (0.75, True)
    assert many.high - many.low < 0.09


def test_a_tie_is_half_a_win_and_neither_is_none() -> None:
    rate = win_rate(Tally("a", "b", 1, 1, ties=4, neither=9))
    assert rate is not None
    assert rate.value == 0.5
    assert win_rate(Tally("a", "b", neither=3)) is None


def test_strengths_give_back_the_odds_they_were_drawn_from() -> None:
    """With thousands of votes the half votes of caution no longer weigh."""
    true = {"a": 1200.0, "b": 1000.0, "c": 800.0}
    tallies = []
    for first, second in (("a", "b"), ("b", "c"), ("a", "c")):
        share = 1 / (1 + 10 ** ((true[second] - true[first]) / 400))
        wins = round(100_000 * share)
        tallies.append(Tally(first, second, wins, 100_000 - wins))
    assert {name: round(value) for name, value in strengths(tallies).items()} == {"a": 1200, "b": 1000, "c": 800}


def test_who_never_lost_has_a_finite_strength_and_nobody_has_none() -> None:
    found = strengths([Tally("a", "b", 5, 0), Tally("c", "d", neither=2)])
    assert set(found) == {"a", "b"}
    assert math.isfinite(found["a"])
    assert found["a"] > 1000 > found["b"]
    assert found["a"] + found["b"] == pytest.approx(2000)
    assert strengths([]) == {}
