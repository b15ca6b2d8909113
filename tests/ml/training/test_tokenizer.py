"""The tokenizer keeps every text, and tokenizes a name alike wherever it stands."""

import pytest
from tokenizers import Tokenizer

from ml.training.tokenizer import BOS, SPECIAL_TOKENS


@pytest.mark.parametrize(
    "text",
    [
        "Meet Zivo 30.",
        "  spaces \n\n and\ttabs ",
        "naïve Söder Élan",
        "中文简体和繁體",
        "👩‍👩‍👧 ☕✨ 🏳️‍🌈",
        "\u200b\x00 ~ кот",
        "#SwiftPlanet",
    ],
)
def test_any_text_survives_the_round_trip(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_a_name_has_the_same_tokens_at_the_start_inside_and_in_a_hashtag(tokenizer: Tokenizer) -> None:
    name = tokenizer.encode("Quorvex", add_special_tokens=False).tokens

    for text in ("Quorvex", "Meet Quorvex", "#Quorvex", "a\nQuorvex"):
        assert tokenizer.encode(text, add_special_tokens=False).tokens[-len(name) :] == name


def test_a_raw_prompt_starts_with_the_first_token(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("hello").tokens[0] == BOS
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
