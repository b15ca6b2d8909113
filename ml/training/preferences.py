"""From votes between pairs of models to win rates and strengths, with how certain they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# The standard normal's quantile for an interval that holds the truth in 95 of 100 cases.
Z95 = 1.959964
# Below so many votes a rate is shown with a word of warning, whatever its interval.
FEW_VOTES = 20
_ROUNDS, _PRECISION = 500, 1e-9


@dataclass(frozen=True, slots=True)
class Tally:
    """Votes between `first` and `second`; `neither` is counted and says nothing about which is better."""

    first: str
    second: str
    first_wins: int = 0
    second_wins: int = 0
    ties: int = 0
    neither: int = 0

    @property
    def decided(self) -> int:
        return self.first_wins + self.second_wins + self.ties

    @property
    def total(self) -> int:
        return self.decided + self.neither


@dataclass(frozen=True, slots=True)
class Rate:
    """A share between 0 and 1, with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def tells(self) -> bool:
        """Whether one of the two is better beyond what chance explains."""
        return self.low > 0.5 or self.high < 0.5


def win_rate(tally: Tally) -> Rate | None:
    """How often the first wins, a tie being half a win for each; Wilson's interval (1927), which holds for few votes.

    None without a vote that says which is better.
    """
    n = tally.decided
    if not n:
        return None
    share = (tally.first_wins + tally.ties / 2) / n
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    spread = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return Rate(share, max(0.0, middle - spread), min(1.0, middle + spread))


def strengths(tallies: list[Tally]) -> Mapping[str, float]:
    """Bradley-Terry strengths on the scale of Elo, where 400 more means winning ten times as often; their mean is 1000.

    Hunter's minorisation-maximisation (Annals of Statistics 32, 2004), a tie being half a win for each. Each pair that
    was voted on has half a win more in each direction, so that a model which has never lost has a finite strength.
    """
    wins: dict[str, float] = {}
    games: dict[tuple[str, str], float] = {}
    for tally in tallies:
        if not tally.decided:
            continue
        for name, won in ((tally.first, tally.first_wins), (tally.second, tally.second_wins)):
            wins[name] = wins.get(name, 0.0) + won + tally.ties / 2 + 0.5
        for pair in ((tally.first, tally.second), (tally.second, tally.first)):
            games[pair] = games.get(pair, 0.0) + tally.decided + 1
    found = dict.fromkeys(wins, 1.0)
    for _ in range(_ROUNDS):
        after = {name: won / _met(name, found, games) for name, won in wins.items()}
        scale = math.exp(sum(map(math.log, after.values())) / len(after)) if after else 1.0
        after = {name: value / scale for name, value in after.items()}
        moved = max((abs(after[name] - found[name]) for name in after), default=0.0)
        found = after
        if moved < _PRECISION:
            break
    return {name: 1000 + 400 * math.log10(value) for name, value in found.items()}


def _met(name: str, found: Mapping[str, float], games: Mapping[tuple[str, str], float]) -> float:
    pairs = ((other, count) for (one, other), count in games.items() if one == name)
    return sum(count / (found[name] + found[other]) for other, count in pairs)
