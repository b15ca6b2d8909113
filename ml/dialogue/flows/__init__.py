"""Flows: what the bot asks, checks, looks up and does for an intent, written as YAML."""

from ml.dialogue.flows.conditions import Condition
from ml.dialogue.flows.model import Ask, Call, Flow, Flows, HandOver, Jump, JumpUnless, Say, Slot, Text
from ml.dialogue.flows.parsing import FlowError, Problem, parse_flows

__all__ = [
    "Ask",
    "Call",
    "Condition",
    "Flow",
    "FlowError",
    "Flows",
    "HandOver",
    "Jump",
    "JumpUnless",
    "Problem",
    "Say",
    "Slot",
    "Text",
    "parse_flows",
]
