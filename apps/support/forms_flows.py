"""Forms of the flow editor: a step, a slot, an answer, a flow; `act` says what is done with it."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.support.services.flows.editing import KINDS
from apps.support.services.flows.texts import pairs
from ml.dialogue.flows.model import KINDS as SLOT_KINDS

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
LONGEST_TEXT = 4_000
LANGUAGES_HELP = _("A line for each language, such as en: …; without one it is said to everybody.")
STEP_KINDS = (
    ("ask", _("Ask for a slot")),
    ("say", _("Say something")),
    ("call", _("Call a system")),
    ("if", _("Condition")),
    ("hand_over", _("Pass to a person")),
)
SLOT_KIND_WORDS = {
    "amount": _("an amount of money"),
    "date": _("a date"),
    "number": _("a number"),
    "card": _("a card's number"),
    "iban": _("an IBAN"),
    "account": _("an account's number"),
    "sort_code": _("a sort code"),
    "last_four": _("the last four digits of a card"),
    "email": _("an e-mail address"),
    "phone": _("a telephone number"),
    "national_id": _("a national id"),
    "text": _("any text"),
    "choice": _("one of some choices"),
    "yes_no": _("yes or no"),
}


def _lines(label: Any, *, required: bool = False, help_text: Any = "", most: int = LONGEST_TEXT) -> forms.CharField:
    return forms.CharField(
        label=label, required=required, max_length=most, widget=forms.Textarea({"rows": 2}), help_text=help_text
    )


class StepForm(forms.Form):
    """One step; `path` names its place."""

    path = forms.CharField(widget=forms.HiddenInput, max_length=300)
    act = forms.ChoiceField(
        choices=[(name, name) for name in ("save", "add", "remove", "up", "down", "else", "failed")],
        widget=forms.HiddenInput,
    )
    kind = forms.ChoiceField(label=_("Step"), choices=STEP_KINDS, required=False)
    value = _lines(
        _("What"),
        help_text=_(
            "A slot to ask for, words to say (a line for each language, such as en: …), a system to call, a condition,"
            " or why a person is needed."
        ),
    )
    inputs = _lines(_("Inputs"), help_text=_("A line for each, such as card: {last_four}."))
    outputs = _lines(_("Kept from the answer"), help_text=_("A line for each, such as reference: number."))

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        says = values.get("kind") in KINDS and values.get("value")
        if values.get("act") in {"save", "add", "else", "failed"} and not says:
            self.add_error("value", _("Say what the step does."))
        for name in ("inputs", "outputs"):
            lines = [line for line in values.get(name, "").splitlines() if line.strip()]
            if len(pairs("\n".join(lines))) != len(lines):
                self.add_error(name, _("Each line is a name, a colon and a value, and no name stands twice."))
        return values


class SlotForm(forms.Form):
    """What a flow wants to know; `flow` and `before` (the slot's name, empty for a new one) say which."""

    # What is needed to save, though not to remove.
    asked = ("name", "kind", "ask")
    flow = forms.CharField(widget=forms.HiddenInput, max_length=64)
    before = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    act = forms.ChoiceField(choices=[(name, name) for name in ("save", "remove")], widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("Name"), max_length=64, required=False, help_text=_("As steps call it: small letters, digits and _.")
    )
    kind = forms.ChoiceField(
        label=_("What it is"), choices=[(kind, SLOT_KIND_WORDS[kind]) for kind in SLOT_KINDS], required=False
    )
    ask = _lines(_("Question"), help_text=LANGUAGES_HELP)
    invalid = _lines(_("Where the answer does not fit"))
    choices = _lines(_("Choices"), help_text=_("A line for each, with the words that mean it: home: house, flat."))
    minimum = forms.CharField(label=_("At least"), max_length=20, required=False)
    maximum = forms.CharField(label=_("At most"), max_length=20, required=False)
    when = forms.ChoiceField(
        label=_("When"),
        choices=[("", _("any day")), ("past", _("in the past")), ("future", _("in the future"))],
        required=False,
    )
    pattern = forms.CharField(
        label=_("Pattern"), max_length=200, required=False, help_text=_("A regular expression for a text.")
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("act") != "save":
            return values
        if not values.get("before") and not NAME.fullmatch(values.get("name", "")):
            self.add_error("name", _("A name has small letters, digits and _, and begins with a letter."))
        for name in ("kind", "ask"):
            if not values.get(name):
                self.add_error(name, _("A slot has a kind and a question."))
        for name in ("minimum", "maximum"):
            if values.get(name) and not _is_number(values[name]):
                self.add_error(name, _("This is not a number."))
        return values


class AnswerForm(forms.Form):
    """A fixed reply to an intent; `before` is the intent, empty for a new one."""

    asked = ("intent", "text")
    before = forms.CharField(widget=forms.HiddenInput, max_length=80, required=False)
    act = forms.ChoiceField(choices=[(name, name) for name in ("save", "remove")], widget=forms.HiddenInput)
    intent = forms.CharField(label=_("Intent"), max_length=80, required=False)
    text = _lines(_("Answer"), help_text=LANGUAGES_HELP)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("act") == "save":
            if not values.get("before") and not values.get("intent"):
                self.add_error("intent", _("Name the intent that is answered."))
            if not values.get("text"):
                self.add_error("text", _("Say what the answer is."))
        return values


class FlowForm(forms.Form):
    """A flow as a whole; `before` is its name, empty for a new one."""

    asked = ("name", "title")
    before = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    act = forms.ChoiceField(choices=[(name, name) for name in ("save", "remove")], widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("Name"), max_length=64, required=False, help_text=_("Small letters, digits and _: it stays.")
    )
    title = _lines(_("Title"), most=400, help_text=LANGUAGES_HELP)
    intents = forms.CharField(
        label=_("Intents that begin it"), max_length=1_000, required=False, help_text=_("With commas between them.")
    )

    def clean_intents(self) -> list[str]:
        return [name for each in self.cleaned_data["intents"].split(",") if (name := each.strip())]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("act") == "save":
            if not values.get("before") and not NAME.fullmatch(values.get("name", "")):
                self.add_error("name", _("A name has small letters, digits and _, and begins with a letter."))
            if not values.get("title"):
                self.add_error("title", _("A flow has a title: visitors read it where it is asked which one is meant."))
        return values


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
