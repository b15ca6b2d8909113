"""Measured voices: figures that can be counted by hand, in English and in Chinese."""

from __future__ import annotations

import pytest

from ml.text.voice import Features, language_of, measure, sentences

ENGLISH = "We're here to help. The kettle was designed by Anna, e.g. for tea. It costs 3.50 dollars! Don't wait… 😀"
CHINESE = "您好！我们的咖啡来自云南。手工烘焙的咖啡豆，被装进可降解的包装。手工烘焙让咖啡豆更香吧？"


def test_sentences_end_where_people_end_them() -> None:
    found = [ENGLISH[start:end] for start, end in sentences(ENGLISH)]
    assert found == [
        "We're here to help.",
        "The kettle was designed by Anna, e.g. for tea.",
        "It costs 3.50 dollars!",
        "Don't wait…",
    ]
    assert [CHINESE[a:b] for a, b in sentences(CHINESE)][1] == "我们的咖啡来自云南。"


def test_english_is_counted_in_words() -> None:
    found = measure([ENGLISH])
    assert (found.language, found.sentences, found.words) == ("en", 4, 21)
    assert found.sentence_words == pytest.approx(21 / 4)
    assert found.passive == 0.25 and found.exclamations == 0.25 and found.person["we"] == 0.25
    assert found.contractions == pytest.approx(100 * 2 / 21) and found.emoji == pytest.approx(100 / 21)


def test_chinese_is_counted_in_characters() -> None:
    found = measure([CHINESE])
    assert (found.language, found.sentences, found.words) == ("zh", 4, 39)
    assert found.readability is None and found.contractions is None
    assert found.passive == 0.25 and found.questions == 0.25 and found.person == {"i": 0, "we": 0.25, "you": 0.25}
    assert "手工烘焙" in found.terms and "咖啡豆" in found.terms and "手工" not in found.terms


def test_formality_orders_texts_as_people_do() -> None:
    casual = "Hey guys! It's super cool stuff, we're gonna love it!"
    plain = "The bag holds ten litres. It is made in Leeds."
    formal = "We hereby ensure that all items shall be provided. Furthermore, please obtain written consent."
    assert measure([casual]).formality < measure([plain]).formality < measure([formal]).formality
    assert measure(["亲们，超级好用哦！快来呀！"]).formality < measure(["敬请贵司予以确认。"]).formality


def test_readability_falls_with_longer_words_and_sentences() -> None:
    plain, heavy = (
        "The cat sat. The dog ran.",
        "Organizational interdependencies necessitate comprehensive deliberation.",
    )
    assert (measure([plain]).readability or 0) > 90 > 0 > (measure([heavy]).readability or 0)


def test_frequent_terms_are_words_that_return() -> None:
    assert measure(["Kettle and tea. A kettle for the tea. Kettle!"]).terms == ("kettle", "tea")


def test_nothing_measures_nothing() -> None:
    assert measure([]) == Features() and measure(["  \n"]).sentences == 0


@pytest.mark.parametrize("bit", [".", "a", "a. ", "a.a", "\n", "我", "(' ", "n't", "is aed ", "为", "“", "!"])
def test_the_longest_hostile_texts_are_measured(bit: str) -> None:
    assert measure([bit * (200_000 // len(bit))]).characters == len(bit) * (200_000 // len(bit))


def test_the_language_is_that_of_most_words() -> None:
    assert language_of("Hello 世界, dear friends and all") == "en"
    assert language_of("你好世界 hello") == "zh"
