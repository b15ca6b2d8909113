"""Safety: what an organization has checked in prompts and outputs."""

from apps.studio.services.safety.classifiers import (
    TRAIN,
    carry_out,
    fail,
    read_examples,
    train_classifier,
)
from apps.studio.services.safety.guarding import (
    WITHHELD,
    Examined,
    Guard,
    check_output,
    check_prompt,
    examine_output,
    guard_prompt,
    mark_generation,
    try_text,
)
from apps.studio.services.safety.policies import MANAGE, InForce, change_policy, current_policy, policy_in_force
from apps.studio.services.safety.rules import Rules, policy_of
from apps.studio.services.safety.storing import Masker, unmasked

__all__ = [
    "MANAGE",
    "TRAIN",
    "WITHHELD",
    "Examined",
    "Guard",
    "InForce",
    "Masker",
    "Rules",
    "carry_out",
    "change_policy",
    "check_output",
    "check_prompt",
    "current_policy",
    "examine_output",
    "fail",
    "guard_prompt",
    "mark_generation",
    "policy_in_force",
    "policy_of",
    "read_examples",
    "train_classifier",
    "try_text",
    "unmasked",
]
