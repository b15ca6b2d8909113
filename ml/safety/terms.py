"""Blocked terms: whole words where a script has words, any place where it has none (Chinese, Japanese, Thai)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ml.safety.folding import Folded, fold
from ml.words import Words

MOST_TERMS, LONGEST_TERM = 2_000, 120
# Scripts that are written without spaces: there, a term's edge is no edge of a word.
_BORDERLESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


@dataclass(frozen=True, slots=True)
class TermList:
    """Terms under one name; what becomes of them is the policy's to say."""

    name: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TermMatch:
    """A term at a place of the original text."""

    start: int
    end: int
    term: str


def problems_of(terms: Sequence[str]) -> Words:
    """What is wrong with a list of terms, in a sentence; empty if nothing is."""
    if len(terms) > MOST_TERMS:
        return Words("A list holds up to %(most)s terms; this one has %(count)s.", most=MOST_TERMS, count=len(terms))
    for term in terms:
        if len(term) > LONGEST_TERM:
            return Words("A term has up to %(most)s characters: %(term)s…", most=LONGEST_TERM, term=term[:40])
        if not fold(term).text.strip():
            return Words("A term needs a letter, a digit or a sign that can be seen.")
    return Words("")


def find_terms(text: Folded, terms: tuple[str, ...]) -> Iterator[TermMatch]:
    """Every place of every term, from left to right; of those that begin at one place the longest.

    Nearly all terms of a long list stand in no given text: those are told by a plain search, which is quick.
    """
    names = _folded(terms)
    present = tuple(folded for folded in names if folded in text.text)
    if not present:
        return
    for match in _pattern(present).finditer(text.text):
        start, end = text.span(match.start(), match.end())
        yield TermMatch(start, end, names[match.group()])


@lru_cache(maxsize=256)
def _folded(terms: tuple[str, ...]) -> dict[str, str]:
    """The terms by how they are compared."""
    found: dict[str, str] = {}
    for term in terms:
        if folded := fold(term).text.strip():
            found.setdefault(folded, term)
    return found


@lru_cache(maxsize=256)
def _pattern(present: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_bordered(folded) for folded in sorted(present, key=len, reverse=True)))


def _bordered(folded: str) -> str:
    """The term with a border where it begins or ends with a letter of a script that has words."""
    before = r"(?<!\w)" if _has_border(folded[0]) else ""
    after = r"(?!\w)" if _has_border(folded[-1]) else ""
    return f"{before}{re.escape(folded)}{after}"


def _has_border(letter: str) -> bool:
    if not (letter.isalnum() or letter == "_"):
        return False
    return not unicodedata.name(letter, "").startswith(_BORDERLESS)
