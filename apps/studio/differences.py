"""What differs between two versions: texts line by line, everything else as it was and is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Beyond it comparing costs more than it shows; the texts then stand side by side as they are.
MOST_LINES = 2_000
LABELS: dict[str, Promise] = {
    "system": _("What the model is"),
    "prompt": _("Prompt"),
    "variables": _("Variables"),
    "examples": _("Examples"),
    "model_name": _("Model"),
    "sampling": _("Sampling"),
    "max_tokens": _("Most tokens"),
    "limits": _("Limits"),
    "voice": _("Brand voice"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """`kind` is "same", "out" for what was there before, or "in" for what is there now."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    name: str
    label: str | Promise
    lines: tuple[Line, ...]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The fields that differ, in the order of `after`; fields that are no texts as JSON."""
    return [
        Difference(name, LABELS.get(name, name), compared(as_text(before.get(name)), as_text(after[name])))
        for name in after
        if before.get(name) != after[name]
    ]


def compared(before: str, after: str) -> tuple[Line, ...]:
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > MOST_LINES:
        return (*(Line("out", line) for line in old), *(Line("in", line) for line in new))
    lines: list[Line] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [Line("same", line) for line in old[a:b]]
            continue
        lines += [Line("out", line) for line in old[a:b]]
        lines += [Line("in", line) for line in new[c:d]]
    return tuple(lines)


def as_text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return "\n".join(json.dumps(item, ensure_ascii=False) for item in value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False)
