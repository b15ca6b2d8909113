"""A flow as the engine runs it: slots, and steps as a flat program, so that a position is one number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ml.dialogue.flows.conditions import Condition

# What a slot may be: kinds of entities, and what only a question makes sense of.
ENTITY_KINDS = (
    "amount", "date", "number", "card", "iban", "account", "sort_code", "last_four", "email", "phone", "national_id",
)  # fmt: skip
KINDS = (*ENTITY_KINDS, "text", "choice", "yes_no")
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in each language that it was written in; `{slot}` stands for a slot's value."""

    by_language: Mapping[str, str]

    def say(self, language: str, values: Mapping[str, str]) -> str:
        """In the language, or its family, or the first one; a slot without a value is left out."""
        family = language.split("-")[0]
        near = next((text for tag, text in self.by_language.items() if tag.split("-")[0] == family), None)
        template = self.by_language.get(language) or near or next(iter(self.by_language.values()))
        return PLACEHOLDER.sub(lambda match: values.get(match.group(1), ""), template)

    def names(self) -> set[str]:
        return {name for text in self.by_language.values() for name in PLACEHOLDER.findall(text)}


@dataclass(frozen=True, slots=True)
class Slot:
    """What the bot wants to know. `minimum` and `maximum` bound amounts and numbers; dates are `past` or `future`."""

    name: str
    kind: str
    ask: Text
    invalid: Text | None = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    when: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    slot: str


@dataclass(frozen=True, slots=True)
class Say:
    text: Text


@dataclass(frozen=True, slots=True)
class Call:
    """An action by its name; `outputs` maps what it returns to slots, `failed` is where to go on if it fails."""

    action: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    failed: int


@dataclass(frozen=True, slots=True)
class JumpUnless:
    condition: Condition
    target: int


@dataclass(frozen=True, slots=True)
class Jump:
    target: int


@dataclass(frozen=True, slots=True)
class HandOver:
    reason: str


Step = Ask | Say | Call | JumpUnless | Jump | HandOver
# A failed call without steps of its own goes here: to a person.
TO_A_PERSON = -1


@dataclass(frozen=True, slots=True)
class Flow:
    """What is done for some intents; it ends behind its last step."""

    name: str
    title: Text
    intents: tuple[str, ...]
    slots: Mapping[str, Slot]
    steps: tuple[Step, ...]

    def asks(self, slot: str) -> Iterator[int]:
        """Where a slot is asked for."""
        return (place for place, step in enumerate(self.steps) if isinstance(step, Ask) and step.slot == slot)


@dataclass(frozen=True, slots=True)
class Flows:
    """One version of all flows; `answers` are fixed replies to intents that need no flow."""

    flows: Sequence[Flow] = ()
    answers: Mapping[str, Text] = field(default_factory=dict)
    version: str = ""

    def named(self, name: str) -> Flow:
        """Raises KeyError."""
        return next(iter(flow for flow in self.flows if flow.name == name), None) or _missing(name)

    def for_intent(self, intent: str) -> Flow | None:
        return next((flow for flow in self.flows if intent in flow.intents), None)


def _missing(name: str) -> Flow:
    raise KeyError(f"there is no flow named {name}")
