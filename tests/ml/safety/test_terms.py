"""Blocked terms, however they are written."""

import pytest

from ml.safety.folding import fold
from ml.safety.terms import MOST_TERMS, find_terms, problems_of


def found(text: str, *terms: str) -> list[str]:
    return [text[match.start : match.end] for match in find_terms(fold(text), terms)]


@pytest.mark.parametrize(
    ("text", "terms", "hits"),
    [
        ("The Forbidden Fruit", ["forbidden"], ["Forbidden"]),
        ("unforbidden forbiddens", ["forbidden"], []),
        ("ＦＯＲＢＩＤＤＥＮ", ["forbidden"], ["ＦＯＲＢＩＤＤＥＮ"]),
        ("fo\u200brbid\u00adden!", ["forbidden"], ["fo\u200brbid\u00adden"]),
        ("Café, CAFÉ, cafe\u0301, cafe", ["café"], ["Café", "CAFÉ", "cafe\u0301", "cafe"]),
        ("STRASSE und Straße", ["straße"], ["STRASSE", "Straße"]),
        ("fоrbiddеn with Cyrillic letters", ["forbidden"], ["fоrbiddеn"]),
        ("two   words\napart", ["two words"], ["two   words"]),
        ("这里有违禁词在中间", ["违禁词"], ["违禁词"]),
        ("違禁です", ["違禁"], ["違禁"]),
        ("C++ and c# but not C", ["C++", "c#"], ["C++", "c#"]),
        ("a.b. ab", ["a.b."], ["a.b."]),
        ("longest first: new york city", ["new york", "new york city"], ["new york city"]),
        ("price is 50% off", ["50%"], ["50%"]),
        ("x_secret_x", ["secret"], []),
        ("(secret)", ["secret"], ["(secret)"[1:-1]]),
        ("", ["secret"], []),
    ],
)
def test_places_are_those_of_the_text(text: str, terms: list[str], hits: list[str]) -> None:
    assert found(text, *terms) == hits


def test_folding_keeps_places_for_letters_that_become_several() -> None:
    folded = fold("ﬁne ½")
    assert folded.text.startswith("fine ")
    assert folded.span(0, 4) == (0, 3)


def test_what_cannot_be_a_term_is_told() -> None:
    assert problems_of(["good"]) == ""
    assert "2000" in problems_of(["x"] * (MOST_TERMS + 1))
    assert problems_of(["\u200b"])
    assert problems_of(["x" * 500])
