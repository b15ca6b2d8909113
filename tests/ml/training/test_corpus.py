"""The corpus is a function of its seed, is varied, and keeps held-out names apart."""

import random
import re

import pytest

from ml.text.brief import CONTENT_TYPES
from ml.training.corpus.catalogue import categories
from ml.training.corpus.generate import Example, examples, make_example
from ml.training.corpus.grammar import base_verb, choose, fix_articles, gerund, third_person
from ml.training.corpus.names import is_held_out
from ml.training.metrics import distinct_2, most_repeated_ngram


@pytest.fixture(scope="module")
def sample() -> list[Example]:
    return list(examples(3, 800))


def test_an_example_depends_on_seed_and_index_only() -> None:
    assert list(examples(9, 5)) == list(examples(9, 5))
    assert make_example(9, 4) == list(examples(9, 5))[4]
    assert make_example(9, 0) != make_example(10, 0)


def test_every_text_names_its_product(sample: list[Example]) -> None:
    assert [e.text for e in sample if e.brief.product.casefold() not in e.text.casefold()] == []


def test_no_template_shows_through(sample: list[Example]) -> None:
    broken = re.compile(r"[{}\[\]|\ue000\\]|  | ,")

    assert [e.text for e in sample if broken.search(e.text)] == []


def test_texts_are_varied(sample: list[Example]) -> None:
    texts = [example.text for example in sample[:200]]

    assert distinct_2(texts, limit=5_000) > 0.5
    assert max(most_repeated_ngram(text) for text in texts) <= 6
    assert len({text.split("\n")[0] for text in texts}) > 180


def test_the_catalogue_is_wide() -> None:
    assert len(categories()) >= 100
    assert len({category.group.name for category in categories()}) >= 15


def test_every_content_type_occurs(sample: list[Example]) -> None:
    assert {example.brief.content_type for example in sample} == set(CONTENT_TYPES)


def test_held_out_names_are_never_trained_on(sample: list[Example]) -> None:
    named = [example.brief.product for example in sample if not example.brief.product.islower()]
    held_out = [example.brief.product for example in examples(3, 100, held_out=True)]

    assert not any(is_held_out(name) for name in named)
    assert all(is_held_out(name) for name in held_out)


@pytest.mark.parametrize(
    ("third", "base", "ing"),
    [
        ("carries", "carry", "carrying"),
        ("washes", "wash", "washing"),
        ("eases", "ease", "easing"),
        ("has", "have", "having"),
        ("cuts", "cut", "cutting"),
        ("frees", "free", "freeing"),
        ("ties", "tie", "tying"),
        ("goes", "go", "going"),
    ],
)
def test_verbs_are_inflected(third: str, base: str, ing: str) -> None:
    assert (base_verb(third), third_person(base), gerund(base)) == (base, third, ing)


def test_articles_follow_the_sound() -> None:
    assert fix_articles("a elegant mug, an useful lid, an hour") == "an elegant mug, a useful lid, an hour"


def test_alternatives_nest() -> None:
    assert {choose("[a|b [c|d]]", random.Random(seed)) for seed in range(40)} == {"a", "b c", "b d"}
