"""Two texts line by line, as a reader compares them: what stayed, went and came, and which words of a changed line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from ml.text.edits import MOST_TOKENS, tokens

# Around each change so many lines are shown that stayed.
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the comparison.

    `kind` is same, gone, new, or skipped for `count` lines that stayed and are not shown. `parts` are words, and
    whether they are what changed.
    """

    kind: str
    parts: tuple[tuple[str, bool], ...] = ()
    old: int | None = None
    new: int | None = None
    count: int = 0


def lines_of(before: str, after: str) -> list[Line]:
    old, new = before.splitlines(), after.splitlines()
    matcher = SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > 2_000)
    found: list[Line] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            found += [Line("same", ((old[a + step], False),), a + step + 1, c + step + 1) for step in range(b - a)]
        else:
            found += _changed(old[a:b], new[c:d], a, c)
    return list(_folded(found))


def _changed(old: list[str], new: list[str], first_old: int, first_new: int) -> Iterator[Line]:
    """Lines that were replaced, each beside the one that it became, so far as there are as many."""
    pairs = [_words(left, right) for left, right in zip(old, new, strict=False)]
    for step, line in enumerate(old):
        parts = pairs[step][0] if step < len(pairs) else ((line, True),)
        yield Line("gone", parts, old=first_old + step + 1)
    for step, line in enumerate(new):
        parts = pairs[step][1] if step < len(pairs) else ((line, True),)
        yield Line("new", parts, new=first_new + step + 1)


def _words(old: str, new: str) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    left, right = tokens(old), tokens(new)
    if len(left) + len(right) > MOST_TOKENS:
        return ((old, True),), ((new, True),)
    gone: list[tuple[str, bool]] = []
    came: list[tuple[str, bool]] = []
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        changed = kind != "equal"
        gone += [("".join(left[a:b]), changed)] if b > a else []
        came += [("".join(right[c:d]), changed)] if d > c else []
    return tuple(gone), tuple(came)


def _folded(lines: list[Line]) -> Iterator[Line]:
    """Long stretches that stayed are folded to their edges."""
    place = 0
    while place < len(lines):
        end = place
        while end < len(lines) and lines[end].kind == "same":
            end += 1
        head = CONTEXT if place else 0
        tail = CONTEXT if end < len(lines) else 0
        if end - place > head + tail + 1:
            yield from lines[place : place + head]
            yield Line("skipped", count=end - place - head - tail)
            yield from lines[end - tail : end]
        else:
            yield from lines[place:end]
        while end < len(lines) and lines[end].kind != "same":
            yield lines[end]
            end += 1
        place = end
