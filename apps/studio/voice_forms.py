"""The form of a brand voice: scales, rules, words and samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.errors import MillraceError
from ml.text.voicing import LONGEST_GUIDANCE, LONGEST_SAMPLE, MAX_SAMPLES, MIDDLE, SLIDERS, STEPS

BETWEEN_SAMPLES = "---"
SCALES: dict[str, tuple[Any, Any, Any]] = {
    "formality": (_("Formality"), _("casual"), _("formal")),
    "warmth": (_("Warmth"), _("factual"), _("warm")),
    "energy": (_("Energy"), _("calm"), _("lively")),
    "complexity": (_("Complexity"), _("plain words"), _("for experts")),
    "humour": (_("Humour"), _("serious"), _("playful")),
}
_RULE = [("", _("As it comes")), ("sparingly", _("Sparingly")), ("never", _("Never"))]
_LINES = {"rows": 4, "placeholder": _("One per line")}


def _area(rows: int, **attrs: Any) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, **attrs})


class VoiceForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    description = forms.CharField(label=_("Description"), max_length=300, required=False)
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As the samples are")), ("en", "English"), ("zh", "中文")],
        help_text=_("In which the model is told of the voice."),
    )
    samples = forms.CharField(
        label=_("Samples"),
        required=False,
        max_length=LONGEST_SAMPLE * MAX_SAMPLES,
        help_text=_("Texts that sound right, at most ten; a line of --- stands between two. They are measured."),
        widget=_area(10),
    )
    words = forms.CharField(
        label=_("Words for the tone"), required=False, max_length=800, help_text=_("Such as: dry, exact, generous.")
    )
    guidance = forms.CharField(
        label=_("In your own words"), required=False, max_length=LONGEST_GUIDANCE, widget=_area(4)
    )
    vocabulary = forms.CharField(
        label=_("Vocabulary"),
        required=False,
        help_text=_("What to say, a sign =, and what not to say: customers = users"),
        widget=_area(4, placeholder=_("One per line")),
    )
    banned = forms.CharField(label=_("Banned terms"), required=False, widget=forms.Textarea(attrs=_LINES))
    required = forms.CharField(label=_("Required terms"), required=False, widget=forms.Textarea(attrs=_LINES))
    person = forms.ChoiceField(
        label=_("Speaks as"),
        required=False,
        choices=[("", _("As it comes")), ("we", _("We")), ("i", _("I")), ("third", _("The company, by its name"))],
    )
    emoji = forms.ChoiceField(label=_("Emoji"), required=False, choices=_RULE)
    exclamations = forms.ChoiceField(label=_("Exclamation marks"), required=False, choices=_RULE)
    contractions = forms.ChoiceField(label=_("Contractions"), required=False, choices=_RULE)
    passive = forms.ChoiceField(label=_("Passive voice"), required=False, choices=[_RULE[0], _RULE[2]])
    longest_sentence = forms.IntegerField(
        label=_("Longest sentence"),
        required=False,
        min_value=0,
        max_value=500,
        help_text=_("In words, in Chinese in characters; empty for no limit."),
    )
    note = forms.CharField(label=_("What changed"), required=False, max_length=200)

    RULES = ("person", "emoji", "exclamations", "contractions", "passive", "longest_sentence")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, low, high) in SCALES.items():
            scale = forms.NumberInput(attrs={"type": "range", "step": 1})
            field = forms.IntegerField(
                label=label, required=False, initial=MIDDLE, min_value=1, max_value=STEPS, widget=scale
            )
            field.low, field.high = low, high  # type: ignore[attr-defined]
            self.fields[f"tone_{name}"] = field

    @property
    def scale_fields(self) -> list[forms.BoundField]:
        return [self[f"tone_{name}"] for name in SLIDERS]

    @property
    def rule_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.RULES]

    def clean_vocabulary(self) -> list[dict[str, str]]:
        found = []
        for line in _lines(self.cleaned_data["vocabulary"]):
            say, sign, instead = line.partition("=")
            if not sign or not say.strip() or not instead.strip():
                raise forms.ValidationError(_("Write each line as: say = not to say"))
            found.append({"say": say.strip(), "instead_of": instead.strip()})
        return found

    def content(self) -> dict[str, Any]:
        """What the valid form says, as a voice's content."""
        data = self.cleaned_data
        steps = {name: data[f"tone_{name}"] for name in SLIDERS}
        tone = {name: step for name, step in steps.items() if step not in {None, MIDDLE}}
        return {
            "language": data["language"],
            "tone": tone,
            "words": [word.strip() for word in data["words"].replace("，", ",").replace("、", ",").split(",")],
            "guidance": data["guidance"],
            "vocabulary": data["vocabulary"],
            "banned": _lines(data["banned"]),
            "required": _lines(data["required"]),
            "samples": samples_of(data["samples"]),
            "longest_sentence": data["longest_sentence"] or 0,
            **{name: data[name] for name in ("person", "emoji", "exclamations", "contractions", "passive")},
        }

    def refuse(self, error: MillraceError) -> None:
        self.add_error(error.param if error.param in self.fields else None, error.shown())


def initial_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """A voice's content as the form shows it."""
    shown = dict(content)
    tone = shown.pop("tone", {})
    return {
        **shown,
        **{f"tone_{name}": tone.get(name, MIDDLE) for name in SLIDERS},
        "words": ", ".join(shown.get("words", [])),
        "banned": "\n".join(shown.get("banned", [])),
        "required": "\n".join(shown.get("required", [])),
        "vocabulary": "\n".join(f"{each['say']} = {each['instead_of']}" for each in shown.get("vocabulary", [])),
        "samples": f"\n{BETWEEN_SAMPLES}\n".join(shown.get("samples", [])),
        "longest_sentence": shown.get("longest_sentence") or None,
    }


def samples_of(text: str) -> list[str]:
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == BETWEEN_SAMPLES:
            parts.append([])
        else:
            parts[-1].append(line)
    return [sample for part in parts if (sample := "\n".join(part).strip())]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
