"""What crosses the border between the dialogue engine and the product. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

# Questions that no intent answers are marked with this category in data sets.
OUTSIDE = "oos"


class DialogueError(Exception):
    """Data, a flow or a model that the dialogue engine cannot work with; `code` is stable."""

    code = "dialogue_error"


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance and what it is about."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """An intent and how probable it is, from 0 to 1."""

    intent: str
    probability: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of a text: intents, the likeliest first, and whether it is about none of them.

    `outside` is from 0 (like what was trained on) to 1 (like nothing that was); `is_outside` compares it with the
    threshold that was chosen with the model.
    """

    ranked: tuple[Ranked, ...] = ()
    outside: float = 0.0
    is_outside: bool = False

    @property
    def best(self) -> Ranked:
        return self.ranked[0] if self.ranked else Ranked("", 0.0)


@dataclass(frozen=True, slots=True)
class Entity:
    """A datum at a place of the text.

    `value` is how a program reads it: an amount as a decimal number with `unit` its currency (ISO 4217, empty if none
    is said), a date as 2026-11-26 or 2026-11-01/2026-11-30, numbers of cards and accounts without separators.
    """

    kind: str
    start: int
    end: int
    text: str
    value: str
    unit: str = ""
