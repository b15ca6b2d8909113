"""The classifier learns what it is shown, says honestly how well, and is the same each time."""

import itertools
from random import Random

import pytest

from ml.safety.classifier import LEAST_EACH, Unlearnable, score, train

WHO = ("my neighbour", "a colleague", "the teacher", "our manager", "that driver")
THREATS = ("I will hurt", "I am going to attack", "someone should beat up", "we will threaten", "let us harm")
KIND = ("I would like to thank", "please greet", "we enjoyed meeting", "let us invite", "could you help")
ENDS = ("tonight", "on Friday", "at the office", "after the game")


def examples() -> list[tuple[str, bool]]:
    bad = [(f"{act} {who} {end}", True) for act, who, end in itertools.product(THREATS, WHO, ENDS)]
    good = [(f"{act} {who} {end}", False) for act, who, end in itertools.product(KIND, WHO, ENDS)]
    return bad + good


def test_it_tells_what_it_has_not_seen_apart() -> None:
    shown = [example for example in examples() if "teacher" not in example[0]]
    trained = train(shown)
    model = trained.dump()
    for text, label in examples():
        if "teacher" in text:
            assert (score(model, text) >= 0.5) == label, text
    assert trained.average_precision > 0.95
    middle = next(point for point in trained.curve if point.threshold == 0.5)
    assert middle.precision is not None and middle.precision > 0.9 and middle.recall > 0.9


def test_noise_is_told_as_noise() -> None:
    """Labels dealt out by chance: what was learned of them says nothing about texts that were not shown."""
    chance = Random(7)
    texts = [" ".join(chance.sample(WHO + THREATS + KIND + ENDS, 3)) for _ in range(120)]
    trained = train([(text, n % 2 == 0) for n, text in enumerate(texts)])
    assert trained.average_precision < 0.75


def test_recall_falls_as_the_threshold_rises() -> None:
    recalls = [point.recall for point in train(examples()).curve]
    assert recalls == sorted(recalls, reverse=True) and all(0 <= each <= 1 for each in recalls)


def test_the_same_examples_give_the_same_classifier() -> None:
    assert train(examples(), 3).dump() == train(examples(), 3).dump()


def test_chinese_needs_no_words() -> None:
    bad = [(f"我要{act}{who}", True) for act in ("伤害", "攻击", "威胁") for who in ("他们", "邻居", "老师", "司机")]
    good = [(f"我想{act}{who}", False) for act in ("感谢", "邀请", "帮助") for who in ("他们", "邻居", "老师", "司机")]
    model = train(bad + good).dump()
    assert score(model, "我要攻击你") > score(model, "我想感谢你")


def test_too_little_is_refused() -> None:
    few = examples()[: LEAST_EACH - 1] + examples()[-50:]
    with pytest.raises(Unlearnable, match="at least"):
        train(few)
    with pytest.raises(ValueError, match="numbers"):
        score(b"1234", "text")
