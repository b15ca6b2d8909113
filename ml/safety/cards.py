"""Payment cards in running text, however their digits are set apart.

A number counts if a network gives out its beginning and length and its check digit is right; groups are joined only as
cards are written. A number of sixteen digits whose check digit is wrong hides no shorter or longer card: it is an
order's or a reference's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ml.safety.numbers import luhn

SHORTEST, LONGEST = 13, 19
# Words that are written right before a number, without a space.
_BEFORE = re.compile(
    r"(?:card|cards?no|number|visa|mastercard|maestro|amex|discover|unionpay|pan|cc|no|nr|karte)$", re.I
)
_AFTER = re.compile(r"(?:cvv|cvc|csc|cid|exp|valid)", re.I)
_GROUP = re.compile(r"\d+")
_GAP = re.compile(r" {0,2}\n {0,2}| {0,2}[-./_,] ?\n?| {1,3}")
_LETTER = re.compile(r"[A-Za-z0-9_À-ɏ]")
# As cards are printed; others are judged by `_is_layout`.
_PRINTED = {
    (4, 4, 4, 4),
    (4, 4, 4, 4, 3),
    (4, 6, 5),
    (4, 6, 4),
    (4, 4, 4, 1),
    (6, 13),
    (8, 8),
    (4, 4, 4, 4, 1),
    (4, 3, 3, 3),
}
Group = tuple[int, int]


def cards(text: str) -> Iterator[Group]:
    """Places of cards, from left to right."""
    for chain in _chains(text):
        yield from _cards_of(text, chain)


def _chains(text: str) -> Iterator[list[Group]]:
    """Groups of digits that only a separator parts; chains too short for a card are left out."""
    chain: list[Group] = []
    for match in _GROUP.finditer(text):
        if chain and not _GAP.fullmatch(text, chain[-1][1], match.start()):
            yield from [chain] if _digits(chain) >= SHORTEST else []
            chain = []
        chain.append(match.span())
    yield from [chain] if _digits(chain) >= SHORTEST else []


def _cards_of(text: str, chain: list[Group]) -> Iterator[Group]:
    place, taken = 0, -1
    while place < len(chain):
        count = _card_at(text, chain, place) if _may_begin(text, chain, place, taken) else 0
        if count > 0:
            yield chain[place][0], chain[place + count - 1][1]
            taken = place + count
        place += max(1, abs(count))


def _may_begin(text: str, chain: list[Group], place: int, taken: int) -> bool:
    """Whether a number may begin here: not within a word, a decimal, a telephone number or a longer row of groups."""
    start = chain[place][0]
    before = text[max(0, start - 14) : start]
    if place and place != taken:
        last, own = (end - begin for begin, end in chain[place - 1 : place + 1])
        gap = text[chain[place - 1][1] : start]
        return "\n" in gap or (gap[0] in " ," and last < 4 and last != own)
    if not before or place:
        return True
    if before[-1] in ".-":
        return not before[-2:-1].isdigit()
    return before[-1] != "+" and (not _LETTER.match(before[-1]) or _BEFORE.search(before) is not None)


def _card_at(text: str, chain: list[Group], place: int) -> int:
    """How many groups from here on are a card; less than nothing: so many are none, nor is any part of them."""
    first = chain[place][1] - chain[place][0]
    found = _candidates(text, chain, place)
    sixteen = next((groups for total, groups in found if total == 16), 0)
    for total, groups in found:
        if sixteen and total not in {16, 19}:
            continue
        part = chain[place : place + groups]
        digits = "".join(text[start:end] for start, end in part)
        if is_number_of_card(digits) and _is_layout(text, part) and _ends(text, part[-1][1]):
            return groups
    return -sixteen if sixteen and (first == 16 or sixteen > 1) else 0


def _candidates(text: str, chain: list[Group], place: int) -> list[tuple[int, int]]:
    """(digits, groups) from here on, the likeliest lengths first; nineteen before sixteen, which they begin with."""
    found, total = [], 0
    for groups, (start, end) in enumerate(chain[place:], 1):
        total += end - start
        if total > LONGEST:
            break
        if total >= SHORTEST:
            found.append((total, groups))
    return sorted(found, key=lambda each: (19, 16, 15, 14, 13, 18, 17).index(each[0]))


def is_number_of_card(digits: str) -> bool:
    """Whether a network issues numbers that begin so and are so long (ISO/IEC 7812), and the check digit is right."""
    if not (SHORTEST <= len(digits) <= LONGEST and luhn(digits)):
        return False
    if digits[0] == "4":
        return len(digits) in {13, 16, 19}
    if digits[:2] in {"34", "37"}:
        return len(digits) == 15
    if digits[:2] in {"30", "36", "38", "39"}:
        return len(digits) in {14, 16, 19}
    if "51" <= digits[:2] <= "55":
        return len(digits) == 16
    if "2221" <= digits[:4] <= "2720" or "2200" <= digits[:4] <= "2204" or digits[:4] == "9792":
        return len(digits) == 16
    if digits[:2] == "35":
        return len(digits) in {16, 19}
    if digits[:2] in {"81", "82"}:
        return len(digits) in {16, 19}
    return digits[0] in "56"


def _is_layout(text: str, part: list[Group]) -> bool:
    """Whether groups stand together as those of one card: printed, in equal groups, or parted by a line's end."""
    sizes = tuple(end - start for start, end in part)
    if len(sizes) == 1:
        return True
    gaps = [text[first[1] : second[0]] for first, second in pairwise(part)]
    kinds = {gap.strip(" \n") for gap in gaps if gap.strip(" \n")}
    if len(kinds) > 1 or (kinds - {"-"} and any("\n" not in gap and not gap.strip() for gap in gaps)):
        return False
    # The nineteen digits whose first sixteen are groups of four: only with the same sign before the last three.
    if sum(sizes) == 19 and sizes[:4] == (4, 4, 4, 4):
        return len(set(gaps)) == 1 and text[part[0][0]] in "56"
    if sizes in _PRINTED:
        return True
    if max(sizes) > 12 and not any("\n" in gap for gap in gaps):
        return False
    if any("\n" in gap for gap in gaps):
        return sum(sizes) in {15, 16}
    even = len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0] <= 6
    return (even or min(sizes) >= 4) and sum(sizes) in {14, 15, 16, 19} and not kinds - {"-"}


def _ends(text: str, place: int) -> bool:
    """Whether no word goes on here."""
    return not _LETTER.match(text, place) or _AFTER.match(text, place) is not None


def _digits(chain: list[Group]) -> int:
    return sum(end - start for start, end in chain)
