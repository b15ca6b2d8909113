"""Numbers as they are meant: digits of all scripts, widths, dashes and spaces as ASCII, each with its place."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_MARKS = {"−": "-", "·": ".", "•": ".", "。": ".", "、": ",", "|": "/", "\t": " ", "\v": "\n", "\f": "\n", "\x85": "\n"}


@dataclass(frozen=True, slots=True)
class Plain:
    """`text` is what is searched; its letter i stands at `places[i]` of the original."""

    text: str
    places: tuple[int, ...] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original that letters `start` to `end` stand for."""
        return (start, end) if self.places is None else (self.places[start], self.places[end - 1] + 1)


def plain(text: str) -> Plain:
    """The text for searching; letters that cannot be seen, which could hide a number, are left out."""
    if text.isascii() and not any(letter in text for letter in "\t\r\v\f|"):
        return Plain(text, None)
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        if meant := _meant(letter):
            letters.append(meant)
            places.append(place)
    return Plain("".join(letters), tuple(places))


@lru_cache(maxsize=8192)
def _meant(letter: str) -> str:
    """One letter or none: `\\r` goes, so that a break of a line is one letter."""
    if letter in _MARKS:
        return _MARKS[letter]
    category = unicodedata.category(letter)
    if letter == "\r" or category in {"Cf", "Mn", "Me"}:
        return ""
    if category == "Nd":
        return str(int(letter))
    if category in {"Zl", "Zp"}:
        return "\n"
    if category == "Zs":
        return " "
    if category == "Pd":
        return "-"
    folded = unicodedata.normalize("NFKC", letter) if "\uff00" <= letter <= "\uffef" else letter
    return folded if len(folded) == 1 else letter
