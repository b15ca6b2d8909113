"""The studio's form: a brief or a free prompt, the model, and how it samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.errors import InvalidRequest, MillraceError
from apps.registry import services as registry
from apps.studio.examples import EXAMPLES
from apps.studio.models import Generation
from apps.studio.requests import DEFAULT_MAX_TOKENS, MAX_SEED, MAX_STOP_CHARS, MAX_STOPS, GenerationSpec
from apps.studio.services import sources_of
from apps.studio.texts import CONTENT_TYPES, TONES, error_text
from ml.text.brief import (
    MAX_AUDIENCE_CHARS,
    MAX_KEY_POINT_CHARS,
    MAX_KEY_POINTS,
    MAX_PRODUCT_CHARS,
    Brief,
    BriefError,
    render_brief,
)
from ml.types import Message, SamplingParams

BRIEF, PROMPT = "brief", "prompt"
MAX_PROMPT_CHARS = 100_000
DEFAULTS = SamplingParams()


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


class GenerationForm(forms.Form):
    kind = forms.ChoiceField(
        label=_("Write from"),
        choices=[(BRIEF, _("Brief")), (PROMPT, _("Free prompt"))],
        initial=BRIEF,
        widget=forms.RadioSelect,
    )
    content_type = forms.ChoiceField(
        label=_("Content type"),
        choices=list(CONTENT_TYPES.items()),
        initial="product_description",
        required=False,
        widget=forms.RadioSelect,
    )
    product = forms.CharField(
        label=_("Product"),
        max_length=MAX_PRODUCT_CHARS,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": _("What it is about"), "autocomplete": "off"}),
    )
    audience = forms.CharField(
        label=_("Audience"),
        max_length=MAX_AUDIENCE_CHARS,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": _("Who will read it"), "autocomplete": "off"}),
    )
    tone = forms.ChoiceField(label=_("Tone"), choices=[("", _("No preference")), *TONES.items()], required=False)
    key_points = forms.CharField(
        label=_("Key points"),
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": _("One per line")}),
    )
    prompt = forms.CharField(
        label=_("Prompt"),
        required=False,
        max_length=MAX_PROMPT_CHARS,
        widget=forms.Textarea(attrs={"rows": 9, "class": "textarea-tall", "placeholder": _("Say what to write")}),
    )
    model = forms.ChoiceField(label=_("Model"))
    max_tokens = forms.IntegerField(
        label=_("Most tokens"), min_value=1, max_value=1_000_000, initial=DEFAULT_MAX_TOKENS
    )
    min_tokens = forms.IntegerField(
        label=_("Fewest tokens"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        initial=DEFAULTS.min_tokens,
        help_text=_("Before this many the text does not end by itself."),
    )
    temperature = forms.FloatField(label=_("Temperature"), min_value=0, max_value=2, initial=DEFAULTS.temperature)
    top_p = forms.FloatField(label=_("Top-p"), min_value=0.001, max_value=1, initial=DEFAULTS.top_p)
    top_k = forms.IntegerField(label=_("Top-k"), min_value=0, max_value=1_000_000, initial=DEFAULTS.top_k)
    repetition_penalty = forms.FloatField(
        label=_("Repetition penalty"), min_value=0.1, max_value=10, initial=DEFAULTS.repetition_penalty
    )
    seed = forms.IntegerField(label=_("Seed"), required=False, min_value=-MAX_SEED, max_value=MAX_SEED)
    stop = forms.CharField(
        label=_("Stop texts"),
        required=False,
        help_text=_("One per line, at most four. The text ends before the first of them."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    ADVANCED = ("min_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "stop")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.models = registry.available()
        self.fields["model"].choices = [  # type: ignore[attr-defined]
            (name, name if name == version.name else f"{name} ({version.name})") for name, version in self.models
        ]
        for name in ("temperature", "top_p", "repetition_penalty"):
            self.fields[name].widget.attrs |= {"step": "any", "inputmode": "decimal"}

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.ADVANCED]

    @property
    def advanced_is_open(self) -> bool:
        """Open when something in there is wrong, or differs from the defaults."""
        if any(name in self.errors for name in self.ADVANCED):
            return True
        # What is sent are strings, also of a nought.
        shown = {name: (self[name].value(), self.fields[name].initial) for name in self.ADVANCED}
        return any(str(value or 0) != str(initial or 0) for value, initial in shown.values())

    def clean_stop(self) -> list[str]:
        stops = _lines(self.cleaned_data["stop"])
        if len(stops) > MAX_STOPS or any(len(stop) > MAX_STOP_CHARS for stop in stops):
            raise forms.ValidationError(_("At most four lines of at most 100 characters."))
        return stops

    def clean_key_points(self) -> list[str]:
        points = _lines(self.cleaned_data["key_points"])
        if len(points) > MAX_KEY_POINTS:
            raise forms.ValidationError(_("At most %(n)d key points."), params={"n": MAX_KEY_POINTS})
        if any(len(point) > MAX_KEY_POINT_CHARS for point in points):
            raise forms.ValidationError(_("At most %(n)d characters a point."), params={"n": MAX_KEY_POINT_CHARS})
        return points

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("kind") == PROMPT:
            if not (data.get("prompt") or "").strip() and "prompt" not in self.errors:
                self.add_error("prompt", _("Say what to write."))
        elif data.get("kind") == BRIEF and not self.errors:
            self._make_brief(data)
        return data

    def _make_brief(self, data: dict[str, Any]) -> None:
        if not data["product"].strip():
            self.add_error("product", _("Name what it is about."))
            return
        try:
            data["brief"] = Brief(
                content_type=data["content_type"] or "product_description",
                product=data["product"],
                audience=data["audience"],
                tone=data["tone"],
                key_points=tuple(data["key_points"]),
            )
        except BriefError as error:
            self.add_error(error.field, error.message)

    def spec(self) -> GenerationSpec:
        """What the valid form asks for."""
        data = self.cleaned_data
        brief: Brief | None = data.get("brief")
        sampling = SamplingParams(
            min_tokens=data["min_tokens"] or 0,
            temperature=data["temperature"],
            top_p=data["top_p"],
            top_k=data["top_k"],
            repetition_penalty=data["repetition_penalty"],
            seed=data["seed"],
            stop=tuple(data["stop"]),
        )
        words = render_brief(brief) if brief else data["prompt"]
        return GenerationSpec(
            model=data["model"],
            messages=(Message("user", words),),
            max_tokens=data["max_tokens"],
            sampling=sampling,
            brief=brief,
        )

    def refuse(self, error: MillraceError) -> None:
        """Shows a refusal of the service at the field it is about, or above the form."""
        field = (error.param or "").split(".")[0]
        field = self.data.get("kind", BRIEF) if field == "messages" else field
        field = "product" if field == BRIEF else field
        self.add_error(field if field in self.fields else None, str(error_text(error.code, error.shown())))


def initial_of(generation: Generation) -> dict[str, Any]:
    """The form's values that would ask for this generation again, with a fresh seed."""
    brief = generation.brief or {}
    last = generation.messages[-1]["content"] if generation.messages else generation.prompt
    return {
        "kind": BRIEF if brief else PROMPT,
        "content_type": brief.get("content_type", "product_description"),
        "product": brief.get("product", ""),
        "audience": brief.get("audience", ""),
        "tone": brief.get("tone", ""),
        "key_points": "\n".join(brief.get("key_points", [])),
        "prompt": "" if brief else last,
        "model": generation.model_name,
        "max_tokens": generation.max_tokens,
        "min_tokens": generation.min_tokens,
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "top_k": generation.top_k,
        "repetition_penalty": generation.repetition_penalty,
        "stop": "\n".join(generation.stop),
    }


def again(generation: Generation) -> GenerationSpec:
    """The same request with another seed: regenerating is asking for a different answer."""
    return GenerationSpec(
        model=generation.model_name,
        messages=tuple(Message(turn["role"], turn["content"]) for turn in generation.messages),
        prompt=None if generation.messages else generation.prompt,
        max_tokens=generation.max_tokens,
        sampling=replace(generation.sampling(), seed=None),
        brief=Brief(**generation.brief | {"key_points": tuple(generation.brief["key_points"])})
        if generation.brief
        else None,
        origin=generation.origin,
        sources=sources_of(generation),
    )


def example_spec(name: str) -> GenerationSpec:
    """What the form asks for when an example is sent as it stands."""
    empty = GenerationForm()
    proposed = {field: empty[field].value() for field in empty.fields}
    form = GenerationForm(proposed | {"model": empty.models[0][0] if empty.models else ""} | EXAMPLES[name])
    if not form.is_valid():
        raise InvalidRequest("The example is not valid: %(problems)s", values={"problems": form.errors.as_text()})
    return form.spec()
