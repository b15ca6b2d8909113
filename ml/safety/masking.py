"""Placeholders for what is masked, the same for the same datum in all messages of a request, and putting back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ml.safety.checks import LENGTH, PERSONAL, Finding

NAMES = {
    "email": "EMAIL",
    "phone": "PHONE",
    "card": "CARD",
    "iban": "IBAN",
    "national_id": "ID",
    "ip": "IP",
}
REMOVED = "[REMOVED]"
PLACEHOLDER = re.compile(rf"\[({'|'.join(NAMES.values())})_\d{{1,4}}\]")


@dataclass(slots=True)
class Originals:
    """What stands for what, over all texts of one request."""

    by_placeholder: dict[str, str] = field(default_factory=dict)
    _by_datum: dict[tuple[str, str], str] = field(default_factory=dict)
    # Placeholders that somebody has typed themselves stand for nothing, and none is given out a second time.
    taken: set[str] = field(default_factory=set)

    def reserve(self, text: str) -> None:
        """Never gives out a placeholder that stands in the text already."""
        self.taken.update(match.group() for match in PLACEHOLDER.finditer(text))

    def placeholder(self, kind: str, datum: str) -> str:
        known = self._by_datum.get((kind, datum))
        if known:
            return known
        number = 1
        while (made := f"[{NAMES[kind]}_{number}]") in self.taken:
            number += 1
        self.taken.add(made)
        self.by_placeholder[made] = datum
        self._by_datum[kind, datum] = made
        return made


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without what was to be masked; `findings` say where that is in this text, and not in the original."""

    text: str
    findings: list[Finding]


def mask(text: str, findings: Sequence[Finding], originals: Originals) -> Masked:
    """Replaces what is to be masked; the places of all findings are those in the result.

    Personal data become placeholders, terms and scored texts are removed, and what is too long is cut off.
    """
    pieces: list[str] = []
    moved: list[Finding] = []
    done = length = 0
    for found in sorted(findings, key=lambda each: (each.start, -each.end)):
        if found.action != "mask" or found.start < done:
            start = found.start - done + length if found.start >= done else max(0, length - 1)
            moved.append(Finding(found.rule, found.name, found.action, start, start + found.end - found.start))
            continue
        kept = text[done : found.start]
        instead = _instead(found, text[found.start : found.end], originals)
        pieces += [kept, instead]
        length += len(kept)
        moved.append(Finding(found.rule, found.name, found.action, length, length + len(instead)))
        length += len(instead)
        done = found.end
    result = "".join(pieces) + text[done:]
    return Masked(result, [_within(found, len(result)) for found in moved])


def put_back(text: str, by_placeholder: dict[str, str]) -> str:
    """The originals in place of their placeholders; an unknown one stays as it is."""
    return PLACEHOLDER.sub(lambda match: by_placeholder.get(match.group(), match.group()), text)


def _instead(found: Finding, datum: str, originals: Originals) -> str:
    if found.rule == PERSONAL:
        return originals.placeholder(found.name, datum)
    return "" if found.rule == LENGTH else REMOVED


def _within(found: Finding, length: int) -> Finding:
    start, end = min(found.start, length), min(found.end, length)
    return Finding(found.rule, found.name, found.action, start, end)
