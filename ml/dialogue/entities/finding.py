"""All data of a text that patterns and check digits tell, each place with its best reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from ml.dialogue.entities.amounts import find_amounts
from ml.dialogue.entities.dates import find_dates
from ml.dialogue.types import Entity
from ml.safety.masking import NAMES, PLACEHOLDER
from ml.safety.personal import KINDS, find_personal
from ml.safety.plain import plain

# Behind its name: a number alone may be anything. Letters may stand in front, as some banks have them.
_ACCOUNT = re.compile(
    r"(?:\b(?:account|acct|a/c)\b(?: (?:no|number|num|nr)\b)?|\b(?:konto|cuenta|compte)\b|账号|账户|帐号|帐户|户口)"
    r"(?:[\s:.#是为：-]|\bis\b|号码?){0,6}((?:[A-Za-z]{1,3})?\d(?:[ -]?\d){3,19})(?![\w,.]?\d)",
    re.IGNORECASE,
)
_SORT_CODE = re.compile(r"\bsort ?code:?(?: is)? ?(\d\d[ -]?\d\d[ -]?\d\d)(?!\d)", re.IGNORECASE)
_LAST_FOUR = re.compile(
    r"(?:\b(?:ending|ends)(?: (?:in|with))?|\blast (?:four|4)(?: digits)?(?: are| is)?|尾号|末四位)[\s:是为：]{0,3}"
    r"(\d{4})(?!\d)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,])\d{1,12}(?:\.\d+)?(?![\w]|[.,]\d)")
_KINDS = frozenset(KINDS)
# What was masked before it was read: the placeholder is the value, and whoever runs an action puts the datum back.
_MASKED = {name: kind for kind, name in NAMES.items()}


def find_entities(text: str, today: date, day_first: bool = True) -> tuple[Entity, ...]:
    """Entities from left to right, none over another.

    `kind` is card, iban, national_id, email, phone, ip, account, sort_code, last_four, date, amount or number. What has
    check digits is surest, then what is named, then dates, amounts, and numbers by themselves.
    """
    meant = plain(text)
    taken: list[Entity] = []
    for found in _readings(meant.text, today, day_first):
        if not any(found.start < other.end and other.start < found.end for other in taken):
            taken.append(found)
    placed = ((meant.span(found.start, found.end), found) for found in sorted(taken, key=lambda each: each.start))
    return tuple(
        Entity(found.kind, start, end, text[start:end], found.value, found.unit) for (start, end), found in placed
    )


def _readings(text: str, today: date, day_first: bool) -> Iterator[Entity]:
    """In the order in which they are believed."""
    personal = [_entity(each.kind, text, each.start, each.end) for each in find_personal(text, _KINDS)]
    for match in PLACEHOLDER.finditer(text):
        yield Entity(_MASKED[match.group(1)], match.start(), match.end(), match.group(), match.group())
    yield from (each for each in personal if each.kind != "phone")
    for kind, pattern in (("sort_code", _SORT_CODE), ("account", _ACCOUNT), ("last_four", _LAST_FOUR)):
        for match in pattern.finditer(text):
            yield _entity(kind, text, *match.span(1))
    yield from (each for each in personal if each.kind == "phone")
    yield from find_dates(text, today, day_first)
    yield from find_amounts(text)
    for match in _NUMBER.finditer(text):
        yield Entity("number", match.start(), match.end(), match.group(), match.group())


def _entity(kind: str, text: str, start: int, end: int) -> Entity:
    return Entity(kind, start, end, text[start:end], _compact(kind, text[start:end]))


def _compact(kind: str, text: str) -> str:
    """Without what sets groups apart; a telephone number keeps its plus."""
    if kind in {"email", "ip"}:
        return text.lower()
    if kind == "phone":
        return re.sub(r"[^\d+]", "", text)
    return re.sub(r"[^A-Za-z0-9]", "", text).upper()
