"""Values for slots: what an answer says, and whether it will do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import regex

from ml.dialogue.flows.model import ENTITY_KINDS, Slot
from ml.dialogue.types import Entity

LONGEST_TEXT = 500
# Before a slot's name: what a tagger that was trained from annotations takes for it.
MARKED = "slot:"
# Whoever writes flows may write a pattern that never ends; while it is tried, nothing else in the process runs.
PATTERN_SECONDS = 0.05
# A kind is also read from entities of these: “50” may be meant as an amount, an amount as a number.
_ALSO = {
    "amount": ("number",),
    "number": ("amount",),
    "last_four": ("number", "amount", "account"),
    "account": ("number", "amount", "phone"),
    "sort_code": ("date", "number"),
}
_YES = re.compile(
    r"\s*(?:yes|yeah|yep|yup|sure|ok(?:ay)?|correct|right|that'?s (?:right|correct)|please do|do it|go ahead"
    r"|confirm(?:ed)?|of course|absolutely|exactly|是的?|对的?|好的?|嗯|行|可以|确认|没错|当然)"
    r"(?:[\s,.!，。！]|请|了|$)",
    re.IGNORECASE,
)
_NO = re.compile(
    r"\s*(?:no|nope|nah|not|don'?t|do not|incorrect|wrong|never|不|否|没有|别|错了?)"
    r"(?:[\s,.!，。！]|是|对|要|用|行|可|了|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A value as it is stored, and the entity that it came from, if it did."""

    value: str
    entity: Entity | None = None


def read_slot(slot: Slot, text: str, entities: Sequence[Entity], is_asked: bool = True) -> Filled | None:
    """What the text says for a slot, valid or not; None if nothing.

    Slots that nobody has asked for are filled only from entities of exactly their kind, and words of their choices.
    What a tagger has learned to be this slot counts first: the words of a text, and for other kinds what stands there.
    """
    marked = [each for each in entities if each.kind == MARKED + slot.name]
    if marked and slot.kind == "text":
        return Filled(marked[-1].value.strip()[:LONGEST_TEXT], marked[-1])
    if marked and slot.kind in ENTITY_KINDS:
        there = [each for each in entities if any(_overlap(each, mark) for mark in marked)]
        if filled := _from_entities(slot.kind, there, is_asked=True):
            return filled
    if slot.kind in ENTITY_KINDS:
        return _from_entities(slot.kind, entities, is_asked)
    if slot.kind == "choice":
        chosen = _choice(slot, text)
        return Filled(chosen) if chosen else None
    if not is_asked:
        return None
    if slot.kind == "yes_no":
        if _YES.match(text):
            return Filled("yes")
        return Filled("no") if _NO.match(text) else None
    return Filled(text.strip()[:LONGEST_TEXT]) if text.strip() else None


def _overlap(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end


def _from_entities(kind: str, entities: Sequence[Entity], is_asked: bool) -> Filled | None:
    kinds = (kind, *(_ALSO.get(kind, ()) if is_asked else ()))
    for each in kinds:
        # The last one said counts: “not 40 but 50”.
        fitting = [entity for entity in entities if entity.kind == each]
        if kind == "amount" and len(fitting) > 1:
            fitting = [entity for entity in fitting if entity.unit] or fitting
        if fitting:
            return Filled(fitting[-1].value, fitting[-1])
    return None


def _choice(slot: Slot, text: str) -> str:
    """The choice whose words stand in the text; nothing if none does or two do."""
    folded = text.lower()
    found = {name for name, words in slot.choices.items() if any(_stands_in(word.lower(), folded) for word in words)}
    number = re.fullmatch(r"\s*(\d)[.)]?\s*", text)
    if not found and number and 1 <= int(number.group(1)) <= len(slot.choices):
        return list(slot.choices)[int(number.group(1)) - 1]
    return found.pop() if len(found) == 1 else ""


def _stands_in(word: str, text: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def is_valid(slot: Slot, value: str, today: date) -> bool:
    """Whether a value is within what the slot allows."""
    if slot.kind == "choice":
        return value in slot.choices
    if slot.kind == "yes_no":
        return value in {"yes", "no"}
    if slot.kind == "last_four" and not re.fullmatch(r"\d{4}", value):
        return False
    if slot.kind == "sort_code" and not re.fullmatch(r"\d{6}", value):
        return False
    if slot.pattern and not _fits(slot.pattern, value):
        return False
    if slot.kind in {"amount", "number"}:
        number = Decimal(value)
        least, most = slot.minimum, slot.maximum
        return (least is None or number >= least) and (most is None or number <= most)
    if slot.kind == "date" and slot.when:
        first, _, last = value.partition("/")
        if slot.when == "past":
            return date.fromisoformat(first) <= today
        return date.fromisoformat(last or first) >= today
    return True


def _fits(pattern: str, value: str) -> bool:
    try:
        return regex.fullmatch(pattern, value, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return False
