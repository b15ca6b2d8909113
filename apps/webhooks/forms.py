"""Forms of the webhook pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.inbound import actions
from apps.webhooks.messages import VERSIONS
from apps.webhooks.models import Format, Payload, Scheme, Sender
from apps.webhooks.models.endpoints import LONGEST_URL
from apps.webhooks.services.endpoints import LONGEST_DESCRIPTION, LONGEST_OVERLAP_HOURS, MOST_AT_ONCE
from apps.webhooks.services.inbound import LONGEST_NAME, LONGEST_SECRET

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class TypesField(forms.CharField):
    """Names of types and groups with blanks, commas or lines between; the value is a list."""

    def to_python(self, value: Any) -> Any:
        return str(super().to_python(value)).replace(",", " ").split()


class EndpointForm(forms.Form):
    format = forms.ChoiceField(label=_("Format"), choices=Format.choices)
    url = forms.CharField(
        label=_("Address"),
        max_length=LONGEST_URL,
        help_text=_(
            "A public https address that answers with 2xx within 15 seconds; for e-mail the address of a member."
        ),
        widget=forms.URLInput({"class": "input", "placeholder": "https://", **_PLAIN}),
    )
    description = forms.CharField(label=_("What it is for"), max_length=LONGEST_DESCRIPTION, required=False)
    types = TypesField(
        label=_("Types of events"),
        required=False,
        max_length=4_000,
        help_text=_("Names and groups such as team.* with blanks between; empty for all."),
        widget=forms.Textarea({"rows": 3, **_PLAIN}),
    )
    payload = forms.ChoiceField(label=_("What is sent"), choices=Payload.choices)
    version = forms.ChoiceField(label=_("Version"), choices=[(each, each) for each in VERSIONS])
    at_once = forms.IntegerField(
        label=_("Requests at a time"),
        min_value=1,
        max_value=MOST_AT_ONCE,
        initial=4,
        help_text=_("1 sends one after the other; what has to be tried again comes later all the same."),
    )


class SecretForm(forms.Form):
    scheme = forms.ChoiceField(label=_("Kind"), choices=Scheme.choices)
    expire_others_in_hours = forms.IntegerField(
        label=_("Others go on for so many hours"),
        min_value=0,
        max_value=LONGEST_OVERLAP_HOURS,
        required=False,
        help_text=_("Empty: they go on until you remove them."),
    )


class ReplayForm(forms.Form):
    since = forms.DateTimeField(label=_("From (UTC)"), widget=forms.DateTimeInput({"type": "datetime-local"}))
    until = forms.DateTimeField(label=_("To (UTC)"), widget=forms.DateTimeInput({"type": "datetime-local"}))
    failed_only = forms.BooleanField(label=_("Only what has not arrived"), required=False)


# ---------------------------------------------------------------- calls in


def mapping_text(paths: dict[str, str]) -> str:
    """A mapping as people write it: one input a line."""
    return "\n".join(f"{name} = {path}" for name, path in paths.items())


class MappingField(forms.CharField):
    """Lines `input = path or text`; the value is a dictionary."""

    def to_python(self, value: Any) -> Any:
        found: dict[str, str] = {}
        for line in str(super().to_python(value)).splitlines():
            name, mark, path = (part.strip() for part in line.partition("="))
            if not name and not path:
                continue
            if not (name and mark and path) or name in found:
                raise forms.ValidationError(
                    _("Write each input once, as “input = path”: %(line)s") % {"line": line[:80]}
                )
            found[name] = path
        return found


def _mapping() -> MappingField:
    return MappingField(
        label=_("Where inputs come from"),
        max_length=20_000,
        required=False,
        help_text=_("One a line, such as “meter = images” or “quantity = $.data.count”: a text, or a JSONPath."),
        widget=forms.Textarea({"rows": 5, "class": "input mono", **_PLAIN}),
    )


def _action_choices() -> list[tuple[str, Any]]:
    return [(each.name, each.label) for each in actions().values()]


class HookChangeForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    action = forms.ChoiceField(label=_("What a call does"), choices=_action_choices)
    mapping = _mapping()
    enabled = forms.BooleanField(label=_("Takes calls"), required=False, initial=True)


class HookSecretForm(forms.Form):
    secret = forms.CharField(
        label=_("Secret"),
        max_length=LONGEST_SECRET,
        required=False,
        help_text=_(
            "The signing secret that the sender shows; for Standard Webhooks and GitHub empty to have one made."
        ),
        widget=forms.TextInput(_PLAIN),
    )


class HookForm(HookChangeForm):
    sender = forms.ChoiceField(label=_("Who calls"), choices=Sender.choices)
    secret = HookSecretForm.base_fields["secret"]
    enabled = None  # type: ignore[assignment]
    field_order = ("name", "sender", "secret", "action", "mapping")


class TryForm(forms.Form):
    mapping = _mapping()
    body = forms.CharField(
        label=_("A payload"),
        max_length=300_000,
        strip=False,
        widget=forms.Textarea({"rows": 8, "class": "input mono", **_PLAIN}),
    )
