"""What is measured on written copy: naming, repetition, variety, and a trigram baseline."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

_WORD = re.compile(r"[#\w'’-]+|[^\w\s]")
_STOP = frozenset(
    "a an the and or of for to in on with from it its is are has have made be at by no real than your".split()
)


def words(text: str) -> list[str]:
    """Split a text into lower-case words and punctuation marks."""
    return _WORD.findall(text.lower())


def names_product(text: str, product: str) -> bool:
    """Tell whether a text names the product letter by letter, capitals aside."""
    return product.casefold() in text.casefold()


def most_repeated_ngram(text: str, size: int = 4) -> int:
    """Return how often the most frequent word n-gram of a text occurs."""
    tokens = words(text)
    grams = Counter(zip(*(tokens[offset:] for offset in range(size)), strict=False))
    return max(grams.values(), default=0)


def distinct_2(texts: Iterable[str], limit: int) -> float:
    """Return the share of distinct word bigrams among the first `limit` of all texts (Li et al. 2016)."""
    bigrams: list[tuple[str, str]] = []
    for text in texts:
        tokens = words(text)
        bigrams.extend(pairwise(tokens))
    bigrams = bigrams[:limit]
    return len(set(bigrams)) / max(1, len(bigrams))


def bigram_count(texts: Iterable[str]) -> int:
    """Count the word bigrams of all texts."""
    return sum(max(0, len(words(text)) - 1) for text in texts)


def mentions(text: str, phrase: str) -> bool:
    """Tell whether at least 60 % of the content words of a phrase occur in a text, endings aside."""
    stems = {word[:4] for word in words(text)}
    wanted = [word[:4] for word in words(phrase) if word not in _STOP and word[0].isalnum()]
    return not wanted or sum(stem in stems for stem in wanted) >= 0.6 * len(wanted)


class Trigram:
    """Interpolated Kneser-Ney trigram over token ids (Chen and Goodman 1998, with one discount)."""

    def __init__(self, vocab_size: int, discount: float = 0.75) -> None:
        self._vocab_size, self._discount = vocab_size, discount
        self._three: Counter[tuple[int, int, int]] = Counter()
        self._three_total: Counter[tuple[int, int]] = Counter()
        self._three_kinds: Counter[tuple[int, int]] = Counter()
        self._two: Counter[tuple[int, int]] = Counter()
        self._two_total: Counter[int] = Counter()
        self._two_kinds: Counter[int] = Counter()
        self._one: Counter[int] = Counter()
        self._one_total = 0

    def fit(self, sequences: Iterable[Sequence[int]]) -> "Trigram":
        """Count trigrams, then continuation counts for the lower orders."""
        for ids in sequences:
            self._three.update(zip(ids, ids[1:], ids[2:], strict=False))
        for (first, second, third), count in self._three.items():
            self._three_total[first, second] += count
            self._three_kinds[first, second] += 1
            self._two[second, third] += 1
        for (second, third), count in self._two.items():
            self._two_total[second] += count
            self._two_kinds[second] += 1
            self._one[third] += 1
        self._one_total = sum(self._one.values())
        return self

    def probability(self, first: int, second: int, third: int) -> float:
        """Return P(third | first, second), never zero."""
        kinds = len(self._one)
        one = max(self._one[third] - self._discount, 0) + self._discount * kinds / self._vocab_size
        one = one / self._one_total if self._one_total else 1 / self._vocab_size
        two = self._mix(self._two[second, third], self._two_total[second], self._two_kinds[second], one)
        total, variety = self._three_total[first, second], self._three_kinds[first, second]
        return self._mix(self._three[first, second, third], total, variety, two)

    def _mix(self, count: int, total: int, kinds: int, lower: float) -> float:
        if total == 0:
            return lower
        return max(count - self._discount, 0) / total + self._discount * kinds / total * lower

    def loss(self, sequences: Iterable[tuple[Sequence[int], int]]) -> float:
        """Return the mean loss in nats over each sequence's tokens from the given position on."""
        total, count = 0.0, 0
        for ids, start in sequences:
            for index in range(max(start, 2), len(ids)):
                total -= math.log(self.probability(ids[index - 2], ids[index - 1], ids[index]))
                count += 1
        return total / max(1, count)
