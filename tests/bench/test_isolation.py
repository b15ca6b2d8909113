"""The benchmark of isolation's own arithmetic."""

import pytest

from bench.isolation import mann_whitney


def test_samples_that_are_alike_are_not_told_apart() -> None:
    first = [float(n) for n in range(0, 200, 2)]
    second = [float(n) for n in range(1, 201, 2)]
    assert mann_whitney(first, second)[1] > 0.5
    assert mann_whitney(first, first)[1] == pytest.approx(1, abs=0.01)


def test_a_shift_is_seen() -> None:
    first = [float(n) for n in range(100)]
    assert mann_whitney(first, [value + 40 for value in first])[1] < 1e-9


def test_a_known_value() -> None:
    """Ranks 1 to 16 without ties: U = 50 - 36 = 14, z = (32 - 14 - 0.5) / sqrt(64 * 17 / 12) = 1.838, p = 0.0661."""
    first, second = [1, 2, 3, 5, 8, 9, 10, 12], [4, 6, 7, 11, 13, 14, 15, 16]
    u, p = mann_whitney([float(n) for n in first], [float(n) for n in second])
    assert u == 14
    assert p == pytest.approx(0.0661, abs=0.0002)
