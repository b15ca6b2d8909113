"""What is masked before anything is stored: numbers of cards and accounts, security codes and national ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ml.safety import Finding, Originals, Policy, check, mask, put_back
from ml.safety.checks import PERSONAL
from ml.safety.masking import PLACEHOLDER

Span = tuple[int, int]
CARD = "card"
# What is masked as a card's and has fewer digits is its security code, or a part of its number that is known as one.
FEWEST_DIGITS = 12

# What a desk masks unless it is told otherwise: what a name and an address are for, agents must see.
DEFAULT_KINDS = ("card", "iban", "national_id")


@dataclass(frozen=True, slots=True)
class Clean:
    """A text as it may be stored, what was masked by kind, and what stands for it.

    `originals` is JSON to be sealed, or empty. Security codes are not in it: the card industry's rules (PCI DSS 3.3)
    let nobody keep them, sealed or not.
    """

    text: str
    kinds: tuple[str, ...] = ()
    originals: str = ""
    placeholders: tuple[str, ...] = ()


def clean(
    text: str,
    kinds: Iterable[str],
    used: Iterable[str] = (),
    parts: Iterable[Span] = (),
    codes: Sequence[Span] = (),
) -> Clean:
    """The text with placeholders; those in the texts `used` stand for something else, and are not given out again.

    `parts` are places of digits that are a part of a card's number, whose others stand in other texts, `codes` those of
    security codes that only other texts show to be such.
    """
    policy = Policy(personal=frozenset(kinds), personal_prompt="mask")
    by_itself = check(policy, text, "prompt")
    found = by_itself + [Finding(PERSONAL, CARD, "mask", *each) for each in (*parts, *codes)]
    if not found:
        return Clean(text)
    originals = Originals()
    for each in (text, *used):
        originals.reserve(each)
    masked = mask(text, found, originals)
    loose = {text[start:end] for start, end in codes}
    loose |= {datum for each in by_itself if _is_code(each, datum := text[each.start : each.end])}
    kept = {name: datum for name, datum in originals.by_placeholder.items() if datum not in loose}
    names = tuple(sorted({each.name for each in found}))
    return Clean(masked.text, names, json.dumps(kept) if kept else "", tuple(originals.by_placeholder))


def _is_code(found: Finding, datum: str) -> bool:
    return found.name == CARD and sum(each.isdigit() for each in datum) < FEWEST_DIGITS


def clean_values(value: Any, kinds: Iterable[str]) -> Any:
    """Every text and number within JSON, masked; keys too, since somebody may put a number there."""
    kept = tuple(kinds)
    if isinstance(value, str):
        return clean(value, kept).text
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _clean_number(value, kept)
    if isinstance(value, dict):
        return {clean(str(key), kept).text: clean_values(each, kept) for key, each in value.items()}
    if isinstance(value, list):
        return [clean_values(each, kept) for each in value]
    return value


def _clean_number(value: float, kinds: tuple[str, ...]) -> Any:
    """The number itself, unless its digits are to be masked; a share of one has none before its point."""
    if not isfinite(value):
        return value
    digits = str(int(value))
    said = clean(digits, kinds).text
    return value if said == digits else said


def hidden(text: str, kinds: Iterable[str]) -> str:
    """The text with what is to be masked hidden for good: `[CARD]`, without a number, stands for nothing known."""
    return PLACEHOLDER.sub(r"[\1]", clean(text, kinds).text)


def restored(text: str, originals: str) -> str:
    return put_back(text, json.loads(originals)) if originals else text
