"""Forms of the organization's console."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.models import CustomRole, Membership, Team
from apps.accounts.permissions import CUSTOM_ROLE_PERMISSIONS, PERMISSIONS, ROLE_PERMISSIONS, Role
from apps.core.errors import MillraceError

OFF = {"autocomplete": "off"}


def attempt(form: forms.Form, call: Callable[[], Any]) -> bool:
    """Calls a service; what it refuses is told at the field it is about."""
    try:
        call()
    except MillraceError as error:
        form.add_error(error.param if error.param in form.fields else None, error.shown())
        return False
    return True


def roles_to_give(actor: Actor) -> list[tuple[str, Any]]:
    """The roles that the actor may give, the organization's own last; a custom role's value is its id."""
    built_in = [(role.value, role.label) for role in Role if role is not Role.CUSTOM]
    own = [
        (str(role.pk), role.name) for role in CustomRole.objects.order_by("name") if role.granted <= actor.permissions
    ]
    return [choice for choice in built_in if ROLE_PERMISSIONS[choice[0]] <= actor.permissions] + own


class RoleField(forms.ChoiceField):
    """A built-in role or one of the organization's own; `role_of` tells the two apart."""

    def __init__(self, **options: Any) -> None:
        super().__init__(label=_("Role"), help_text=_("You can give what you may do yourself."), **options)


def role_of(value: str) -> tuple[str, UUID | None]:
    """What a role field's value means to the services."""
    return (value, None) if value in Role.values else (Role.CUSTOM, UUID(value))


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail address"), widget=forms.EmailInput(OFF | {"placeholder": "name@example.com"})
    )
    role = RoleField(initial=Role.MEMBER)
    teams = forms.MultipleChoiceField(label=_("Teams"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles_to_give(actor)  # type: ignore[attr-defined]
        self.fields["teams"].choices = team_choices()  # type: ignore[attr-defined]
        if not self.fields["teams"].choices:  # type: ignore[attr-defined]
            del self.fields["teams"]


def team_choices() -> list[tuple[str, str]]:
    return [(str(id), name) for id, name in Team.objects.order_by("name").values_list("id", "name")[:100]]


class RoleForm(forms.Form):
    role = RoleField()

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles_to_give(actor)  # type: ignore[attr-defined]


class TypedForm(forms.Form):
    """An act that cannot be taken back asks for a name, typed."""

    name = forms.CharField(widget=forms.TextInput(OFF | {"spellcheck": "false"}))

    def __init__(self, *args: Any, label: Any, expected: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["name"].label = label

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if self.expected and name.strip() != self.expected.strip():
            raise forms.ValidationError(_("This is not what was asked for."))
        return name


class TeamForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(OFF))
    description = forms.CharField(label=_("Description"), max_length=200, required=False, widget=forms.TextInput(OFF))


class CustomRoleForm(TeamForm):
    permissions = forms.MultipleChoiceField(
        label=_("May"),
        choices=[(name, PERMISSIONS[name]) for name in CUSTOM_ROLE_PERMISSIONS],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one permission.")},
    )


class OrganizationForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput({"autocomplete": "organization"}))
    slug = forms.CharField(
        label=_("Short name"),
        max_length=60,
        widget=forms.TextInput(OFF | {"spellcheck": "false"}),
        help_text=_(
            "Small letters, digits and hyphens. A new one gets a few characters at its end that make it unique."
        ),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=settings.LANGUAGES,
        help_text=_("Of the mail that the organization sends. Everybody chooses the language of their own pages."),
    )


class NewOrganizationForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput({"autocomplete": "organization"}))


class OfferForm(TypedForm):
    """To whom the organization is handed, and its name, typed."""

    email = forms.EmailField(label=_("E-mail address of a member"), widget=forms.EmailInput(OFF))
    field_order = ("email", "name")

    def clean_email(self) -> str:
        """Finds the member; `member` is theirs."""
        email: str = self.cleaned_data["email"].strip().lower()
        self.member = Membership.objects.filter(user__email=email).first()
        if self.member is None:
            raise forms.ValidationError(_("No member has this address."))
        return email


def first_errors(forms_of_page: Iterable[forms.Form]) -> int:
    """The status of a page with these forms."""
    return 422 if any(form.errors for form in forms_of_page) else 200
