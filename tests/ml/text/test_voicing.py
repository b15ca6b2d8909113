"""A brand's voice: what a model is told of it, what breaks it, and what samples suggest."""

from __future__ import annotations

from typing import Any

import pytest

from ml.text.learned import suggested
from ml.text.voice import measure
from ml.text.voicing import Preference, Voice, VoiceError, check, limits_broken, system_message


def broken(text: str, **rules: Any) -> list[tuple[str, str]]:
    """Which rule and which words, in the order of the text."""
    return [(each.rule, text[each.start : each.end]) for each in check(Voice(**rules), text)]


def test_the_model_is_told_in_the_voices_language() -> None:
    rules: dict[str, Any] = {"tone": {"formality": 5, "warmth": 3}, "words": ("dry",), "banned": ("cheap",)}
    english = system_message(Voice(**rules, vocabulary=(Preference("bread", "product"),), person="we"))
    assert "Tone: very formal; dry." in english and "cool" not in english
    assert "Say “bread” rather than “product”." in english and "“we”, never “I”" in english
    chinese = system_message(Voice(**rules, language="zh"))
    assert "语气：非常正式；dry。" in chinese and "禁止使用以下词语：cheap。" in chinese
    assert system_message(Voice()) == ""


def test_samples_are_shown_in_whole_sentences() -> None:
    shown = system_message(Voice(samples=("One two three four. " * 60,)))
    assert len(shown) < 900 and shown.rstrip().endswith("four.\n”””")


@pytest.mark.parametrize(
    ("text", "rules", "found"),
    [
        ("A cheap, CHEAP cheapskate.", {"banned": ("cheap",)}, [("banned", "cheap"), ("banned", "CHEAP")]),
        ("最便宜的面包", {"banned": ("便宜",)}, [("banned", "便宜")]),
        ("Best  in\nclass.", {"banned": ("best in class",)}, [("banned", "Best  in\nclass")]),
        ("Our users.", {"vocabulary": (Preference("guests", "users"),)}, [("vocabulary", "users")]),
        ("Bread.", {"required": ("rye",)}, [("required", "")]),
        ("Rye bread.", {"required": ("rye",)}, []),
        ("Fresh! 🍞", {"emoji": "never", "exclamations": "never"}, [("exclamations", "!"), ("emoji", "🍞")]),
        ("One! Two!", {"exclamations": "sparingly"}, [("exclamations", "!")]),
        ("It's here, don't wait.", {"contractions": "never"}, [("contractions", "It's"), ("contractions", "don't")]),
        ("The cat's bowl.", {"contractions": "never"}, []),
        ("Bread is baked daily.", {"passive": "never"}, [("passive", "is baked")]),
        ("I bake. We sell.", {"person": "we"}, [("person", "I")]),
        ("We sell our bread.", {"person": "third"}, [("person", "We"), ("person", "our")]),
        ("我们烤面包，我来卖。", {"person": "we"}, [("person", "我")]),
        ("Short. This one has far too many words.", {"longest_sentence": 4},
         [("longest_sentence", "This one has far too many words.")]),
    ],
)  # fmt: skip
def test_what_breaks_a_rule(text: str, rules: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert broken(text, **rules) == found


def test_terms_are_words_and_not_patterns() -> None:
    assert broken("a+b (c) axb", banned=("a+b", "(c)")) == [("banned", "a+b"), ("banned", "(c)")]


def test_very_many_violations_are_cut() -> None:
    assert len(check(Voice(banned=("x",)), "x " * 1000)) == 200


def test_limits_of_a_place() -> None:
    found = limits_broken({"characters": 10, "hashtags": 1}, "#one #two three")
    assert [(each.rule, each.start, each.end) for each in found] == [("characters", 10, 15), ("hashtags", 5, 9)]


def test_samples_suggest_what_they_keep_to() -> None:
    samples = ["We bake every loaf by hand, and we say what is in it. Our ovens are old. We like them."] * 8
    rules = suggested(measure(samples))
    assert rules["person"] == "we" and rules["emoji"] == rules["exclamations"] == rules["contractions"] == "never"
    assert 10 <= rules["longest_sentence"] <= 20
    # What the samples keep to, the samples keep to.
    voice = Voice.from_dict(rules)
    assert check(voice, "\n".join(samples)) == []
    assert "emoji" not in suggested(measure(["We bake. We sell."]))
    assert suggested(measure([])) == {}


@pytest.mark.parametrize(
    "data",
    [
        {"tone": {"loudness": 3}}, {"tone": {"warmth": 6}}, {"tone": {"warmth": True}}, {"person": "you"},
        {"emoji": "often"}, {"banned": "cheap"}, {"banned": ["x" * 81]}, {"longest_sentence": -1}, {"colour": "red"},
        {"vocabulary": [{"say": "a"}]}, {"vocabulary": [{"say": "good tea", "instead_of": "tea"}]},
        {"samples": ["x"] * 11}, {"samples": ["x" * 6001]}, {"guidance": "a\0b"},
    ],
)  # fmt: skip
def test_voices_that_make_no_sense(data: dict[str, Any]) -> None:
    with pytest.raises(VoiceError):
        Voice.from_dict(data)


def test_a_voice_comes_back_as_it_was_stored() -> None:
    voice = Voice.from_dict({"banned": ["cheap", "cheap", " "], "vocabulary": [{"say": "a", "instead_of": "b"}]})
    assert voice.banned == ("cheap",) and Voice.from_dict(voice.to_dict()) == voice
