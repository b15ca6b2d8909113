"""Measured features of a voice in words: what each number is, and how it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Measure:
    label: str | Promise
    value: str
    help: str | Promise = ""


def measures(features: Mapping[str, Any]) -> list[Measure]:
    """What was measured, as rows of a table; what a language has no number for is left out."""
    zh = features["language"] == "zh"
    person = features["person"]
    rows = [
        Measure(_("Language"), "中文" if zh else "English"),
        Measure(_("Characters") if zh else _("Words"), f"{features['words']:,}"),
        Measure(_("Sentences"), f"{features['sentences']:,}"),
        Measure(
            _("Characters a sentence") if zh else _("Words a sentence"),
            f"{features['sentence_words']:.1f}",
            _("Nine of ten sentences have no more than %(n)s.") % {"n": features["longest_usual_sentence"]},
        ),
    ]
    if features["readability"] is not None:
        rows.append(
            Measure(_("Readability"), f"{features['readability']:.0f}", _("Flesch reading ease: 60 and more is plain."))
        )
    rows.append(Measure(_("Formality"), f"{features['formality']:.0f}", _("From 0, chatty, to 100, official.")))
    names = {"i": _("Says “I”"), "we": _("Says “we”"), "you": _("Says “you”")}
    rows += [Measure(label, _percent(person.get(who, 0)), _("of sentences")) for who, label in names.items()]
    rows.append(Measure(_("Passive voice"), _percent(features["passive"]), _("of sentences")))
    rows.append(Measure(_("Questions"), _percent(features["questions"]), _("of sentences")))
    rows.append(Measure(_("Exclamations"), _percent(features["exclamations"]), _("of sentences")))
    if features["contractions"] is not None:
        rows.append(Measure(_("Contractions"), f"{features['contractions']:.1f}", _("in a hundred words")))
    rows.append(Measure(_("Emoji"), f"{features['emoji']:.1f}", _("in a hundred words")))
    rows += [
        Measure(label, f"{features['punctuation'].get(name, 0):.1f}", _("in a hundred words"))
        for name, label in (("comma", _("Commas")), ("colon", _("Colons")), ("dash", _("Dashes")))
    ]
    if features["terms"]:
        rows.append(Measure(_("Frequent terms"), gettext(", ").join(features["terms"])))
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
