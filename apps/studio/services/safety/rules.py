"""Rules as people and programs write them, checked, as JSON in the table, and as the policy that checks texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from apps.studio.errors import SafetyRulesInvalid
from ml.safety import ACTIONS, KINDS, Action, Length, Policy, Scored, TermList
from ml.safety.checks import Ruled
from ml.safety.terms import problems_of
from ml.words import Words

MOST_LISTS, LONGEST_NAME, MOST_CHARS = 20, 80, 1_000_000


@dataclass(frozen=True, slots=True)
class ListRules:
    """A named list of terms, and what becomes of each of them in prompts and in outputs."""

    name: str
    terms: tuple[str, ...]
    prompt: Action = "off"
    output: Action = "off"


@dataclass(frozen=True, slots=True)
class PersonalRules:
    """Which kinds of personal data are looked for. `restore` puts what was masked in a prompt back into its output."""

    kinds: tuple[str, ...] = ()
    prompt: Action = "off"
    output: Action = "off"
    restore: bool = False


@dataclass(frozen=True, slots=True)
class ClassifierRules:
    """From which score on a classifier's word counts."""

    id: str = ""
    threshold: float = 0.5
    prompt: Action = "off"
    output: Action = "off"


@dataclass(frozen=True, slots=True)
class LengthRules:
    """The most characters; a prompt that is longer is refused, and `output_action` is what becomes of an output."""

    prompt: int | None = None
    output: int | None = None
    output_action: Action = "mark"


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that an organization has checked."""

    lists: tuple[ListRules, ...] = ()
    personal: PersonalRules = field(default_factory=PersonalRules)
    classifier: ClassifierRules = field(default_factory=ClassifierRules)
    length: LengthRules = field(default_factory=LengthRules)

    @classmethod
    def read(cls, given: dict[str, Any]) -> Rules:
        """From what `stored` gives, or from a body that was checked for its types."""
        lists = tuple(ListRules(**{**one, "terms": tuple(one["terms"])}) for one in given.get("lists", ()))
        personal = dict(given.get("personal") or {})
        personal["kinds"] = tuple(personal.get("kinds", ()))
        return cls(
            lists,
            PersonalRules(**personal),
            ClassifierRules(**(given.get("classifier") or {})),
            LengthRules(**(given.get("length") or {})),
        )

    def stored(self) -> dict[str, Any]:
        """As plain JSON."""
        found = asdict(self)
        found["lists"] = [{**one, "terms": list(one["terms"])} for one in found["lists"]]
        found["personal"]["kinds"] = list(self.personal.kinds)
        return found

    @property
    def classifier_id(self) -> UUID | None:
        return UUID(self.classifier.id) if self.classifier.id else None

    def facts(self) -> dict[str, Any]:
        """What the audit log says of them: no term, which may itself be what nobody should read."""
        return {
            "lists": len(self.lists),
            "terms": sum(len(one.terms) for one in self.lists),
            "personal": ", ".join(self.personal.kinds),
            "classifier": self.classifier.id,
        }


def checked(rules: Rules) -> Rules:
    """The rules without what is empty; raises SafetyRulesInvalid, naming the place."""
    for param, problem in _problems(rules):
        raise SafetyRulesInvalid(problem.template, values=problem.values, param=param)
    return rules


def policy_of(rules: Rules) -> Policy:
    """The rules as what checks a text."""
    scored = rules.classifier
    return Policy(
        lists=tuple(Ruled(TermList(one.name, one.terms), one.prompt, one.output) for one in rules.lists),
        personal=frozenset(rules.personal.kinds),
        personal_prompt=rules.personal.prompt,
        personal_output=rules.personal.output,
        restores=rules.personal.restore,
        classifier=Scored(scored.threshold, scored.prompt, scored.output) if scored.id else None,
        prompt_length=Length(rules.length.prompt, "block"),
        output_length=Length(rules.length.output, rules.length.output_action),
    )


def _problems(rules: Rules) -> Iterator[tuple[str, Words]]:
    if len(rules.lists) > MOST_LISTS:
        yield "lists", Words("There may be up to %(most)s lists.", most=MOST_LISTS)
    names = [one.name.strip().casefold() for one in rules.lists]
    for index, one in enumerate(rules.lists):
        if not one.name.strip() or len(one.name) > LONGEST_NAME or names.count(names[index]) > 1:
            yield f"lists.{index}.name", Words("Each list needs a name of its own, of up to 80 characters.")
        if problem := problems_of(one.terms):
            yield f"lists.{index}.terms", problem
    for index, kind in enumerate(rules.personal.kinds):
        if kind not in KINDS:
            yield (
                f"personal.kinds.{index}",
                Words("A kind of personal data is one of %(kinds)s.", kinds=", ".join(KINDS)),
            )
    if rules.classifier.id and not _is_id(rules.classifier.id):
        yield "classifier.id", Words("There is no trained classifier with this id.")
    if not 0 < rules.classifier.threshold <= 1:
        yield "classifier.threshold", Words("A threshold is above 0 and at most 1.")
    yield from _wrong_actions(rules)
    for side, most in (("prompt", rules.length.prompt), ("output", rules.length.output)):
        if most is not None and not 1 <= most <= MOST_CHARS:
            yield f"length.{side}", Words("A length is from 1 to 1,000,000 characters.")


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _wrong_actions(rules: Rules) -> Iterator[tuple[str, Words]]:
    given = [(f"lists.{index}", one.prompt, one.output) for index, one in enumerate(rules.lists)]
    given.append(("personal", rules.personal.prompt, rules.personal.output))
    given.append(("classifier", rules.classifier.prompt, rules.classifier.output))
    for place, prompt, output in given:
        for side, action in (("prompt", prompt), ("output", output)):
            if action not in ACTIONS:
                yield f"{place}.{side}", Words("An action is one of %(actions)s.", actions=", ".join(ACTIONS))
    if rules.length.output_action not in ACTIONS:
        yield "length.output_action", Words("An action is one of %(actions)s.", actions=", ".join(ACTIONS))
    if "mask" in (rules.classifier.prompt, rules.classifier.output):
        yield "classifier", Words("A classifier speaks of the whole text: it marks or blocks.")
