"""A token classifier trained from annotations: an averaged perceptron over BIO tags, decoded by Viterbi.

Collins 2002 ("Discriminative training methods for hidden Markov models"): quick to train from tens of sentences, and
the same examples in the same order give the same model. Words are tokens, and so is every ideograph.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ml.dialogue.types import DialogueError, Entity

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]|_")
OUT = "O"
EPOCHS = 10


@dataclass(frozen=True, slots=True)
class Mark:
    """An annotated part of a text."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Annotated:
    """A text and everything in it that is to be found."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class TaggingScore:
    """Whole marks that were found: right kind, right beginning and right end."""

    precision: float
    recall: float
    f1: float
    wanted: int


class Tagger:
    """Finds what it was shown examples of; `weights[feature][tag]`, and `weights["after TAG"]` for what follows."""

    def __init__(self, tags: Sequence[str], weights: Mapping[str, Mapping[str, float]]) -> None:
        self.tags = tuple(tags)
        self._weights = {feature: dict(values) for feature, values in weights.items()}

    @classmethod
    def train(cls, examples: Sequence[Annotated], seed: int = 0, epochs: int = EPOCHS) -> Tagger:
        """Learns from annotated texts; raises DialogueError for marks that cut a word or overlap."""
        rows = [_row(example) for example in examples]
        tags = sorted({tag for _, wanted in rows for tag in wanted} | {OUT})
        model, step = cls(tags, {}), 0
        totals, stamps = defaultdict[tuple[str, str], float](float), defaultdict[tuple[str, str], int](int)
        order = list(range(len(rows)))
        shuffle = random.Random(seed)
        for _ in range(epochs):
            shuffle.shuffle(order)
            for place in order:
                step += 1
                found_features, wanted = rows[place]
                guessed = model._decode(found_features)
                if guessed != wanted:
                    for key, change in _changes(found_features, wanted, guessed):
                        model._add(key, change, step, totals, stamps)
        return cls(tags, model._averaged(step, totals, stamps))

    def _add(
        self,
        key: tuple[str, str],
        change: float,
        step: int,
        totals: dict[tuple[str, str], float],
        stamps: dict[tuple[str, str], int],
    ) -> None:
        """Changes one weight, and accounts for how long it had its value until now."""
        feature, tag = key
        row = self._weights.setdefault(feature, {})
        old = row.get(tag, 0.0)
        totals[key] += (step - stamps[key]) * old
        stamps[key] = step
        row[tag] = old + change

    def _averaged(
        self, steps: int, totals: Mapping[tuple[str, str], float], stamps: Mapping[tuple[str, str], int]
    ) -> dict[str, dict[str, float]]:
        averaged = defaultdict[str, dict[str, float]](dict)
        for feature, row in self._weights.items():
            for tag, value in row.items():
                mean = (totals[feature, tag] + (steps - stamps[feature, tag]) * value) / max(1, steps)
                if mean:
                    averaged[feature][tag] = mean
        return dict(averaged)

    def weights(self) -> dict[str, dict[str, float]]:
        """What to store: `Tagger(tags, weights)` is this tagger again."""
        return {feature: dict(values) for feature, values in self._weights.items()}

    def find(self, text: str) -> tuple[Entity, ...]:
        """What it recognises, from left to right; the value is the text itself."""
        tokens = [match.span() for match in _TOKEN.finditer(text)]
        tags = self._decode(_features([text[start:end] for start, end in tokens])) if tokens else []
        return tuple(
            Entity(kind, tokens[first][0], tokens[last][1], text[tokens[first][0] : tokens[last][1]],
                   text[tokens[first][0] : tokens[last][1]])
            for kind, first, last in _spans(tags)
        )  # fmt: skip

    def _decode(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """The best row of tags (Viterbi); an inside tag follows only a tag of its kind."""
        best = [0.0 if not tag.startswith("I-") else float("-inf") for tag in self.tags]
        steps: list[list[int]] = []
        follow = [[self._follows(before, tag) for before in self.tags] for tag in self.tags]
        for place, row in enumerate(rows):
            scores = self._scores(row)
            if place == 0:
                best = [value + score for value, score in zip(best, scores, strict=True)]
                continue
            chosen = [
                max(range(len(self.tags)), key=lambda before, tag=tag: best[before] + follow[tag][before])  # type: ignore[misc]
                for tag in range(len(self.tags))
            ]
            best = [best[chosen[tag]] + follow[tag][chosen[tag]] + scores[tag] for tag in range(len(self.tags))]
            steps.append(chosen)
        tag = max(range(len(self.tags)), key=best.__getitem__)
        found = [tag]
        for chosen in reversed(steps):
            tag = chosen[tag]
            found.append(tag)
        return [self.tags[tag] for tag in reversed(found)]

    def _scores(self, row: Sequence[str]) -> list[float]:
        scores = dict.fromkeys(self.tags, 0.0)
        for feature in row:
            for tag, weight in self._weights.get(feature, {}).items():
                scores[tag] += weight
        return list(scores.values())

    def _follows(self, before: str, tag: str) -> float:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return float("-inf")
        return self._weights.get(f"after {before}", {}).get(tag, 0.0)


def score_of(tagger: Tagger, examples: Sequence[Annotated]) -> TaggingScore:
    """How much of what was annotated is found whole."""
    right = wanted = found = 0
    for example in examples:
        guessed = {(each.kind, each.start, each.end) for each in tagger.find(example.text)}
        marks = {(mark.kind, mark.start, mark.end) for mark in example.marks}
        right, wanted, found = right + len(guessed & marks), wanted + len(marks), found + len(guessed)
    precision, recall = right / found if found else 0.0, right / wanted if wanted else 0.0
    return TaggingScore(precision, recall, 2 * right / (found + wanted) if found + wanted else 0.0, wanted)


def _row(example: Annotated) -> tuple[list[list[str]], list[str]]:
    tokens = [match.span() for match in _TOKEN.finditer(example.text)]
    tags = [OUT] * len(tokens)
    for mark in example.marks:
        inside = [place for place, (start, end) in enumerate(tokens) if start >= mark.start and end <= mark.end]
        whole = inside and tokens[inside[0]][0] == mark.start and tokens[inside[-1]][1] == mark.end
        if not whole or any(tags[place] != OUT for place in inside):
            raise DialogueError(f"the mark {mark.kind} at {mark.start} to {mark.end} cuts a word or overlaps another")
        for place in inside:
            tags[place] = f"{'B' if place == inside[0] else 'I'}-{mark.kind}"
    return _features([example.text[start:end] for start, end in tokens]), tags


def _features(tokens: Sequence[str]) -> list[list[str]]:
    lower = ["<<", "<", *(token.lower() for token in tokens), ">", ">>"]
    return [list(_of_token(tokens[place], lower, place + 2)) for place in range(len(tokens))]


def _of_token(token: str, lower: Sequence[str], place: int) -> Iterator[str]:
    """The word, its form and ends, and its neighbours."""
    word = lower[place]
    yield from ("bias", f"w {word}", f"form {_form(token)}", f"start {word[:3]}", f"end {word[-3:]}")
    yield from (f"-1 {lower[place - 1]}", f"+1 {lower[place + 1]}", f"-2 {lower[place - 2]}", f"+2 {lower[place + 2]}")
    yield from (f"-1 w {lower[place - 1]} {word}", f"w +1 {word} {lower[place + 1]}")


def _form(token: str) -> str:
    """Aaaa for Anna, 00 for 42: runs of more than two are shortened."""
    shape = re.sub(r"[^\W\d_]", lambda match: "A" if match.group().isupper() else "a", re.sub(r"\d", "0", token))
    return re.sub(r"(.)\1{2,}", r"\1\1", shape)


def _changes(
    rows: Sequence[Sequence[str]], wanted: Sequence[str], guessed: Sequence[str]
) -> Iterator[tuple[tuple[str, str], float]]:
    """What the perceptron adds to the right tags and takes from the wrong ones."""
    for place, row in enumerate(rows):
        if wanted[place] != guessed[place]:
            for feature in row:
                yield (feature, wanted[place]), 1.0
                yield (feature, guessed[place]), -1.0
        if place and (wanted[place - 1], wanted[place]) != (guessed[place - 1], guessed[place]):
            yield (f"after {wanted[place - 1]}", wanted[place]), 1.0
            yield (f"after {guessed[place - 1]}", guessed[place]), -1.0


def _spans(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(kind, first token, last token) of each run."""
    first = None
    for place, tag in enumerate([*tags, OUT]):
        if first is not None and not tag.startswith("I-"):
            yield tags[first][2:], first, place - 1
            first = None
        if tag.startswith("B-"):
            first = place
