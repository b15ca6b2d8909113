"""A text cut where rules are broken, so that a page can mark each place and say which rule it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext

from ml.text.voicing import Violation


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the text; `words` say what is wrong with it, empty where nothing is."""

    text: str
    words: str = ""
    number: int = 0


def shown(violation: Violation) -> str:
    """The violation in the reader's language."""
    words = gettext(violation.template)
    return words % violation.values if violation.values else words


def segments(text: str, violations: Sequence[Violation]) -> list[Segment]:
    """The whole text in order; where two rules are broken at one place, both are told there."""
    spans = [(index, each) for index, each in enumerate(violations, 1) if each.end > each.start]
    cuts = sorted({0, len(text)} | {place for _, each in spans for place in (each.start, min(each.end, len(text)))})
    found = []
    for start, end in pairwise(cuts):
        here = [(index, each) for index, each in spans if each.start <= start and end <= each.end]
        words = " ".join(dict.fromkeys(shown(each) for _, each in here))
        found.append(Segment(text[start:end], words, here[0][0] if here else 0))
    return found


def listed(text: str, violations: Sequence[Violation]) -> list[dict[str, Any]]:
    """For a list beside the text: what was found where, and what to do about it."""
    return [
        {"number": index, "found": " ".join(text[each.start : each.end].split())[:80], "words": shown(each)}
        for index, each in enumerate(violations, 1)
    ]


def body(violation: Violation) -> dict[str, Any]:
    """As the API tells it: places count characters from 0."""
    return {
        "start": violation.start,
        "end": violation.end,
        "rule": violation.rule,
        "message": violation.message,
    }
