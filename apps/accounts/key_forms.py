"""Forms of API keys and service accounts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.models import ServiceAccount
from apps.accounts.organization_forms import OFF, RoleField, TeamForm, roles_to_give
from apps.accounts.permissions import KEY_SCOPES, MEMBER_SCOPES, PERMISSIONS, Role

MOST_ACCOUNTS = 100
LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("A year")), ("", _("No end"))]
OVERLAPS = [
    ("0", _("Not at all")),
    ("1", _("An hour")),
    ("24", _("A day")),
    ("168", _("A week")),
    ("720", _("30 days")),
]


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(OFF | {"placeholder": _("Which program will use it")})
    )
    owner = forms.ChoiceField(
        label=_("Belongs to"), required=False, help_text=_("It can do what its scopes say and its owner may do.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one scope.")},
    )
    lifetime = forms.ChoiceField(label=_("Works for"), choices=LIFETIMES, required=False, initial="90")
    allowed_networks = forms.CharField(
        label=_("Only from"),
        required=False,
        widget=forms.Textarea({"rows": 2, "spellcheck": "false", "placeholder": "203.0.113.0/24"}),
        help_text=_("Addresses or networks, one a line. Empty means from anywhere."),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        allowed = [scope for scope in KEY_SCOPES if scope in actor.permissions]
        self.fields["scopes"].choices = [(scope, PERMISSIONS[scope]) for scope in allowed]  # type: ignore[attr-defined]
        self.fields["scopes"].initial = [scope for scope in allowed if scope in MEMBER_SCOPES]
        accounts = ServiceAccount.objects.filter(disabled_at__isnull=True).order_by("name")[:MOST_ACCOUNTS]
        own = [("", _("Me"))]
        self.fields["owner"].choices = own + [(str(a.pk), a.name) for a in accounts]  # type: ignore[attr-defined]

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None

    def networks(self) -> list[str]:
        return str(self.cleaned_data["allowed_networks"]).replace(",", "\n").split()

    def service_account_id(self) -> UUID | None:
        owner = self.cleaned_data["owner"]
        return UUID(owner) if owner else None


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(
        label=_("The old key goes on working for"),
        choices=OVERLAPS,
        initial="24",
        help_text=_("Long enough to put the new one everywhere the old one is used."),
    )

    def duration(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["overlap"]))


class ServiceAccountForm(TeamForm):
    """Name, description and role of a program."""

    role = RoleField(initial=Role.MEMBER)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [choice for choice in roles_to_give(actor) if choice[0] != Role.OWNER]
        self.fields["role"].choices = choices  # type: ignore[attr-defined]


class RevokeForm(forms.Form):
    """Revoking asks for the key's name, typed."""

    name = forms.CharField(label=_("Type the key's name to confirm"), widget=forms.TextInput({"autocomplete": "off"}))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.strip() != self.expected.strip():
            raise forms.ValidationError(_("This is not the key's name."))
        return name
