"""Forms of single sign-on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Role
from apps.accounts.services.security import MOST_GRACE_DAYS, MOST_KEY_DAYS, MOST_SESSION_HOURS
from apps.sso.services import GIVEN_ROLES, Mapping

ROLES = [(role.value, role.label) for role in GIVEN_ROLES]
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class AddressForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail address at work"), max_length=254, widget=forms.EmailInput({"autocomplete": "username"})
    )


class ConnectionForm(forms.Form):
    """What every connection has: a name, and how what the provider says becomes a member."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("What people read on the button, such as “Okta”."),
        widget=forms.TextInput(_PLAIN),
    )
    email_attribute = forms.CharField(label=_("E-mail attribute"), max_length=200, required=False)
    name_attribute = forms.CharField(label=_("Name attribute"), max_length=200, required=False)
    groups_attribute = forms.CharField(
        label=_("Groups attribute"),
        max_length=200,
        required=False,
        help_text=_("Left empty, the usual names of the three are looked for."),
    )
    creates_members = forms.BooleanField(
        label=_("Make members of people who come for the first time"), required=False, initial=True
    )
    default_role = forms.ChoiceField(label=_("Their role"), choices=ROLES, initial=Role.MEMBER)
    trusts_mfa = forms.BooleanField(
        label=_("Believe the provider that it saw a second factor"),
        required=False,
        help_text=_("Counts where the organization demands one: the claim amr must contain “mfa”, or SAML's context."),
    )

    def mapping(self) -> Mapping:
        names = "name email_attribute name_attribute groups_attribute creates_members default_role trusts_mfa"
        data = self.cleaned_data
        return Mapping(
            allow_idp_initiated=data.get("allow_idp_initiated", False), **{name: data[name] for name in names.split()}
        )


class OidcForm(ConnectionForm):
    issuer = forms.CharField(
        label=_("Issuer"),
        max_length=1000,
        help_text=_("As the provider names itself, such as https://login.example.com."),
        widget=forms.URLInput(_PLAIN),
    )
    client_id = forms.CharField(label=_("Client id"), max_length=400, widget=forms.TextInput(_PLAIN))
    client_secret = forms.CharField(
        label=_("Client secret"),
        max_length=1000,
        required=False,
        help_text=_("Kept sealed and never shown again."),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
    field_order = ("name", "issuer", "client_id", "client_secret")

    def __init__(self, *args: Any, existing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if existing:
            del self.fields["issuer"]
            kept = _("Kept sealed and never shown again. Leave it empty to keep the one there is.")
            self.fields["client_secret"].help_text = kept


class SamlForm(ConnectionForm):
    metadata_url = forms.CharField(
        label=_("Metadata address"), max_length=1000, required=False, widget=forms.URLInput(_PLAIN)
    )
    metadata = forms.CharField(
        label=_("or the metadata itself"),
        required=False,
        max_length=262_144,
        widget=forms.Textarea({"rows": 6, **_PLAIN}),
    )
    allow_idp_initiated = forms.BooleanField(
        label=_("Accept sign-ins that begin at the provider"),
        required=False,
        help_text=_("Such as a tile on its start page. An answer that nobody asked for is easier to misuse."),
    )
    field_order = ("name", "metadata_url", "metadata")

    def __init__(self, *args: Any, existing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.existing = existing

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.existing and not data.get("metadata") and not data.get("metadata_url"):
            raise forms.ValidationError(_("Give the metadata's address, or paste the metadata."))
        return data


class DomainForm(forms.Form):
    name = forms.CharField(
        label=_("Domain"), max_length=253, widget=forms.TextInput({**_PLAIN, "placeholder": "example.com"})
    )


class RuleForm(forms.Form):
    group = forms.CharField(label=_("Group"), max_length=200, widget=forms.TextInput(_PLAIN))
    role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial=Role.MEMBER)


class PolicyForm(forms.Form):
    sso_required = forms.BooleanField(
        label=_("Demand single sign-on of everybody"),
        required=False,
        help_text=_("Also of owners and of people who are signed in already."),
    )
    mfa_required = forms.BooleanField(label=_("Demand a second factor of everybody"), required=False)
    grace_days = forms.IntegerField(
        label=_("Days until a new demand holds"), min_value=0, max_value=MOST_GRACE_DAYS, initial=0
    )
    sso_session_hours = forms.IntegerField(
        label=_("Hours until single sign-on is asked for again"), min_value=1, max_value=MOST_SESSION_HOURS
    )
    keys_need_sso_days = forms.IntegerField(
        label=_("Days that an API key lives on without its maker's single sign-on"),
        min_value=1,
        max_value=MOST_KEY_DAYS,
        required=False,
        help_text=_("Empty: keys do not depend on people."),
    )


class ConfirmForm(forms.Form):
    """Removing something asks for its name, typed."""

    name = forms.CharField(label=_("Type the name to confirm"), widget=forms.TextInput(_PLAIN))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.strip() != self.expected.strip():
            raise forms.ValidationError(_("This is not the name."))
        return name
