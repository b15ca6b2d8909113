"""Forms of templates: what a version's variables ask for, and what a version says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.errors import MillraceError
from apps.registry import services as registry
from apps.studio import attached
from apps.studio.models import BrandVoice, TemplateVersion, Visibility
from apps.studio.requests import DEFAULT_MAX_TOKENS, MAX_SEED
from apps.studio.services.templates import TemplateFacts
from apps.studio.services.templates.writing import MOST_EXAMPLES
from apps.studio.texts import error_text
from apps.studio.variable_forms import lines
from ml.text.prompts import MAX_TEMPLATE_CHARS, Source
from ml.text.variables import Type, Variable
from ml.types import SamplingParams

PREFIX = "v_"
OWN, NONE = "own", "none"
DEFAULTS = SamplingParams()


class _Files(forms.ClearableFileInput):
    allow_multiple_selected = True
    # No link to an earlier file: none is kept.
    template_name = "django/forms/widgets/file.html"


class FilesField(forms.FileField):
    """One or several files, read as text."""

    widget = _Files

    def __init__(self, many: bool, **options: Any) -> None:
        super().__init__(**options)
        self.many = many
        self.widget.attrs |= {"accept": ",".join(attached.SUFFIXES)} | ({"multiple": True} if many else {})

    def clean(self, data: Any, initial: Any = None) -> list[Source]:
        uploads = [each for each in (data if isinstance(data, list | tuple) else [data]) if each]
        if self.required and not uploads:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        try:
            return [attached.read(super(FilesField, self).clean(upload, initial)) for upload in uploads]
        except MillraceError as error:
            raise forms.ValidationError(error.shown()) from None


class UseForm(forms.Form):
    """A field for each variable of a version, then the voice, the model and how it samples."""

    voice = forms.ChoiceField(label=_("Brand voice"), required=False)
    model = forms.ChoiceField(label=_("Model"))
    max_tokens = forms.IntegerField(label=_("Most tokens"), min_value=1, max_value=1_000_000)
    temperature = forms.FloatField(label=_("Temperature"), min_value=0, max_value=2)
    top_p = forms.FloatField(label=_("Top-p"), min_value=0.001, max_value=1)
    seed = forms.IntegerField(label=_("Seed"), required=False, min_value=-MAX_SEED, max_value=MAX_SEED)

    ADVANCED = ("temperature", "top_p", "seed")

    def __init__(self, version: TemplateVersion, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version, self.variables = version, version.fields
        own = {name: self.fields.pop(name) for name in list(self.fields)}
        for variable in self.variables:
            self.fields[PREFIX + variable.name] = field_of(variable)
        self.fields |= own
        self.models = registry.available()
        self.fields["model"].choices = model_choices(self.models)  # type: ignore[attr-defined]
        self.fields["model"].initial = version.model_name or "default"
        self.fields["max_tokens"].initial = version.max_tokens or DEFAULT_MAX_TOKENS
        for name in ("temperature", "top_p"):
            self.fields[name].initial = version.sampling.get(name, getattr(DEFAULTS, name))
            self.fields[name].widget.attrs |= {"step": "any", "inputmode": "decimal"}
        self._choose_voice()

    def _choose_voice(self) -> None:
        own = self.version.voice
        first = gettext("The template's own: %(name)s") % {"name": own.name} if own else gettext("None")
        voices = BrandVoice.objects.in_use().order_by("name").values_list("slug", "name")[:200]
        none = [(NONE, gettext("None"))] if own else []
        self.fields["voice"].choices = [(OWN, first), *none, *voices]  # type: ignore[attr-defined]
        self.fields["voice"].initial = OWN

    @property
    def variable_fields(self) -> list[forms.BoundField]:
        return [self[PREFIX + variable.name] for variable in self.variables]

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.ADVANCED]

    @property
    def advanced_is_open(self) -> bool:
        return any(name in self.errors for name in self.ADVANCED)

    @property
    def chosen_voice(self) -> str | None:
        """As `render` takes it."""
        return {OWN: None, "": None, NONE: ""}.get(self.cleaned_data["voice"], self.cleaned_data["voice"])

    def values(self) -> dict[str, Any]:
        """What was filled in, by the variables' names; pages as their addresses."""
        return {variable.name: self.cleaned_data.get(PREFIX + variable.name) for variable in self.variables}

    def settings(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("model", "max_tokens", *self.ADVANCED)}

    def refuse(self, error: MillraceError) -> None:
        """Shows a refusal at the field it is about, or above the form."""
        name = (error.param or "").split(".")
        field = PREFIX + name[1] if name[0] == "variables" and len(name) > 1 else name[0]
        words = error_text(error.code, error.shown())
        self.add_error(field if field in self.fields else None, str(words))


def field_of(variable: Variable) -> forms.Field:
    """A form's field for one variable; what it takes is checked again where it is rendered."""
    shared: dict[str, Any] = {
        "label": variable.shown,
        "help_text": variable.help,
        "required": variable.required,
        "initial": "\n".join(variable.default) if isinstance(variable.default, tuple) else variable.default,
    }
    if variable.type == Type.CHOICE:
        blank = [] if variable.required or variable.default else [("", _("No preference"))]
        return forms.ChoiceField(choices=[*blank, *((choice, choice) for choice in variable.choices)], **shared)
    if variable.type == Type.NUMBER:
        return forms.DecimalField(min_value=_bound(variable.least), max_value=_bound(variable.most), **shared)
    if variable.type == Type.FILE:
        shared["help_text"] = variable.help or _("Files that hold text: .txt, .md, .csv, .html, .docx or .pdf.")
        return FilesField(variable.many, **shared | {"initial": None})
    if variable.type == Type.URL and not variable.many:
        return forms.URLField(max_length=2_000, assume_scheme="https", **shared)
    if variable.type == Type.TEXT:
        return forms.CharField(max_length=variable.longest, **shared)
    rows = 8 if variable.type == Type.LONG_TEXT else 3
    shared["widget"] = forms.Textarea(attrs={"rows": rows} | _placeholder(variable))
    longest = variable.longest if variable.type == Type.LONG_TEXT else 100_000
    return forms.CharField(max_length=longest, **shared)


def _placeholder(variable: Variable) -> dict[str, Any]:
    return {} if variable.type == Type.LONG_TEXT else {"placeholder": _("One per line")}


def _bound(text: str) -> float | None:
    return float(text) if text else None


def model_choices(models: Any) -> list[tuple[str, str]]:
    return [(name, name if name == version.name else f"{name} ({version.name})") for name, version in models]


class ExampleForm(forms.Form):
    """Values to try a template with: a field for each variable of the version; what they may be is checked with it."""

    def __init__(self, *args: Any, variables: Sequence[Variable], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for variable in variables:
            self.fields[PREFIX + variable.name] = _example_field(variable)

    @property
    def value_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(PREFIX)]


def _example_field(variable: Variable) -> forms.Field:
    shared: dict[str, Any] = {"label": variable.shown, "required": False}
    if variable.type == Type.CHOICE:
        return forms.ChoiceField(choices=[("", "–"), *((choice, choice) for choice in variable.choices)], **shared)
    if variable.type in {Type.LIST, Type.LONG_TEXT}:
        shared["widget"] = forms.Textarea(attrs={"rows": 3} | _placeholder(variable))
    return forms.CharField(max_length=100_000, **shared)


class _Examples(BaseFormSet):
    """A version's examples; a form that is sent without them leaves them as they are."""

    def __init__(self, data: Any = None, *, version: TemplateVersion | None) -> None:
        self.given: list[dict[str, Any]] = version.examples if version else []
        self.variables = [each for each in version.fields if not each.is_source] if version else []
        sent = data if data is not None and "examples-TOTAL_FORMS" in data else None
        initial = [{PREFIX + name: _shown(value) for name, value in each.items()} for each in self.given]
        super().__init__(sent, initial=initial, prefix="examples", form_kwargs={"variables": self.variables})

    def is_valid(self) -> bool:
        return not self.is_bound or super().is_valid()

    def values(self) -> list[dict[str, Any]]:
        """Each example by the names of variables."""
        return [values for _form, values in self._kept()] if self.is_bound else self.given

    def refuse(self, param: str, words: str) -> bool:
        """Shows a refusal of `examples.0.name` at its field; False where that is not on the page."""
        _, number, name = [*param.split(".", 2), "", ""][:3]
        kept = self._kept() if self.is_bound else []
        if not (number.isdecimal() and int(number) < len(kept)):
            return False
        form = kept[int(number)][0]
        form.add_error(PREFIX + name if PREFIX + name in form.fields else None, words)
        return True

    def _kept(self) -> list[tuple[forms.Form, dict[str, Any]]]:
        """Those that are not taken out and have a value, with what was not changed exactly as it was."""
        kept = []
        for index, form in enumerate(self.forms):
            before = self.given[index] if index < len(self.given) else {}
            values = {}
            for variable in self.variables:
                name, now = variable.name, form.cleaned_data.get(PREFIX + variable.name, "")
                if PREFIX + name not in form.changed_data and name in before:
                    values[name] = before[name]
                elif now:
                    values[name] = lines(now) if variable.type == Type.LIST else now.replace("\r\n", "\n")
            if values and not form.cleaned_data.get("DELETE"):
                kept.append((form, values))
        return kept


def _shown(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


ExampleFormSet: Any = formset_factory(
    ExampleForm, formset=_Examples, extra=1, can_delete=True, max_num=MOST_EXAMPLES, absolute_max=MOST_EXAMPLES + 10
)


class TemplateForm(forms.Form):
    """A template's name and what its version says, without its variables."""

    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    description = forms.CharField(label=_("Description"), max_length=300, required=False)
    system = forms.CharField(
        label=_("What the model is"),
        max_length=MAX_TEMPLATE_CHARS,
        required=False,
        help_text=_("The system message: its role, and rules that hold for every text."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    prompt = forms.CharField(
        label=_("Prompt"),
        max_length=MAX_TEMPLATE_CHARS,
        strip=False,
        help_text=_(
            "{{ name }} puts a variable in. {% if name %} … {% endif %} and {% for item in list %} … {% endfor %} work."
        ),
        widget=forms.Textarea(attrs={"rows": 12, "class": "textarea-tall mono", "spellcheck": "false"}),
    )
    voice = forms.ChoiceField(label=_("Brand voice"), required=False)
    model_name = forms.ChoiceField(label=_("Model"), required=False)
    max_tokens = forms.IntegerField(label=_("Most tokens"), required=False, min_value=1, max_value=1_000_000)
    temperature = forms.FloatField(label=_("Temperature"), required=False, min_value=0, max_value=2)
    top_p = forms.FloatField(label=_("Top-p"), required=False, min_value=0.001, max_value=1)
    characters = forms.IntegerField(
        label=_("Most characters"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("What the text's place takes; what goes beyond is marked."),
    )
    hashtags = forms.IntegerField(label=_("Most hashtags"), required=False, min_value=1, max_value=1_000)
    note = forms.CharField(
        label=_("What changed"), max_length=200, required=False, help_text=_("For whoever reads the list of versions.")
    )

    SETTINGS = ("model_name", "max_tokens", "temperature", "top_p", "characters", "hashtags")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        voices = BrandVoice.objects.in_use().order_by("name").values_list("slug", "name")[:200]
        self.fields["voice"].choices = [("", _("None")), *voices]  # type: ignore[attr-defined]
        choices = model_choices(registry.available())
        self.fields["model_name"].choices = [("", _("Whoever runs it chooses")), *choices]  # type: ignore[attr-defined]
        for name in ("temperature", "top_p"):
            self.fields[name].widget.attrs |= {"step": "any", "inputmode": "decimal"}

    @property
    def setting_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.SETTINGS]

    def facts(
        self, variables: list[dict[str, Any]], examples: list[dict[str, Any]], before: TemplateVersion | None = None
    ) -> TemplateFacts:
        """What the valid form says; how `before` samples stays where the form does not show it."""
        data = self.cleaned_data
        shown = {name: data[name] for name in ("temperature", "top_p")}
        sampling = (before.sampling if before else {}) | shown
        kept = {variable["name"] for variable in variables if variable.get("type") not in {Type.FILE, Type.URL}}
        return TemplateFacts(
            prompt=data["prompt"].replace("\r\n", "\n"),
            system=data["system"].replace("\r\n", "\n"),
            variables=variables,
            examples=[{name: value for name, value in each.items() if name in kept} for each in examples],
            model_name=data["model_name"],
            sampling={name: value for name, value in sampling.items() if value is not None},
            max_tokens=data["max_tokens"],
            limits={name: data[name] for name in ("characters", "hashtags") if data[name]},
            voice=data["voice"],
        )


def initial_of(version: TemplateVersion) -> dict[str, Any]:
    """A version as the editor's form shows it."""
    template = version.template
    return {
        "name": template.name,
        "description": template.description,
        "system": version.system,
        "prompt": version.prompt,
        "voice": version.voice.slug if version.voice else "",
        "model_name": version.model_name,
        "max_tokens": version.max_tokens,
        **version.sampling,
        **version.limits,
    }


class ShareForm(forms.Form):
    visibility = forms.ChoiceField(label=_("Who sees it"), choices=Visibility.choices, widget=forms.RadioSelect)
    teams = forms.MultipleChoiceField(label=_("Teams"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, teams: list[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["teams"].choices = teams  # type: ignore[attr-defined]
