"""Findings in a text as parts of it, for pages that mark them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.studio.models import Generation

RULES: dict[str, Promise] = {
    "terms": _("blocked term"),
    "personal": _("personal data"),
    "classifier": _("classifier"),
    "length": _("length"),
    "unchecked": _("could not be checked"),
}
KINDS: dict[str, Promise] = {
    "email": _("e-mail address"),
    "phone": _("telephone number"),
    "card": _("payment card"),
    "iban": _("bank account (IBAN)"),
    "national_id": _("national id"),
    "ip": _("IP address"),
}
ACTIONS: dict[str, Promise] = {
    "off": _("nothing"),
    "mark": _("mark it"),
    "mask": _("mask it"),
    "block": _("refuse the text"),
}
DONE: dict[str, Promise] = {"mark": _("marked"), "mask": _("masked"), "block": _("refused")}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text, and in words what was found there; empty where nothing was."""

    text: str
    words: str = ""
    action: str = ""


def words_of(finding: Mapping[str, Any]) -> str:
    """What was found and what became of it, such as `personal data: e-mail address, masked`."""
    name = KINDS.get(finding["name"], finding["name"])
    what = f"{RULES.get(finding['rule'], finding['rule'])}: {name}" if name else str(RULES[finding["rule"]])
    return f"{what}, {DONE.get(finding['action'], finding['action'])}"


def parts_of(text: str, findings: Iterable[Mapping[str, Any]]) -> list[Part]:
    """The text in parts; of findings that overlap the first is marked, and what concerns the whole is in no part."""
    parts, done = list[Part](), 0
    for finding in sorted(findings, key=lambda each: (each["start"], -each["end"])):
        start, end = finding["start"], min(finding["end"], len(text))
        if start < done or end <= start or finding["rule"] in {"classifier", "unchecked"}:
            continue
        if start > done:
            parts.append(Part(text[done:start]))
        parts.append(Part(text[start:end], words_of(finding), finding["action"]))
        done = end
    return [*parts, Part(text[done:])] if done < len(text) else parts


@dataclass(frozen=True, slots=True)
class Found:
    """What the safety rules found in a generation: in words, and its output in parts where one of them is marked."""

    prompt: list[str]
    output: list[str]
    parts: list[Part]


def found_in(generation: Generation) -> Found | None:
    """For the page of a generation; None where nothing was found."""
    if not generation.findings:
        return None
    prompt, output = generation.findings.get("prompt", []), generation.findings.get("output", [])
    marked = [each for each in output if each["action"] != "block"]
    return Found(
        list(dict.fromkeys(words_of(each) for each in prompt)),
        list(dict.fromkeys(words_of(each) for each in output)),
        parts_of(generation.text, marked) if marked else [],
    )
