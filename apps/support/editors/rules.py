"""Conditions and actions as rows; what they may be is decided by `apps.support.automation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms import formset_factory
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.support import automation
from apps.support.automation import RuleInvalid
from apps.support.editors import choices
from apps.support.editors.base import PLAIN, Row, Rows
from apps.support.editors.choices import ATTRIBUTE, NOTHING, NUMBER, TEXT, Choices

MOST_ROWS = 20
NO_VALUE = _("Say what it is compared with.")
_NONE = [("", _("Choose …"))]


class ValueRow(Row):
    """A row with a value: chosen from what there is, or written."""

    choice = forms.CharField(label=_("Value"), required=False, max_length=300, widget=forms.Select)
    text = forms.CharField(label=_("Or written"), required=False, max_length=automation.LONGEST_VALUE)
    sources: Sequence[str] = ()

    def __init__(self, *args: Any, known: Choices, kept: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known, self.gone = known, set(kept)
        self.fields["choice"].widget.choices = known.options(self.sources, kept)

    def chosen(self, source: str) -> Any:
        """The value from where it comes from; None, and an error beside it, where there is none."""
        choice, text = self.cleaned_data.get("choice", ""), self.cleaned_data.get("text", "")
        if source in (TEXT, NUMBER):
            return text if source == TEXT else self._number(text)
        if choice.partition(":")[0] != source:
            choice = ""
        if choice in self.gone and (stored := choice.partition(":")[2]) and not self._is_known(source, choice):
            return stored
        try:
            return self.known.value(source, choice or text)
        except KeyError:
            group = choices.GROUPS[source]
            self.add_error("choice", gettext("Choose one of these: %(group)s.") % {"group": group})
            return None

    def _is_known(self, source: str, choice: str) -> bool:
        return any(choices.option(source, value) == choice for value in self.known.named[source])

    def _number(self, text: str) -> int | None:
        if text.isdecimal() and len(text) < 7:
            return int(text)
        self.add_error("text", _("This is a whole number."))
        return None


class ConditionRow(ValueRow):
    field = forms.ChoiceField(label=_("What"), required=False, choices=_NONE + list(choices.FIELDS.items()))
    attribute = forms.CharField(
        label=_("Name of the attribute"), required=False, max_length=60, widget=forms.TextInput(PLAIN)
    )
    operator = forms.ChoiceField(label=_("How"), required=False, choices=_NONE + list(choices.OPERATORS.items()))
    sources = choices.OF_CONDITIONS

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.errors or values.get("DELETE") or self.is_blank:
            return values
        name, operator = values["field"], values["operator"]
        if name == ATTRIBUTE:
            name = automation.ATTRIBUTE + values["attribute"] if values["attribute"] else ""
        if not name:
            self.add_error("attribute" if values["field"] else "field", _("Say what it is about."))
            return values
        fitting = automation.OPERATORS[automation.FIELDS.get(name, automation.TEXT)]
        if operator not in fitting:
            words = ", ".join(str(choices.OPERATORS[each]) for each in fitting)
            self.add_error("operator", gettext("What fits this: %(words)s.") % {"words": words})
            return values
        self._take(name, operator)
        return values

    def _take(self, name: str, operator: str) -> None:
        source = choices.source_of(name, operator)
        value = "" if source == NOTHING else self.chosen(source)
        if value is None:
            return
        try:
            self.value = automation.checked_conditions([{"field": name, "operator": operator, "value": value}])[0]
        except RuleInvalid:
            self.add_error("text" if source == TEXT else "choice", NO_VALUE)


class ActionRow(ValueRow):
    action = forms.ChoiceField(label=_("What"), required=False, choices=_NONE + list(automation.ACTIONS.items()))
    text = forms.CharField(
        label=_("Or written"),
        required=False,
        max_length=automation.LONGEST_VALUE,
        strip=False,
        widget=forms.Textarea({"rows": 2}),
    )
    sources = choices.OF_ACTIONS

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.errors or values.get("DELETE") or self.is_blank:
            return values
        name = values["action"]
        if not name:
            self.add_error("action", _("Say what is to be done."))
            return values
        source = choices.ACTION_SOURCES[name]
        value = self.chosen(source)
        if value is None:
            return values
        try:
            self.value = automation.checked_actions([{"action": name, "value": value}])[0]
        except RuleInvalid:
            told = str(_("This is too long.") if value else _("Write what is meant."))
            if source == NUMBER:
                told = gettext("From 1 to %(most)s hours.") % {"most": automation.MOST_HOURS}
            elif name == "require_skill" and value:
                told = gettext("At most %(most)s characters.") % {"most": 40}
            self.add_error("text" if source in (TEXT, NUMBER) else "choice", told)
        return values


class _Conditions(Rows):
    def clean(self) -> None:
        if len(self.values()) > automation.MOST_CONDITIONS:
            raise forms.ValidationError(_("A rule has at most ten conditions."))


class _Actions(Rows):
    def clean(self) -> None:
        if not 1 <= len(self.values()) <= automation.MOST_ACTIONS and all(row.is_valid() for row in self.forms):
            raise forms.ValidationError(_("There is at least one action, and there are at most ten."))


_LIMITS: dict[str, Any] = {"can_delete": True, "max_num": MOST_ROWS, "absolute_max": MOST_ROWS}
ConditionRows: Any = formset_factory(ConditionRow, formset=_Conditions, extra=1, **_LIMITS)
ActionRows: Any = formset_factory(ActionRow, formset=_Actions, extra=1, can_order=True, **_LIMITS)


def condition_rows(data: Any, given: Sequence[Mapping[str, Any]], known: Choices) -> Any:
    initial = [_condition(each) for each in given]
    kwargs = {"known": known, "kept": [each["choice"] for each in initial]}
    return ConditionRows(data, initial=initial, prefix="conditions", form_kwargs=kwargs)


def action_rows(data: Any, given: Sequence[Mapping[str, Any]], known: Choices) -> Any:
    initial = [_action(each) for each in given]
    kwargs = {"known": known, "kept": [each["choice"] for each in initial]}
    return ActionRows(data, initial=initial, prefix="actions", form_kwargs=kwargs)


def _condition(given: Mapping[str, Any]) -> dict[str, Any]:
    name, operator, value = given["field"], given["operator"], given.get("value", "")
    if operator == "is" and value == "":
        operator = "is_empty"
    is_attribute = name.startswith(automation.ATTRIBUTE)
    return {
        "field": ATTRIBUTE if is_attribute else name,
        "attribute": name.removeprefix(automation.ATTRIBUTE) if is_attribute else "",
        "operator": operator,
    } | _value(choices.source_of(name, operator), value)


def _action(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"action": given["action"]} | _value(choices.ACTION_SOURCES[given["action"]], given["value"])


def _value(source: str, value: Any) -> dict[str, str]:
    if source == NOTHING:
        return {"choice": "", "text": ""}
    written = source in (TEXT, NUMBER)
    return {"choice": "" if written else choices.option(source, value), "text": str(value) if written else ""}
