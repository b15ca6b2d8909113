"""The figures that judge the house model mean what they say."""

import math

import pytest

from ml.training.classifier import TypeClassifier
from ml.training.corpus.generate import examples
from ml.training.metrics import Trigram, distinct_2, mentions, most_repeated_ngram, names_product


def test_a_product_is_named_letter_by_letter() -> None:
    assert names_product("Meet ZIVO 30 today", "Zivo 30")
    assert not names_product("Meet Zivo 3 today", "Zivo 30")


def test_repetition_is_counted_within_a_text() -> None:
    assert most_repeated_ngram("a b c d " * 4) == 4
    assert most_repeated_ngram("one two") == 0


def test_distinct_2_counts_bigrams_once() -> None:
    assert distinct_2(["a b a b"], limit=10) == pytest.approx(2 / 3)


def test_a_point_may_be_mentioned_in_other_words() -> None:
    assert mentions("It kept the coffee hot for hours.", "keeping coffee hot for hours")
    assert not mentions("A fine mug.", "keeps coffee hot")


def test_the_trigram_is_a_distribution_and_learns() -> None:
    model = Trigram(vocab_size=5).fit([[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 3]])

    for context in ((1, 2), (3, 4)):
        assert sum(model.probability(*context, token) for token in range(5)) == pytest.approx(1)
    assert model.probability(1, 2, 3) > model.probability(1, 2, 4) > model.probability(1, 2, 0)
    assert model.loss([([0, 1, 2, 3], 2)]) < math.log(5)


def test_the_classifier_tells_types_of_held_out_texts() -> None:
    def rows(seed: int, count: int, held_out: bool) -> list[tuple[str, str, str]]:
        found = examples(seed, count, held_out)
        return [(e.text, e.brief.product, e.brief.content_type) for e in found]

    classifier = TypeClassifier(rows(1, 800, False))
    tests = rows(2, 200, True)

    assert sum(classifier.predict(text, product) == label for text, product, label in tests) >= 190
