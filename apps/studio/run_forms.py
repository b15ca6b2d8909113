"""The form of a run: what the studio asks for, and in what its variants differ."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.errors import MillraceError
from apps.studio.forms import GenerationForm
from apps.studio.models import RunKind, RunStep
from apps.studio.services.runs import MOST_VARIANTS, RunRequest

DEFAULT_COUNT = 3
DEFAULT_TEMPERATURES = "0.2, 0.8, 1.2"


class RunForm(GenerationForm):
    differ = forms.ChoiceField(
        label=_("What differs"), choices=RunKind.choices, initial=RunKind.SEEDS, widget=forms.RadioSelect
    )
    count = forms.IntegerField(
        label=_("Variants"), min_value=1, max_value=MOST_VARIANTS, initial=DEFAULT_COUNT, required=False
    )
    temperatures = forms.CharField(
        label=_("Temperatures"),
        required=False,
        initial=DEFAULT_TEMPERATURES,
        help_text=_("Two to eight numbers from 0 to 2, with commas between them."),
    )
    second_model = forms.ChoiceField(
        label=_("Second model"),
        required=False,
        help_text=_("Which of the two stands on the left is left to chance, and not said before you have voted."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = self.fields["model"].choices  # type: ignore[attr-defined]
        self.fields["second_model"].choices = [("", _("Choose a model")), *choices]  # type: ignore[attr-defined]
        if len({version.pk for _name, version in self.models}) == 1:
            self.fields["second_model"].help_text = _(
                "There is only one model here. Whoever runs this installation can register another."
            )

    def clean_temperatures(self) -> tuple[float, ...]:
        words = self.cleaned_data["temperatures"].replace("，", ",").replace(";", ",").split(",")
        try:
            numbers = tuple(float(word) for word in words if word.strip())
        except ValueError:
            raise forms.ValidationError(_("Give numbers, with commas between them.")) from None
        if any(not 0 <= number <= 2 for number in numbers):
            raise forms.ValidationError(_("A temperature is from 0 to 2."))
        return numbers

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("differ") == RunKind.MODELS and not data.get("second_model"):
            self.add_error("second_model", _("Choose a second model."))
        return data

    def request(self, parent: UUID | None) -> RunRequest:
        """What the valid form asks for; from a variant, as a branch of it."""
        data = self.cleaned_data
        return RunRequest(
            spec=self.spec(),
            kind=data["differ"],
            count=data["count"] or DEFAULT_COUNT,
            temperatures=data["temperatures"] if data["differ"] == RunKind.TEMPERATURES else (),
            models=(data["model"], data["second_model"]) if data["differ"] == RunKind.MODELS else (),
            parent=parent,
            step=RunStep.BRANCH if parent else RunStep.FIRST,
        )

    def refuse(self, error: MillraceError) -> None:
        """As in the studio; what is wrong with the pair of models is told at the second."""
        if error.param == "models":
            self.add_error("second_model", error.shown())
        else:
            super().refuse(error)
