"""What the bot did and why is told in words, whatever it is called in the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from apps.support import words_bot
from apps.support.models import Message, TurnRecord
from apps.support.templatetags.support import outcome_words, provenance_words, told


@pytest.mark.parametrize(
    ("outcome", "reason", "words"),
    [
        ("handed_over", "human", "handed over (wish for a person)"),
        ("replied", "", "answered"),
        ("handed_over", "vip", "handed over (vip)"),
    ],
)
def test_what_came_of_a_turn_is_told_with_its_reason(outcome: str, reason: str, words: str) -> None:
    assert outcome_words(TurnRecord(outcome=outcome, reason=reason)) == words


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        ({"model": 2, "flows": 1, "articles": [], "intent": "fees", "probability": 0.8}, "flows v1 · model m2"),
        ({"model": None, "flows": None, "articles": []}, ""),
        (
            {"flows": 3, "articles": [{"article": "fees", "title": "Fees abroad"}], "writer": "house"},
            "article: Fees abroad · flows v3 · written by house",
        ),
    ],
)
def test_a_reply_names_only_what_it_comes_from(provenance: dict[str, Any], words: str) -> None:
    assert provenance_words(Message(provenance=provenance)) == words


def test_a_handover_says_why_in_the_readers_language() -> None:
    message = Message(kind="activity", author="bot", details={"why": "handed_over", "reason": "unsure"})
    assert told(message) == "bot: handed over to people (unsure what is meant)"
    with translation.override("zh-hans"):
        assert "不确定其意思" in told(message)


def test_all_that_is_named_has_words_in_chinese() -> None:
    with translation.override("zh-hans"):
        for words in (words_bot.OUTCOMES, words_bot.REASONS):
            assert [code for code, text in words.items() if str(text).isascii()] == []
