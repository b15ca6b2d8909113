"""A policy, and what it finds in a text: each finding with its rule, its place and what is to be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ml.safety.folding import fold
from ml.safety.personal import find_personal
from ml.safety.terms import TermList, find_terms

Action = Literal["off", "mark", "mask", "block"]
Side = Literal["prompt", "output"]
# From what does least to what does most.
ACTIONS: tuple[Action, ...] = ("off", "mark", "mask", "block")
TERMS, PERSONAL, CLASSIFIER, LENGTH = "terms", "personal", "classifier", "length"


@dataclass(frozen=True, slots=True)
class Length:
    """How many characters a text may have; None means any number."""

    most: int | None = None
    action: Action = "block"


@dataclass(frozen=True, slots=True)
class Scored:
    """What an own classifier says of a text from 0 to 1, and from where on something is done about it."""

    threshold: float
    prompt: Action = "off"
    output: Action = "off"


@dataclass(frozen=True, slots=True)
class Ruled:
    """One list of terms, and what becomes of its terms on each side."""

    terms: TermList
    prompt: Action = "off"
    output: Action = "off"


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that is checked. `personal` are kinds of personal data; `restores` puts them back at the end."""

    lists: tuple[Ruled, ...] = ()
    personal: frozenset[str] = frozenset()
    personal_prompt: Action = "off"
    personal_output: Action = "off"
    restores: bool = False
    classifier: Scored | None = None
    prompt_length: Length = field(default_factory=Length)
    output_length: Length = field(default_factory=Length)

    def changes_output(self) -> bool:
        """Whether a text may be another when it is finished: then nobody may read it before."""
        actions = [rule.output for rule in self.lists]
        actions += [self.personal_output] if self.personal else []
        actions += [self.classifier.output] if self.classifier else []
        actions += [self.output_length.action] if self.output_length.most is not None else []
        restores = self.restores and bool(self.personal) and self.personal_prompt == "mask"
        return restores or any(action in ("mask", "block") for action in actions)

    def is_empty(self, side: Side) -> bool:
        """Whether nothing is looked for on a side."""
        prompt = side == "prompt"
        actions = [rule.prompt if prompt else rule.output for rule in self.lists]
        if self.personal:
            actions.append(self.personal_prompt if prompt else self.personal_output)
        if self.classifier:
            actions.append(self.classifier.prompt if prompt else self.classifier.output)
        length = self.prompt_length if prompt else self.output_length
        return length.most is None and all(action == "off" for action in actions)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found: `name` is the list, the kind of datum, the score, or the length; the place is in characters.

    It holds none of the text itself, so that it may be kept and shown to whoever may not see that.
    """

    rule: str
    name: str
    action: Action
    start: int
    end: int


def check(policy: Policy, text: str, side: Side, score: float | None = None) -> list[Finding]:
    """What the policy finds in a text, from left to right; what concerns the whole of it stands first."""
    whole = list(_of_the_whole(policy, text, side, score))
    parts = sorted(_of_parts(policy, text, side), key=lambda found: (found.start, -found.end))
    return whole + parts


def strongest(findings: list[Finding]) -> Action:
    """The most that is to be done about any of them."""
    return max((found.action for found in findings), key=ACTIONS.index, default="off")


def _of_the_whole(policy: Policy, text: str, side: Side, score: float | None) -> Iterator[Finding]:
    length = policy.prompt_length if side == "prompt" else policy.output_length
    if length.most is not None and len(text) > length.most:
        yield Finding(LENGTH, f"{len(text)}/{length.most}", length.action, length.most, len(text))
    scored = policy.classifier
    if scored is not None and score is not None and score >= scored.threshold:
        action = scored.prompt if side == "prompt" else scored.output
        if action != "off":
            yield Finding(CLASSIFIER, f"{score:.2f}", action, 0, len(text))


def _of_parts(policy: Policy, text: str, side: Side) -> Iterator[Finding]:
    rules = [(rule, rule.prompt if side == "prompt" else rule.output) for rule in policy.lists]
    if any(action != "off" for _, action in rules):
        folded = fold(text)
        for rule, action in rules:
            if action != "off":
                for term in find_terms(folded, rule.terms.terms):
                    yield Finding(TERMS, rule.terms.name, action, term.start, term.end)
    action = policy.personal_prompt if side == "prompt" else policy.personal_output
    if policy.personal and action != "off":
        for datum in find_personal(text, policy.personal):
            yield Finding(PERSONAL, datum.kind, action, datum.start, datum.end)
