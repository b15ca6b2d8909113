"""Forms of the desk's pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Team
from apps.support.masking import DEFAULT_KINDS
from apps.support.models import BusinessHours, Inbox, InboxKind, SlaPolicy
from ml.safety import KINDS

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}
KIND_NAMES = {
    "card": _("Card numbers and security codes"),
    "iban": _("IBAN"),
    "national_id": _("National ids"),
    "email": _("E-mail addresses"),
    "phone": _("Telephone numbers"),
    "ip": _("IP addresses"),
}


class LinesField(forms.CharField):
    """One of several on each line."""

    widget = forms.Textarea({"rows": 3, **_PLAIN})

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or [])

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(super().to_python(value)).splitlines() if line.strip()]


class InboxForm(forms.Form):
    """What an inbox is like; a new one has a kind as well."""

    name = forms.CharField(label=_("Name"), max_length=80, widget=forms.TextInput(_PLAIN))
    greeting = forms.CharField(label=_("Greeting"), max_length=500, required=False, widget=forms.Textarea({"rows": 2}))
    away_message = forms.CharField(
        label=_("When nobody is there"), max_length=500, required=False, widget=forms.Textarea({"rows": 2})
    )
    hours = forms.ChoiceField(label=_("Business hours"), required=False)
    sla = forms.ChoiceField(label=_("Promise"), required=False)
    team = forms.ChoiceField(label=_("Team"), required=False)
    origins = LinesField(
        label=_("Sites that may show the widget"),
        required=False,
        help_text=_("One on each line, such as https://www.example.com."),
    )
    colour = forms.RegexField(
        r"#[0-9a-fA-F]{6}", label=_("Colour"), required=False, widget=forms.TextInput({"type": "color"})
    )
    title = forms.CharField(label=_("Title of the widget"), max_length=60, required=False)
    hmac_required = forms.BooleanField(label=_("Who says who they are must prove it"), required=False)
    auto_assignment = forms.BooleanField(label=_("Give out conversations in turn"), required=False)
    bot_enabled = forms.BooleanField(label=_("The bot answers first"), required=False)
    csat_enabled = forms.BooleanField(label=_("Ask for a rating at the end"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        none = [("", _("None"))]
        for name, rows in (
            ("hours", BusinessHours.objects.order_by("name")),
            ("sla", SlaPolicy.objects.order_by("name")),
            ("team", Team.objects.order_by("name")),
        ):
            choices = none + [(str(row.pk), str(row)) for row in rows]
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """As the service takes them."""
        data = dict(self.cleaned_data)
        data["look"] = {"colour": data.pop("colour") or "#0a656d", "title": data.pop("title"), "side": "right"}
        return data | {name: data[name] or None for name in ("hours", "sla", "team")}


class NewInboxForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80, widget=forms.TextInput(_PLAIN))
    kind = forms.ChoiceField(label=_("Kind"), choices=InboxKind.choices)


class DeskForm(forms.Form):
    masked = forms.MultipleChoiceField(
        label=_("Never stored in clear"),
        choices=[(kind, KIND_NAMES[kind]) for kind in KINDS],
        initial=list(DEFAULT_KINDS),
        widget=forms.CheckboxSelectMultiple,
    )
    original_days = forms.IntegerField(
        label=_("Days that originals are kept, sealed"),
        min_value=0,
        max_value=365,
        help_text=_("0 keeps nothing. Reading one takes a permission and a reason."),
    )
    resolve_after_days = forms.IntegerField(
        label=_("Days of silence after which a conversation is resolved"),
        min_value=0,
        max_value=365,
        help_text=_("0 resolves nothing by itself."),
    )


class AgentForm(forms.Form):
    capacity = forms.IntegerField(label=_("Open conversations at a time"), min_value=0, max_value=200)
    skills = LinesField(label=_("Skills"), required=False, help_text=_("One on each line."))


class ContactForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    email = forms.CharField(label=_("E-mail address"), max_length=254, required=False)
    phone = forms.CharField(label=_("Telephone"), max_length=40, required=False)
    identifier = forms.CharField(label=_("Your own id"), max_length=200, required=False, widget=forms.TextInput(_PLAIN))
    language = forms.CharField(
        label=_("Language"),
        max_length=10,
        required=False,
        help_text=_("Like en or zh-Hans."),
        widget=forms.TextInput(_PLAIN),
    )


class AgentBotForm(forms.Form):
    """A program that answers: where it is told, how long it may be away, and where it answers."""

    name = forms.CharField(label=_("Name"), max_length=80, widget=forms.TextInput(_PLAIN))
    url = forms.CharField(
        label=_("Address that is told"),
        max_length=1_000,
        widget=forms.URLInput(_PLAIN),
        help_text=_("Is sent what visitors write, as Chatwoot's agent bots are."),
    )
    patience_seconds = forms.IntegerField(
        label=_("Patience in seconds"),
        min_value=5,
        max_value=600,
        help_text=_("Where the program cannot be reached for so long, people get the conversation."),
    )
    inboxes = forms.MultipleChoiceField(label=_("Answers in"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Inbox.objects.filter(archived_at=None).order_by("name", "id")
        self.fields["inboxes"].choices = [(str(row.pk), row.name) for row in rows]  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """As the service takes them."""
        return dict(self.cleaned_data) | {"inboxes": [UUID(each) for each in self.cleaned_data["inboxes"]]}
