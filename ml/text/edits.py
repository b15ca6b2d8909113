"""Texts compared: the edits between two of them, three-way merges, and ranges that keep their place.

Everything counts in characters (Unicode code points). A line is compared with a line first, then words inside lines
that changed, so that a long text costs little and two people in one paragraph meet only where both changed the same
words (the diff3 algorithm: Khanna, Kunal and Pierce, "A Formal Investigation of Diff3", 2007).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# A word with what follows it up to the next, a single ideograph, or one other character.
_TOKENS = re.compile(r"[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\s+|.", re.DOTALL)
# Lines that changed are compared word by word up to so many words; beyond, the whole of them is one edit.
MOST_TOKENS = 4_000


@dataclass(frozen=True, slots=True)
class Edit:
    """The characters from `start` to `end` of the old text become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Same:
    """A part of a merge about which there is no question."""

    text: str


@dataclass(frozen=True, slots=True)
class Clash:
    """A part that both have changed, each in their own way."""

    mine: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Merge:
    """What comes of two changes of one text, in order."""

    parts: tuple[Same | Clash, ...]

    @property
    def clean(self) -> bool:
        return not any(isinstance(part, Clash) for part in self.parts)

    @property
    def text(self) -> str:
        """The merged text; only where nothing clashes."""
        if not self.clean:
            raise ValueError("Both have changed the same place.")
        return "".join(part.text for part in self.parts if isinstance(part, Same))


def tokens(text: str) -> list[str]:
    """Words, spaces, ideographs and marks; joined they are the text."""
    return _TOKENS.findall(text)


def edits(old: str, new: str) -> list[Edit]:
    """The edits that make `new` of `old`: ordered, apart from each other, and none that changes nothing."""
    start = _common_prefix(old, new)
    end = _common_suffix(old[start:], new[start:])
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    found = _between(before.splitlines(keepends=True), after.splitlines(keepends=True), start, by_word=True)
    return list(_joined(found))


def applied(old: str, changes: Iterable[Edit]) -> str:
    """The old text with the edits made."""
    parts, place = [], 0
    for change in changes:
        parts += [old[place : change.start], change.text]
        place = change.end
    return "".join([*parts, old[place:]])


def _between(old: Sequence[str], new: Sequence[str], offset: int, by_word: bool) -> Iterator[Edit]:
    starts = [offset]
    for piece in old:
        starts.append(starts[-1] + len(piece))
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > 2_000).get_opcodes():
        if kind == "equal":
            continue
        before, after = old[a:b], new[c:d]
        words = (tokens("".join(before)), tokens("".join(after))) if by_word and kind == "replace" else ([], [])
        if words[0] and len(words[0]) + len(words[1]) <= MOST_TOKENS:
            yield from _between(*words, starts[a], by_word=False)
        else:
            yield Edit(starts[a], starts[b], "".join(after))


def _joined(changes: Iterable[Edit]) -> Iterator[Edit]:
    """Edits that touch are one."""
    last: Edit | None = None
    for change in changes:
        if last is not None and last.end == change.start:
            last = Edit(last.start, change.end, last.text + change.text)
            continue
        if last is not None:
            yield last
        last = change
    if last is not None:
        yield last


def _common_prefix(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


def _common_suffix(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        same = a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]
        low, high = (middle, high) if same else (low, middle - 1)
    return low


# ---------------------------------------------------------------- three texts


def merge(base: str, mine: str, theirs: str) -> Merge:
    """Both changes of `base` together; where they touch each other, and are not the same, both are shown."""
    if mine == theirs:
        return Merge((Same(mine),))
    parts: list[Same | Clash] = []
    place = 0
    for start, end, left, right in _regions(edits(base, mine), edits(base, theirs)):
        parts.append(Same(base[place:start]))
        ours = _within(base, start, end, left)
        others = _within(base, start, end, right)
        if not right or ours == others:
            parts.append(Same(ours))
        elif not left:
            parts.append(Same(others))
        else:
            parts.append(Clash(ours, others))
        place = end
    parts.append(Same(base[place:]))
    return Merge(tuple(_gathered(parts)))


def _regions(mine: list[Edit], theirs: list[Edit]) -> Iterator[tuple[int, int, list[Edit], list[Edit]]]:
    """Stretches of the base that somebody has changed, with the edits of each; what touches is one stretch."""
    waiting = sorted(
        [(edit.start, edit.end, 0, edit) for edit in mine] + [(edit.start, edit.end, 1, edit) for edit in theirs],
        key=lambda each: each[:3],
    )
    while waiting:
        start, end, side, edit = waiting.pop(0)
        taken: tuple[list[Edit], list[Edit]] = ([], [])
        taken[side].append(edit)
        while waiting and waiting[0][0] <= end:
            _, other_end, side, edit = waiting.pop(0)
            taken[side].append(edit)
            end = max(end, other_end)
        yield start, end, *taken


def _within(base: str, start: int, end: int, changes: list[Edit]) -> str:
    shifted = [Edit(change.start - start, change.end - start, change.text) for change in changes]
    return applied(base[start:end], shifted)


def _gathered(parts: list[Same | Clash]) -> Iterator[Same | Clash]:
    text = ""
    for part in parts:
        if isinstance(part, Same):
            text += part.text
            continue
        if text:
            yield Same(text)
        yield part
        text = ""
    if text:
        yield Same(text)


# ---------------------------------------------------------------- ranges


def moved(start: int, end: int, changes: Sequence[Edit]) -> tuple[int, int] | None:
    """Where a range stands after the edits; None where one of them reaches into it.

    What is inserted right before or behind the range stays outside of it.
    """
    shift = 0
    for change in changes:
        if change.end <= start:
            shift += len(change.text) - (change.end - change.start)
        elif change.start >= end:
            break
        else:
            return None
    return start + shift, end + shift


def found_again(text: str, quote: str, near: int) -> tuple[int, int] | None:
    """The place of the quoted words that is nearest to where they stood; None where they are gone."""
    if not quote:
        return None
    best: int | None = None
    place = text.find(quote)
    while place >= 0:
        if best is None or abs(place - near) < abs(best - near):
            best = place
        place = text.find(quote, place + 1)
    return None if best is None else (best, best + len(quote))
