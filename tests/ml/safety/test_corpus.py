"""A corpus of own cases, marked by hand: what a bank must mask is found whole, and nothing else is masked."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from ml.safety.cards import is_number_of_card
from ml.safety.duties import BANKING, masked
from ml.safety.masking import Originals, put_back
from ml.safety.personal import find_personal

CORPUS = Path(__file__).with_name("personal_corpus.tsv")
ESCAPES = {"\\n": "\n", "\\r": "\r", "\\\\": "\\"}
RANDOM = random.Random(7)


def cases() -> Iterator[tuple[str, str, list[tuple[int, int]]]]:
    """(kind, text, places) of each line; what is to be found stands between ⟦ and ⟧, breaks of lines are \\n."""
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        kind, marked = line.split("\t", 1)
        marked = re.sub(r"\\[nr\\]", lambda match: ESCAPES[match.group()], marked)
        text, places = "", []
        for part in re.split(r"(⟦.*?⟧)", marked, flags=re.DOTALL):
            if part.startswith("⟦"):
                places.append((len(text), len(text) + len(part) - 2))
            text += part.strip("⟦⟧") if part.startswith("⟦") else part
        yield kind, text, places


def test_ninety_nine_of_a_hundred_are_found_and_nothing_besides() -> None:
    wanted, missed, wrong = 0, [], []
    for kind, text, places in cases():
        found = {(each.kind, each.start, each.end) for each in find_personal(text, BANKING)}
        expected = {(kind, start, end) for start, end in places}
        wanted += len(expected)
        missed += [(text, each) for each in expected - found]
        wrong += [(text, each) for each in found - expected]
    assert wanted >= 280
    assert len(missed) / wanted <= 0.01, missed
    assert wrong == []


def written(digits: str) -> Iterator[str]:
    """A number of sixteen digits as orders are written, in words and beside other numbers."""
    groups = " ".join(digits[place : place + 4] for place in range(0, 16, 4))
    for number in (digits, groups, groups.replace(" ", "-")):
        yield from (
            f"Order {number} is late.",
            f"订单{number}还没到",
            f"{number} 3 items",
            f"{number}, 250 pieces, 2026",
        )


def test_no_order_number_of_sixteen_digits_is_masked() -> None:
    """Thousands of them, most with a beginning that cards have."""
    for first in "0123456789" * 3 + "345" * 30:
        digits = first + "".join(RANDOM.choice("0123456789") for _ in range(15))
        if is_number_of_card(digits):
            digits = digits[:-1] + str((int(digits[-1]) + 1) % 10)
        for text in written(digits):
            assert not list(find_personal(text, BANKING)), text


def test_masked_texts_hold_nothing_and_come_back_whole() -> None:
    for _, text, places in cases():
        originals = Originals()
        result = masked(text, originals)
        data = [text[start:end] for start, end in places]
        assert not any(datum in result.text for datum in data if len(datum) > 4), text
        assert put_back(result.text, originals.by_placeholder) == text
        assert masked(result.text, Originals()).text == result.text
