"""Forms of safety rules: lists of terms, personal data, a classifier, lengths, and examples to learn from."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.jobs import Status
from apps.studio.marks import ACTIONS, KINDS
from apps.studio.models import SafetyClassifier
from apps.studio.services.safety.classifiers import LONGEST_NAME, MOST_BYTES
from apps.studio.services.safety.rules import (
    MOST_CHARS,
    ClassifierRules,
    LengthRules,
    ListRules,
    PersonalRules,
    Rules,
)

CHOICES = tuple(ACTIONS.items())
WHOLE = tuple((code, words) for code, words in ACTIONS.items() if code != "mask")
EMPTY_LISTS = 1
LONGEST_TEST = 20_000


class ListForm(forms.Form):
    """One list; without terms it is none."""

    name = forms.CharField(label=_("Name of the list"), max_length=80, required=False)
    terms = forms.CharField(
        label=_("Terms, one a line"), required=False, strip=False, widget=forms.Textarea({"rows": 4})
    )
    prompt = forms.ChoiceField(label=_("In a prompt"), choices=CHOICES, initial="block")
    output = forms.ChoiceField(label=_("In an output"), choices=CHOICES, initial="mark")

    def rules(self) -> ListRules | None:
        values = self.cleaned_data
        terms = tuple(dict.fromkeys(line.strip() for line in values.get("terms", "").splitlines() if line.strip()))
        if not terms:
            return None
        return ListRules(values["name"].strip(), terms, values["prompt"], values["output"])


ListFormSet: Any = forms.formset_factory(ListForm, extra=EMPTY_LISTS, max_num=20, validate_max=True)


class RulesForm(forms.Form):
    """All but the lists."""

    kinds = forms.MultipleChoiceField(
        label=_("Personal data that is looked for"),
        choices=tuple(KINDS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Numbers count only with their check digits right. Names and street addresses are not found."),
    )
    personal_prompt = forms.ChoiceField(
        label=_("Personal data in a prompt"),
        choices=CHOICES,
        initial="mask",
        help_text=_(
            "Masked before it is stored, also in tables and prompts of bulk runs. The file that a program uploads for a"
            " batch stays as it came until it is deleted; its requests are masked."
        ),
    )
    personal_output = forms.ChoiceField(label=_("Personal data in an output"), choices=CHOICES, initial="mark")
    restore = forms.BooleanField(
        label=_("Put masked data back into the finished text"),
        required=False,
        help_text=_("The model sees [EMAIL_1]; whoever reads the text sees the address."),
    )
    classifier = forms.ChoiceField(label=_("Classifier"), required=False)
    threshold = forms.FloatField(
        label=_("From this score on"), min_value=0.01, max_value=1, initial=0.5, required=False
    )
    classifier_prompt = forms.ChoiceField(label=_("A prompt that reaches it"), choices=WHOLE, initial="block")
    classifier_output = forms.ChoiceField(label=_("An output that reaches it"), choices=WHOLE, initial="mark")
    prompt_length = forms.IntegerField(
        label=_("Most characters of a prompt"), min_value=1, max_value=MOST_CHARS, required=False
    )
    output_length = forms.IntegerField(
        label=_("Most characters of an output"), min_value=1, max_value=MOST_CHARS, required=False
    )
    output_action = forms.ChoiceField(label=_("A longer output"), choices=CHOICES, initial="mark")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        trained = SafetyClassifier.objects.filter(status=Status.SUCCEEDED).order_by("-number").defer("weights")
        field: Any = self.fields["classifier"]
        field.choices = [("", _("None")), *((str(row.pk), str(row)) for row in trained[:50])]

    def rules(self, lists: list[ListRules]) -> Rules:
        values = self.cleaned_data
        return Rules(
            lists=tuple(lists),
            personal=PersonalRules(
                tuple(values["kinds"]), values["personal_prompt"], values["personal_output"], values["restore"]
            ),
            classifier=ClassifierRules(
                values["classifier"],
                values["threshold"] or 0.5,
                values["classifier_prompt"],
                values["classifier_output"],
            ),
            length=LengthRules(values["prompt_length"], values["output_length"], values["output_action"]),
        )


def initial_of(rules: Rules | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the two forms begin with."""
    if rules is None:
        return {}, []
    personal, scored, length = rules.personal, rules.classifier, rules.length
    lists = [
        {"name": one.name, "terms": "\n".join(one.terms), "prompt": one.prompt, "output": one.output}
        for one in rules.lists
    ]
    return {
        "kinds": list(personal.kinds),
        "personal_prompt": personal.prompt,
        "personal_output": personal.output,
        "restore": personal.restore,
        "classifier": scored.id,
        "threshold": scored.threshold,
        "classifier_prompt": scored.prompt,
        "classifier_output": scored.output,
        "prompt_length": length.prompt,
        "output_length": length.output,
        "output_action": length.output_action,
    }, lists


class TestForm(forms.Form):
    """A text to try the rules on."""

    text = forms.CharField(
        label=_("A text to try the rules on"),
        max_length=LONGEST_TEST,
        strip=False,
        widget=forms.Textarea({"rows": 6}),
        help_text=_("It is checked as a prompt and as an output, and kept nowhere."),
    )


class ExamplesForm(forms.Form):
    """Examples as a file or pasted."""

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    file = forms.FileField(label=_("CSV file"), required=False)
    text = forms.CharField(
        label=_("Or pasted"),
        required=False,
        strip=False,
        max_length=MOST_BYTES,
        widget=forms.Textarea({"rows": 8, "spellcheck": "false", "class": "mono"}),
        help_text=_("A text and, behind a comma, refuse or allow in each row. At least 10 of each."),
    )

    def examples_text(self) -> str:
        """The CSV's text; bytes that are no UTF-8 show as what they are not."""
        given = self.cleaned_data["file"]
        return given.read(MOST_BYTES).decode("utf-8", "replace") if given else str(self.cleaned_data["text"])
