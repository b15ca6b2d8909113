"""Text as it is compared: width, case and accents folded, what cannot be seen left out, each letter with its place."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Format characters (zero width joiners and spaces, soft hyphens, marks of direction) hide a word from a reader of codes
# and not from a reader of texts; so do variation selectors.
_UNSEEN = frozenset({"Cf", "Mn", "Me"})
# Letters of other scripts that are drawn like Latin ones, by far the commonest of them (Unicode TR 39, confusables).
_ALIKE = str.maketrans("аеорсхукмтнвіјѕԁһԛԝɡαονιτρκυχ", "aeopcxykmthbijsdhqwgaovitpkux")


@dataclass(frozen=True, slots=True)
class Folded:
    """`text` is what is compared; `places[i]` is where its letter i stands in the original."""

    text: str
    places: tuple[int, ...]
    length: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original that letters `start` to `end` were folded from, with the marks behind it."""
        last = self.places[end] if end < len(self.places) else self.length
        return self.places[start], last


@lru_cache(maxsize=8192)
def fold_letter(letter: str) -> str:
    """One letter folded; nothing for one that cannot be seen by itself."""
    folded = unicodedata.normalize("NFKD", letter).casefold()
    folded = unicodedata.normalize("NFKD", folded)
    kept = (each for each in folded if unicodedata.category(each) not in _UNSEEN)
    return "".join(kept).translate(_ALIKE)


def fold(text: str) -> Folded:
    """The text folded, each run of white space one space."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        for each in fold_letter(letter):
            if each.isspace():
                if letters and letters[-1] == " ":
                    continue
                each = " "
            letters.append(each)
            places.append(place)
    return Folded("".join(letters), tuple(places), len(text))
