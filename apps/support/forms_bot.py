"""Forms of articles, flows and the bot."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.registry import services as registry
from apps.support.models import Method
from apps.support.services.flows import BotChange

CODE = {"rows": 24, "spellcheck": "false", "class": "mono"}


class ArticleForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=160)
    locale = forms.CharField(label=_("Language"), max_length=12, initial="en", help_text=_("Like en or zh-Hans."))
    category = forms.CharField(label=_("Category"), max_length=80, required=False)
    body = forms.CharField(
        label=_("Text"),
        strip=False,
        widget=forms.Textarea({"rows": 16}),
        help_text=_("Markdown. Each save is a version of its own; publish one to have it read and cited."),
    )


class ImportForm(forms.Form):
    file = forms.FileField(label=_("File"), help_text=_("Markdown or HTML, or a ZIP archive of them."))
    locale = forms.CharField(label=_("Language"), max_length=12, initial="en")
    publish = forms.BooleanField(label=_("Publish them at once"), required=False)


class CentreForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    slug = forms.CharField(
        label=_("Address"), max_length=60, help_text=_("The last part of the address: small letters and hyphens.")
    )
    locale = forms.CharField(label=_("Language"), max_length=12, initial="en")
    is_open = forms.BooleanField(label=_("Open to everybody"), required=False)


class FlowsForm(forms.Form):
    text = forms.CharField(label=_("Flows and answers"), strip=False, widget=forms.Textarea(CODE))
    stories = forms.CharField(
        label=_("Stories that test them"), strip=False, required=False, widget=forms.Textarea(CODE | {"rows": 14})
    )
    note = forms.CharField(label=_("What has changed"), max_length=200, required=False)


class ActionForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=64, help_text=_("As flows call it: small letters and _."))
    url = forms.CharField(label=_("Address"), max_length=2_000, help_text=_("Requests are signed (Standard Webhooks)."))


class StoryForm(forms.Form):
    calls = forms.BooleanField(label=_("Really call what the stories do not script"), required=False)


def writers() -> list[tuple[str, Any]]:
    """The models that can be told to answer from passages alone, and none."""
    able = [name for name, version in registry.available() if version.follows_instructions]
    return [("", _("no model: passages as they stand")), *((name, name) for name in able)]


class BotForm(forms.Form):
    is_on = forms.BooleanField(label=_("The bot answers"), required=False)
    accept = forms.FloatField(
        label=_("Act on an intent from this probability on"), min_value=0, max_value=1,
        help_text=_("The curve of the model says what that costs."),
    )  # fmt: skip
    margin = forms.FloatField(label=_("Ask which of two is meant if they are nearer than"), min_value=0, max_value=1)
    quiet_seconds = forms.FloatField(label=_("Seconds of silence that end a burst"), min_value=0, max_value=10)
    least_likeness = forms.FloatField(label=_("Cite a passage from this likeness on"), min_value=0, max_value=1)
    duties = forms.CharField(
        label=_("Intents that always go to a person"), required=False, widget=forms.Textarea({"rows": 3}),
        help_text=_("One a line with its reason: human, fraud or complaint, such as card_stolen: fraud."),
    )  # fmt: skip
    writer = forms.ChoiceField(
        label=_("Answers are written by"), required=False, choices=writers,
        help_text=_("From passages of published articles, which are cited. What it writes counts as your tokens."),
    )  # fmt: skip
    answer_seconds = forms.FloatField(
        label=_("Seconds after which the passage itself is cited"), min_value=2, max_value=120
    )
    idle_hours = forms.IntegerField(
        label=_("Hours after which a conversation that the bot has answered is resolved"), min_value=0, max_value=720,
        help_text=_("0 for never."),
    )  # fmt: skip
    four_eyes = forms.BooleanField(label=_("Nobody approves the flows that they wrote"), required=False)

    def change(self) -> BotChange:
        values = dict(self.cleaned_data)
        lines = [line.partition(":") for line in values.pop("duties").splitlines() if line.strip()]
        return BotChange(**values, duties={name.strip(): reason.strip() for name, _colon, reason in lines})


class ExamplesForm(forms.Form):
    intent = forms.CharField(label=_("Intent"), max_length=64, required=False)
    texts = forms.CharField(
        label=_("Examples, one a line"), required=False, max_length=500_000, widget=forms.Textarea({"rows": 6})
    )
    file = forms.FileField(label=_("Or a CSV file"), required=False, help_text=_("With the columns text and intent."))

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not values.get("file") and not (values.get("texts") and values.get("intent")):
            self.add_error("texts", _("Write examples with their intent, or choose a file."))
        return values


class IntentForm(forms.Form):
    intent = forms.CharField(label=_("Intent"), max_length=64)


class TrainForm(forms.Form):
    method = forms.ChoiceField(label=_("How"), choices=Method.choices, initial=Method.HEAD)
    promotes = forms.BooleanField(label=_("Put it live if it is no worse and all stories pass"), required=False)
