"""Where parts of a card's number stand in messages that follow each other: no part alone is one, joined they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice, product

from ml.safety.cards import LONGEST, SHORTEST, cards
from ml.safety.masking import PLACEHOLDER

# A part is shorter than a number, and longer than what people count with; so many groups of four make up the longest.
LEAST_PART, MOST_PARTS = 3, 5
# What is left of a number beside its shortest part: nothing longer is a part, and nothing longer is looked at.
MOST_DIGITS = LONGEST - LEAST_PART
# Digits as cards are written, with at most one separator between their groups.
_RUN = re.compile(r"\d+(?:[ .-]\d+)*")
_GROUP = re.compile(r"\d+")
# What may stand behind the first part, and before the last one: "4111 1111, wait" – "and then 1111 1111".
_BESIDE = 40
Span = tuple[int, int]


def parts_of_card(texts: Sequence[str]) -> list[Span]:
    """The places, one in each of the last two to five texts, whose digits joined are the number of a card; else none.

    The last text completes it. Of several ways to read it the longest number counts.
    """
    blanked = [PLACEHOLDER.sub(lambda found: "\0" * len(found.group()), text) for text in texts[-MOST_PARTS:]]
    for count in range(2, len(blanked) + 1):
        several = blanked[-count:]
        choices = [list(_ends(several[0])), *(list(_whole(text)) for text in several[1:-1]), list(_begins(several[-1]))]
        found = [spans for spans in product(*choices) if _is_card(several, spans)]
        if found:
            return list(max(found, key=lambda spans: sum(end - start for start, end in spans)))
    return []


def has_digits(text: str) -> bool:
    """Whether a part may stand there: digits that are not a placeholder's."""
    return _GROUP.search(PLACEHOLDER.sub("", text)) is not None


def _is_card(texts: Sequence[str], spans: Sequence[Span]) -> bool:
    digits = "".join(_digits(text[start:end]) for text, (start, end) in zip(texts, spans, strict=True))
    return SHORTEST <= len(digits) <= LONGEST and list(cards(digits)) == [(0, len(digits))]


def _digits(text: str) -> str:
    return "".join(each for each in text if each.isdigit())


def _ends(text: str) -> Iterator[Span]:
    """The last groups of the last run: as many as may be a part."""
    runs = list(_RUN.finditer(text))
    if runs and len(text) - runs[-1].end() <= _BESIDE:
        groups = _groups(text, runs[-1].span())
        for first, _last in _few(groups[::-1]):
            yield first, groups[-1][1]


def _begins(text: str) -> Iterator[Span]:
    """The first groups of the first run: as many as may be a part."""
    run = _RUN.search(text)
    if run and run.start() <= _BESIDE:
        for _first, last in _few(_groups(text, run.span())):
            yield run.start(), last


def _whole(text: str) -> Iterator[Span]:
    """The only run of a text between two others, where it may be a part."""
    runs = [run.span() for run in islice(_RUN.finditer(text), 2)]
    if len(runs) == 1 and LEAST_PART <= sum(last - first for first, last in _groups(text, runs[0])) <= MOST_DIGITS:
        yield runs[0]


def _groups(text: str, run: Span) -> list[Span]:
    return [group.span() for group in _GROUP.finditer(text, *run)]


def _few(groups: Sequence[Span]) -> Iterator[Span]:
    """Those groups up to which there are enough digits for a part, and not too many for one."""
    total = 0
    for first, last in groups:
        total += last - first
        if total > MOST_DIGITS:
            return
        if total >= LEAST_PART:
            yield first, last
