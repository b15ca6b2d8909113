"""Words and pieces of words as weighted features, for a linear model over them.

TF-IDF over words, pairs of words and runs of two to five letters within a word (Cavnar and Trenkle 1994 for the runs);
counts are damped by a logarithm and each row has length 1. Chinese, written without spaces, is one long word: its runs
of two letters and more serve as words.
"""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

# Their format is in beta, which torch would tell once in every process.
warnings.filterwarnings("ignore", "Sparse CSR tensor support", UserWarning)
_WORD = re.compile(r"\w+|[^\w\s]")
SHORTEST, LONGEST = 2, 5
# A feature of one text says nothing about others; of a handful of texts it may be all there is.
FEW_TEXTS = 2_000
# What is kept of words that come again; what has no blanks for so long is hardly one of them.
WORDS_KEPT, LONGEST_KEPT = 5_000, 20


class Lexicon:
    """The features of a set of texts, each with its place and its weight."""

    def __init__(self, features: Sequence[str], weights: Sequence[float]) -> None:
        self.features, self.weights = list(features), list(weights)
        self._rarity = torch.tensor(self.weights, dtype=torch.double)
        self._places = {feature: place for place, feature in enumerate(self.features)}
        self._known = lru_cache(WORDS_KEPT)(self._letters_of)

    @classmethod
    def learn(cls, texts: Sequence[str]) -> Lexicon:
        """The features of the texts, and how rare each is."""
        counts = Counter(feature for text in texts for feature in set(features(text)))
        least = 1 if len(texts) <= FEW_TEXTS else 2
        kept = sorted(feature for feature, count in counts.items() if count >= least)
        return cls(kept, [math.log((1 + len(texts)) / (1 + counts[feature])) + 1 for feature in kept])

    def __len__(self) -> int:
        return len(self.features)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """A sparse matrix (texts, features), words and letters each of length 1."""
        # A text has two rows until they are joined: that of its words, and that of its letters.
        rows, places = list[int](), list[int]()
        for number, text in enumerate(texts):
            by_words = [place for each in words(text) if (place := self._places.get(each)) is not None]
            by_letters = [place for word in text.lower().split() for place in self._of_word(word)]
            rows += [2 * number] * len(by_words) + [2 * number + 1] * len(by_letters)
            places += by_words + by_letters
        width = max(1, len(self))
        found, counts = torch.unique(
            torch.tensor(rows, dtype=torch.long) * width + torch.tensor(places, dtype=torch.long), return_counts=True
        )
        halves, columns = found // width, found % width
        values = (1 + counts.double().log()) * self._rarity[columns]
        lengths = torch.zeros(2 * len(texts), dtype=torch.double).index_add_(0, halves, values.square()).sqrt()
        ends = torch.bincount(halves // 2, minlength=len(texts)).cumsum(0)
        return torch.sparse_csr_tensor(
            torch.cat([torch.zeros(1, dtype=torch.long), ends]),
            columns,
            (values / lengths[halves]).float(),
            (len(texts), len(self)),
            check_invariants=False,
        )

    def _of_word(self, word: str) -> tuple[int, ...]:
        return self._known(word) if len(word) <= LONGEST_KEPT else self._letters_of(word)

    def _letters_of(self, word: str) -> tuple[int, ...]:
        """The places of the word's runs of letters: most words come again and again."""
        return tuple(place for run in runs(word) if (place := self._places.get(run)) is not None)


def features(text: str) -> Iterator[str]:
    yield from words(text)
    yield from letters(text)


def words(text: str) -> Iterator[str]:
    """Words and pairs of them."""
    found = _WORD.findall(text.lower())
    yield from (f"w {word}" for word in found)
    yield from (f"w {first} {second}" for first, second in pairwise(found))


def letters(text: str) -> Iterator[str]:
    """Runs of letters within a word, its borders among them."""
    for word in text.lower().split():
        yield from runs(word)


def runs(word: str) -> Iterator[str]:
    framed = f" {word} "
    for length in range(SHORTEST, LONGEST + 1):
        if length > len(framed):
            break
        yield from (f"c{framed[start : start + length]}" for start in range(len(framed) - length + 1))
