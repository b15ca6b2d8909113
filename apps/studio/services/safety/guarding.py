"""What happens to a prompt before it is written down, and to an output before anybody may rely on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import crypto, events, tenancy
from apps.studio.errors import ContentRefused
from apps.studio.marks import KINDS, RULES
from apps.studio.models import Generation, SafetyPolicy
from apps.studio.requests import GenerationSpec
from apps.studio.services.safety.classifiers import score
from apps.studio.services.safety.policies import MANAGE, InForce, policy_in_force, policy_with
from ml.safety import Finding, Originals, Policy, Side, check, mask, put_back, strongest
from ml.text.brief import Brief
from ml.types import Message

log = structlog.get_logger(__name__)
WITHHELD = "content_filter"
# An output that could not be checked is not given out either.
UNCHECKED = Finding("unchecked", "", "block", 0, 0)


@dataclass(frozen=True, slots=True)
class Guard:
    """The policy that a request came under: what it found in the prompt, and what it masked there."""

    policy_id: UUID
    holds_back: bool
    findings: list[dict[str, Any]] = field(default_factory=list)
    originals: dict[str, str] = field(default_factory=dict)
    # For what else is written down of the request: the same datum has the same placeholder there.
    policy: Policy = field(default_factory=Policy)
    shared: Originals = field(default_factory=Originals)

    def clean(self, text: str) -> str:
        """A text of the same request as it may be kept beside the prompt, which was not refused."""
        return mask(text, check(self.policy, text, "prompt"), self.shared).text


@dataclass(frozen=True, slots=True)
class Examined:
    """An output as it may be read: empty where it is withheld."""

    text: str
    findings: list[dict[str, Any]]
    is_withheld: bool = False


def guard_prompt(
    actor: Actor, spec: GenerationSpec, read: tuple[InForce | None] | None = None
) -> tuple[GenerationSpec, Guard | None]:
    """The request as it may be written down. Raises ContentRefused, naming the rule; and then nothing is kept of it.

    `read` is the policy in force, or that there is none, where the caller has read it.

    Everything that was typed is masked together, so that the same datum has the same placeholder everywhere.
    """
    [found] = read or (policy_in_force(actor.organization_id),)
    if found is None:
        return spec, None
    policy_id, policy = found
    guard = Guard(policy_id, policy.changes_output(), policy=policy)
    if policy.is_empty("prompt"):
        return spec, guard
    originals = Originals()
    for text in _texts(spec):
        originals.reserve(text)
    findings: list[dict[str, Any]] = []

    def masked(text: str, place: str) -> str:
        here = _examine(actor.organization_id, policy_id, policy, text, "prompt")
        if strongest(here) == "block":
            _refuse(actor, policy_id, here, place)
        result = mask(text, here, originals)
        findings.extend(asdict(each) | {"place": place} for each in result.findings)
        return result.text

    messages = tuple(
        Message(message.role, masked(message.content, f"messages.{index}"))
        for index, message in enumerate(spec.messages)
    )
    prompt = masked(spec.prompt, "prompt") if spec.prompt is not None else None
    clean = replace(spec, messages=messages, prompt=prompt, brief=_masked_brief(spec.brief, policy, originals))
    if clean.sources is not None and clean.sources.variables:
        variables = masked_values(clean.sources.variables, policy, originals)
        clean = replace(clean, sources=replace(clean.sources, variables=variables))
    kept = originals.by_placeholder if policy.restores else {}
    return clean, replace(guard, findings=findings, originals=kept, shared=originals)


def check_prompt(actor: Actor, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages as they may be written down; raises ContentRefused."""
    return guard_prompt(actor, GenerationSpec(messages=tuple(messages)))[0].messages


def check_output(organization_id: UUID, text: str) -> list[Finding]:
    """What the policy in force finds in a text that is finished."""
    found = policy_in_force(organization_id)
    if found is None:
        return []
    policy_id, policy = found
    return _examine(organization_id, policy_id, policy, text, "output")


def try_text(actor: Actor, text: str, side: Side) -> list[Finding]:
    """What the policy in force finds in a text that somebody tries it on; nothing is noted or kept."""
    actor.require(MANAGE)
    found = policy_in_force(actor.organization_id)
    if found is None:
        return []
    policy_id, policy = found
    return _examine(actor.organization_id, policy_id, policy, text, side)


def mark_generation(generation: Generation, guard: Guard) -> None:
    """Writes into a row that is not saved yet what its prompt came under."""
    generation.safety_policy_id = guard.policy_id
    generation.held_back = guard.holds_back
    generation.findings = {"prompt": guard.findings, "output": []} if guard.findings else None
    if guard.originals:
        crypto.seal_into(generation, "originals", json.dumps(guard.originals))


def examine_output(generation: Generation, text: str) -> Examined:
    """The output of a generation that ends, by the policy that it began under; in the scope of its organization."""
    assert generation.safety_policy_id is not None  # noqa: S101 - asked only of what came under a policy
    try:
        policy = policy_with(generation.safety_policy_id)
        found = _examine(generation.organization_id, generation.safety_policy_id, policy, text, "output")
        if strongest(found) != "block":
            result = mask(text, found, Originals())
            return Examined(_restored(generation, result.text), [asdict(each) for each in result.findings])
    except Exception:
        # Whatever it was: the work is settled all the same, and what nobody has checked is given to nobody.
        log.exception("output not checked", generation=str(generation.pk))
        found = [UNCHECKED]
    blocking = [asdict(replace(each, start=0, end=0)) for each in found if each.action == "block"]
    rules = ", ".join(sorted({each["rule"] for each in blocking}))
    events.record("safety.output_withheld", generation.pk, {"rules": rules, "policy": str(generation.safety_policy_id)})
    return Examined("", blocking, is_withheld=True)


def _examine(organization_id: UUID, policy_id: UUID, policy: Policy, text: str, side: Side) -> list[Finding]:
    return check(policy, text, side, _score(organization_id, policy_id, policy, text, side))


def _score(organization_id: UUID, policy_id: UUID, policy: Policy, text: str, side: Side) -> float | None:
    """What the classifier says, where it is asked on this side."""
    scored = policy.classifier
    if scored is None or (scored.prompt if side == "prompt" else scored.output) == "off":
        return None
    with tenancy.scope(organization_id):
        classifier_id = SafetyPolicy.objects.values_list("classifier_id", flat=True).get(pk=policy_id)
        return score(classifier_id, text)


def _refuse(actor: Actor, policy_id: UUID, findings: list[Finding], place: str) -> None:
    """Notes that something was refused, by which rule, and nothing of what it was."""
    first = next(each for each in findings if each.action == "block")
    with tenancy.scope(actor.organization_id):
        policy = SafetyPolicy.objects.get(pk=policy_id)
        audit.record(actor, "safety.prompt_refused", policy, rule=first.rule, name=first.name)
        events.record("safety.prompt_refused", policy_id, {"rule": first.rule, "name": first.name})
    raise ContentRefused(
        "Your organization's safety rules refuse this text (%(rule)s: %(name)s).",
        values={"rule": RULES[first.rule], "name": KINDS.get(first.name, first.name)},
        param=place,
    )


def _texts(spec: GenerationSpec) -> list[str]:
    return [message.content for message in spec.messages] + ([spec.prompt] if spec.prompt is not None else [])


def _masked_brief(brief: Brief | None, policy: Policy, originals: Originals) -> Brief | None:
    """The form's fields, whose words stand in the messages: masked alike, and never refused a second time."""
    if brief is None:
        return None
    return Brief(**masked_values(asdict(brief), policy, originals))


def masked_values(values: Any, policy: Policy, originals: Originals) -> Any:
    """Every text in JSON, masked; names of fields stay, and nothing is refused."""
    if isinstance(values, str):
        return mask(values, check(policy, values, "prompt"), originals).text
    if isinstance(values, dict):
        return {name: masked_values(value, policy, originals) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(masked_values(value, policy, originals) for value in values)
    return values


def _restored(generation: Generation, text: str) -> str:
    kept = crypto.unseal_from(generation, "originals")
    return put_back(text, json.loads(kept)) if kept else text
