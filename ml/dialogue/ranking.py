"""A ranking of what the bot may do, learned from stories: an averaged perceptron over few features.

It chooses among what the rules allow and never adds to it: which intent is sure enough, who must have a person and what
a form may accept are not learned.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ml.dialogue.policy import Decision, Turn
from ml.dialogue.state import State

EPOCHS = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """What a story did where several things were allowed."""

    state: State
    turn: Turn
    candidates: tuple[Decision, ...]
    right: Decision


class LearnedRanking:
    """`weights[kind of decision][feature]`; without examples it keeps the order of the rules."""

    def __init__(self, weights: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._weights = {kind: dict(values) for kind, values in (weights or {}).items()}

    @classmethod
    def learn(cls, choices: Sequence[Choice], seed: int = 0) -> LearnedRanking:
        """The same choices in the same order give the same ranking."""
        model, sums, count = cls(), defaultdict[tuple[str, str], float](float), 0
        order, shuffle = list(choices), random.Random(seed)
        for _ in range(EPOCHS):
            shuffle.shuffle(order)
            for choice in order:
                best = model.order(choice.state, choice.turn, choice.candidates)[0]
                if best != choice.right:
                    for feature in features(choice.state, choice.turn):
                        model._add(_kind(choice.right), feature, 1.0)
                        model._add(_kind(best), feature, -1.0)
                count += 1
                for kind, values in model._weights.items():
                    for feature, value in values.items():
                        sums[kind, feature] += value
        averaged = defaultdict[str, dict[str, float]](dict)
        for (kind, feature), total in sums.items():
            averaged[kind][feature] = total / max(1, count)
        return cls(averaged)

    def _add(self, kind: str, feature: str, change: float) -> None:
        row = self._weights.setdefault(kind, {})
        row[feature] = row.get(feature, 0.0) + change

    def order(self, state: State, turn: Turn, candidates: Sequence[Decision]) -> Sequence[Decision]:
        """The candidates, the best first; equals stay in the order of the rules."""
        found = list(features(state, turn))
        scores = {kind: sum(row.get(feature, 0.0) for feature in found) for kind, row in self._weights.items()}
        return sorted(candidates, key=lambda each: -scores.get(_kind(each), 0.0))

    def weights(self) -> dict[str, dict[str, float]]:
        """What to store: `LearnedRanking(weights)` is this ranking again."""
        return {kind: dict(values) for kind, values in self._weights.items()}


def features(state: State, turn: Turn) -> Iterator[str]:
    """What a person would look at: how sure, how close, how strange, how long, and where the dialogue stands."""
    best = turn.reading.best.probability
    second = turn.reading.ranked[1].probability if len(turn.reading.ranked) > 1 else 0.0
    yield from ("always", f"sure {int(best * 5)}", f"margin {int((best - second) * 5)}")
    yield from (f"outside {turn.reading.is_outside}", f"strange {int(turn.reading.outside * 4)}")
    yield from (f"words {min(4, len(turn.text.split()) // 4)}", f"asks {turn.text.rstrip().endswith(('?', '？'))}")
    yield from (f"in form {bool(state.stack)}", f"unsure {min(2, state.unsure)}", f"first {state.turns == 0}")
    yield from (f"again {min(3, state.attempt)}", f"data {bool(turn.entities)}")
    yield f"sure {int(best * 5)} margin {int((best - second) * 5)}"


def _kind(decision: Decision) -> str:
    return type(decision).__name__
