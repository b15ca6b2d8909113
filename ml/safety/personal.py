"""Personal data in running text, by form and, where the number has one, by its check digits.

A number without its check digits right is no finding: this tells an order number from a card. Names and street
addresses have no such form and are not looked for here. Which countries' ids are known is in docs/dialogue.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ml.safety import numbers
from ml.safety.cards import cards
from ml.safety.codes import security_codes
from ml.safety.numbers import IBAN_LENGTHS, is_iban
from ml.safety.plain import plain


@dataclass(frozen=True, slots=True)
class PersonalMatch:
    """One datum at a place of the text."""

    kind: str
    start: int
    end: int


Check = Callable[[str], bool]
Finder = Callable[[str], Iterator[tuple[int, int]]]

# Letters and digits that go on a word; ideographs do not, for Chinese is written without spaces.
_WORD = r"A-Za-z0-9_\dÀ-ɏ"
_START, _END = rf"(?<![{_WORD}.+-])", rf"(?![{_WORD}]|-[{_WORD}])"
# Of a number that is written in groups: not another group of a longer one before or behind it.
_ALONE, _LAST = rf"(?<![{_WORD}.+-])(?<!\d[ -])", rf"(?![{_WORD}]|[ -]\d|-[{_WORD}])"
_IBAN_START = re.compile(rf"(?:{_START}|(?<=IBAN)|(?<=iban))[A-Za-z]{{2}}[ \n-]?\d ?\d")
_AFTER = re.compile(_END)
# What parts the groups of an id; a line may end there.
_GAP = r"(?:[ .-]|[ -]?\n ?)"


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    """As many letters and digits from each beginning on as its country's numbers have, whatever stands behind."""
    for match in _IBAN_START.finditer(text):
        wanted = IBAN_LENGTHS.get(match.group()[:2].upper())
        end = _end_of(text, match.start(), wanted) if wanted else None
        if end is not None and is_iban(re.sub(r"[^A-Za-z0-9]", "", text[match.start() : end])):
            yield match.start(), end


def _end_of(text: str, start: int, count: int) -> int | None:
    """Where `count` letters and digits end that at most two signs part; None if the word goes on, or ends."""
    place, gap = start, 0
    while count:
        if place >= len(text):
            return None
        letter = text[place]
        if letter.isascii() and letter.isalnum():
            count -= 1
            gap = 0
        elif letter not in " -.\n/" or gap == 2:
            return None
        else:
            gap += 1
        place += 1
    return place if _AFTER.match(text, place) else None


def _by(pattern: str, is_right: Check, flags: int = re.ASCII) -> Finder:
    """A finder of what has a form and passes a check; of a pattern with a group, that is what is found."""
    compiled = re.compile(pattern, flags)
    group = 1 if compiled.groups else 0

    def find(text: str) -> Iterator[tuple[int, int]]:
        return (match.span(group) for match in compiled.finditer(text) if is_right(match.group(group)))

    return find


def _grouped(is_right: Check) -> Check:
    """The check, for a number that is set apart in groups."""
    return lambda text: is_right(re.sub(r"[^A-Za-z0-9]", "", text))


def _any(text: str) -> bool:
    return True


def _social_security(text: str) -> bool:
    digits = numbers.digits_of(text)
    return numbers.is_social_security(f"{digits[:3]}-{digits[3:5]}-{digits[5:]}")


def _named(words: str, number: str) -> str:
    """A bare number is one of these only behind its name: up to three small words or signs may stand between."""
    between = r"(?:[\s:=#.,*/-]|\b(?:is|no|nr|number|num|are|my|ist|es|è|é)\b|[是为為：号码號碼]){0,12}"
    return rf"(?:(?:\b(?:{words}))|社保号){between}({number}){_END}"


_CHINESE_GAP = rf"{_GAP}?"
_EMAIL = r"(?<![A-Za-z0-9.+%-])[A-Za-z0-9À-ɏ_.+%-]{1,64}@(?:[A-Za-z0-9À-ɏ-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
_HKID = "(?i:hkid|hk id|hong kong id(?:entity)?(?: card)?)"
_SSN = "(?i:ssn|social security|soc sec|itin|social)"
# National ids by country, in docs/dialogue.md in the same order; behind the cards, whose numbers are longer.
_CHINA: tuple[Finder, ...] = (
    _by(
        rf"{_ALONE}\d{{6}}{_CHINESE_GAP}\d{{4}}{_CHINESE_GAP}\d{{4}}{_CHINESE_GAP}\d{{3}}[\dXx]{_LAST}",
        _grouped(numbers.is_chinese_id),
    ),
    _by(rf"身份证[^\d]{{0,6}}(\d{{15}}){_END}", numbers.is_short_chinese_id),
)
_IDS: tuple[Finder, ...] = (
    _by(
        rf"{_ALONE}[12]{_GAP}?\d\d{_GAP}?\d\d{_GAP}?(?:\d\d|2[ABab]){_GAP}?\d{{3}}{_GAP}?\d{{3}}{_GAP}?\d\d{_LAST}",
        _grouped(numbers.is_french_number),
    ),
    _by(rf"{_START}(?:[XYZxyz]{_GAP}?)?\d(?:\.?\d){{6,7}}{_GAP}?[A-Za-z]{_END}", _grouped(numbers.is_spanish_id)),
    _by(rf"{_ALONE}\d{{3}}\.\d{{3}}\.\d{{3}} ?- ?\d\d{_LAST}", numbers.is_brazilian_cpf),
    _by(_named(r"(?i:cpf)", r"\d{11}"), numbers.is_brazilian_cpf),
    _by(rf"{_ALONE}\d{{3}}(?:-\n?|[ .]|\n)\d\d(?:-\n?|[ .]|\n)\d{{4}}{_LAST}", _social_security),
    _by(_named(_SSN, r"\d{3} ?\d\d ?\d{4}"), _social_security),
    _by(rf"{_ALONE}\d\d{_GAP}?\d{{3}}{_GAP}?\d{{3}}{_GAP}?\d{{3}}{_LAST}", numbers.is_german_tax_id),
    _by(rf"{_START}\d{{11}}{_END}", numbers.is_german_tax_id),
    _by(
        rf"{_START}[A-Za-z]{{2}}{_GAP}?\d\d{_GAP}?\d\d{_GAP}?\d\d{_GAP}?[A-Da-d]{_END}",
        numbers.is_british_insurance_number,
    ),
    _by(rf"{_ALONE}\d{{3}}{_GAP}\d{{3}}{_GAP}\d{{4}}{_LAST}", numbers.is_nhs_number),
    _by(_named(r"(?i:nhs)", r"\d{10}"), numbers.is_nhs_number),
    _by(
        rf"{_START}[A-Za-z]{{6}}{_GAP}?\d[\dLMNPQRSTUVlmnpqrstuv][A-Ea-eHLMPRSThlmprst][\dL-Vl-v]{{2}}{_GAP}?"
        rf"[A-Za-z][\dL-Vl-v]{{3}}[A-Za-z]{_END}",
        _grouped(numbers.is_italian_code),
    ),
    _by(rf"{_START}[STFGstfg]\d{{7}}[A-Za-z]{_END}", numbers.is_singaporean_id),
    _by(rf"{_START}[A-Za-z]{{1,2}}\d{{6}} ?\([\dAa]\)", numbers.is_hong_kong_id),
    _by(_named(_HKID, r"[A-Za-z]{1,2}\d{6}[\dAa]"), numbers.is_hong_kong_id),
    _by(rf"{_ALONE}[2-9]\d{{3}}[ -]\n?\d{{4}}[ -]\n?\d{{4}}{_LAST}", numbers.is_aadhaar),
    _by(_named(r"(?i:aadhaar|aadhar|uidai)", r"\d{12}"), numbers.is_aadhaar),
    _by(_named(r"(?i:bsn|burgerservicenummer|sofinummer)", r"\d{4}\.?\d\d\.?\d{3}"), numbers.is_dutch_number),
)  # fmt: skip
_PHONES: tuple[Finder, ...] = (
    _by(rf"{_ALONE}(?:\+|00)[1-9]\d{{0,3}}(?:[ ./-]?\(?\d{{1,5}}\)?){{2,6}}{_END}", numbers.is_phone, 0),
    _by(rf"{_ALONE}\(?0[1-9]\d{{0,4}}[)/ -]{{1,2}}\d{{2,5}}(?:[ -]?\d{{1,5}}){{1,3}}{_END}", numbers.is_area_phone, 0),
    _by(rf"{_ALONE}(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])\d{{3}}[ .-]\d{{4}}{_END}", numbers.is_phone),
    _by(rf"{_ALONE}1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}{_END}", numbers.is_phone),
)
_ADDRESSES: tuple[Finder, ...] = (
    _by(r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?![\w:]|\.\d)", numbers.is_address),
    _by(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])", numbers.is_address, 0),
)
# In this order: what one has taken is not looked at by those behind it.
_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("email", _by(_EMAIL, _any, 0)),
    ("iban", _ibans),
    *(("national_id", finder) for finder in _CHINA),
    ("card", cards),
    *(("national_id", finder) for finder in _IDS),
    *(("ip", finder) for finder in _ADDRESSES),
    *(("phone", finder) for finder in _PHONES),
)
KINDS = ("email", "phone", "card", "iban", "national_id", "ip")


def find_personal(text: str, kinds: frozenset[str]) -> Iterator[PersonalMatch]:
    """Every datum of the kinds that are asked for, from left to right; none overlaps another.

    All kinds are looked for, whichever are wanted, so that a card is no telephone number where cards do not count. A
    card's security code counts as a card.
    """
    meant = plain(text)
    taken: list[PersonalMatch] = []
    for kind, find in _FINDERS:
        _take(taken, kind, find(meant.text))
    found = [(each.start, each.end) for each in taken if each.kind == "card"]
    _take(taken, "card", security_codes(meant.text, found))
    for each in sorted((each for each in taken if each.kind in kinds), key=lambda each: each.start):
        yield PersonalMatch(each.kind, *meant.span(each.start, each.end))


def _take(taken: list[PersonalMatch], kind: str, found: Iterator[tuple[int, int]]) -> None:
    """Adds what overlaps nothing that is taken already."""
    for start, end in found:
        if not any(start < other.end and other.start < end for other in taken):
            taken.append(PersonalMatch(kind, start, end))
