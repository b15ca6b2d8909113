"""A form for each kind of setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.support import automation
from apps.support.canned import NAMES
from apps.support.editors.base import PLAIN, SettingForm
from apps.support.editors.choices import Choices
from apps.support.editors.hours import HoursForm
from apps.support.editors.rules import action_rows, condition_rows
from apps.support.editors.times import PromiseField
from apps.support.forms import LinesField
from apps.support.models import AttributeKind, AttributeOf

COLOURS = (
    (0, _("Grey")),
    (1, _("Teal")),
    (2, _("Green")),
    (3, _("Amber")),
    (4, _("Red")),
    (5, _("Plum")),
    (6, _("Blue")),
    (7, _("Brown")),
)


class SlaForm(SettingForm):
    name = forms.CharField(label=_("Name"), max_length=80)
    first_reply = PromiseField(label=_("First reply within"))
    next_reply = PromiseField(label=_("Further replies within"))
    resolution = PromiseField(label=_("Resolved within"))
    in_hours = forms.BooleanField(label=_("Only business hours count"), required=False, initial=True)


class LabelForm(SettingForm):
    title = forms.CharField(label=_("Title"), max_length=40)
    about = forms.CharField(label=_("What it is for"), max_length=200, required=False)
    colour = forms.TypedChoiceField(
        label=_("Colour"), choices=COLOURS, coerce=int, initial=0, widget=forms.RadioSelect({"class": "label-colour"})
    )


class CannedForm(SettingForm):
    code = forms.CharField(
        label=_("Short code"),
        max_length=40,
        widget=forms.TextInput(PLAIN),
        help_text=_("One word; / and this word bring the text while an answer is written."),
    )
    content = forms.CharField(
        label=_("Text"),
        max_length=5_000,
        widget=forms.Textarea({"rows": 8}),
        help_text=_("Names in double braces, such as {{contact.name}}, are filled in."),
    )
    places = NAMES


class MacroForm(SettingForm):
    name = forms.CharField(label=_("Name"), max_length=80)
    wide = True

    def rows_of(self, data: Any, initial: Mapping[str, Any]) -> dict[str, Any]:
        self.known = Choices.load()
        return {"actions": action_rows(data, initial.get("actions", []), self.known)}

    def values(self) -> dict[str, Any]:
        return super().values() | {"actions": self.sets["actions"].values()}


class RuleForm(SettingForm):
    name = forms.CharField(label=_("Name"), max_length=80)
    event = forms.ChoiceField(label=pgettext_lazy("a rule", "When"), choices=list(automation.EVENTS.items()))
    about = forms.CharField(label=_("What it is for"), max_length=500, required=False)
    active = forms.BooleanField(label=_("Switched on"), required=False, initial=True)
    position = forms.IntegerField(
        label=_("Place in the order"),
        min_value=0,
        max_value=10_000,
        initial=0,
        help_text=_("Rules with a lower number come first."),
    )
    wide = True

    def rows_of(self, data: Any, initial: Mapping[str, Any]) -> dict[str, Any]:
        self.known = Choices.load()
        return {
            "conditions": condition_rows(data, initial.get("conditions", []), self.known),
            "actions": action_rows(data, initial.get("actions", []), self.known),
        }

    def values(self) -> dict[str, Any]:
        return super().values() | {name: self.sets[name].values() for name in ("conditions", "actions")}


class AttributeForm(SettingForm):
    name = forms.CharField(label=_("Name"), max_length=80)
    of = forms.ChoiceField(label=_("Belongs to"), choices=AttributeOf.choices)
    key = forms.CharField(
        label=_("Name for programs"),
        max_length=60,
        widget=forms.TextInput(PLAIN),
        help_text=_("Letters, digits, points, - and _."),
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=AttributeKind.choices)
    choices = LinesField(
        label=_("Values of the list"), required=False, help_text=_("One on each line, where it is one of a list.")
    )
    about = forms.CharField(label=_("What it is for"), max_length=500, required=False)


FORMS: dict[str, type[SettingForm]] = {
    "hours": HoursForm,
    "sla": SlaForm,
    "label": LabelForm,
    "canned": CannedForm,
    "macro": MacroForm,
    "rule": RuleForm,
    "attribute": AttributeForm,
}
