"""The editor's rows for a template's variables, begun from the names that its prompt uses."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext_lazy as _

from apps.studio.models import TemplateVersion
from ml.text import prompts
from ml.text.prompts import NAME, PromptError
from ml.text.variables import MAX_VARIABLES, Type

TYPES: dict[str, Any] = {
    Type.TEXT: _("Text, one line"),
    Type.LONG_TEXT: _("Long text"),
    Type.CHOICE: _("Choice"),
    Type.NUMBER: _("Number"),
    Type.LIST: _("List"),
    Type.FILE: _("File"),
    Type.URL: _("Page on the web"),
}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


class VariableForm(forms.Form):
    """One row of the editor's list of variables."""

    name = forms.RegexField(
        label=_("Name in the prompt"),
        regex=rf"^{NAME}$",
        error_messages={"invalid": _("Small letters, digits and underscores.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    type = forms.ChoiceField(label=_("Type"), choices=list(TYPES.items()), initial=Type.TEXT)
    label = forms.CharField(label=_("Label"), max_length=80, required=False)
    help = forms.CharField(label=_("Help"), max_length=300, required=False)
    default = forms.CharField(label=_("Default"), max_length=2_000, required=False)
    choices = forms.CharField(
        label=_("Choices"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": _("One per line")}),
    )
    least = forms.CharField(label=_("At least"), max_length=12, required=False)
    most = forms.CharField(label=_("At most"), max_length=12, required=False)
    required = forms.BooleanField(label=_("Required"), required=False)
    many = forms.BooleanField(label=_("Several files or pages"), required=False)

    def definition(self) -> dict[str, Any]:
        data = {key: value for key, value in self.cleaned_data.items() if key != "DELETE" and value not in ("", False)}
        if "choices" in data:
            data["choices"] = lines(data["choices"])
        return data


class _Variables(BaseFormSet):
    def definitions(self) -> list[dict[str, Any]]:
        """Of the rows that are filled in and not taken out."""
        kept = [form for form in self.forms if form.has_changed() or form.initial]
        return [form.definition() for form in kept if form.cleaned_data and not form.cleaned_data.get("DELETE")]


VariableFormSet = formset_factory(
    VariableForm, formset=_Variables, extra=1, can_delete=True, max_num=MAX_VARIABLES, absolute_max=MAX_VARIABLES + 10
)


def variable_rows(version: TemplateVersion | None) -> list[dict[str, Any]]:
    """A version's variables as the editor's rows show them."""
    rows = [dict(data) for data in version.variables] if version else []
    for row in rows:
        row["choices"] = "\n".join(row.get("choices", []))
        if isinstance(row.get("default"), list):
            row["default"] = "\n".join(row["default"])
    return rows


def with_new_names(posted: Any) -> tuple[Any, list[str]]:
    """What was sent with a row for each name that the prompt uses and no row has yet; and those names."""
    total = posted.get("vars-TOTAL_FORMS", "")
    if not (total.isdecimal() and int(total) <= MAX_VARIABLES):
        return posted, []
    rows = [posted.get(f"vars-{row}-name", "").strip() for row in range(int(total))]
    text = posted.get("system", "") + posted.get("prompt", "")
    new = sorted((name for name in _names(posted) if name not in rows), key=text.find)
    free = [*(row for row, name in enumerate(rows) if not name), *range(len(rows), MAX_VARIABLES)]
    data = posted.copy()
    for row, name in zip(free, new, strict=False):
        data[f"vars-{row}-name"], data[f"vars-{row}-required"] = name, "on"
        data.setdefault(f"vars-{row}-type", str(Type.TEXT))
        data["vars-TOTAL_FORMS"] = str(max(int(data["vars-TOTAL_FORMS"]), row + 1))
    # Where there is no room for more, what the service says of it is the answer.
    return data, new[: len(free)]


def _names(posted: Any) -> frozenset[str]:
    """Of what is not readable none: that is said at its field."""
    try:
        return prompts.parse(posted.get("system", "")).names() | prompts.parse(posted.get("prompt", "")).names()
    except PromptError:
        return frozenset()
