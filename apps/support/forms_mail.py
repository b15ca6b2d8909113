"""The form of an inbox's mail servers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.support.mail.providers import PROVIDERS, token_url
from apps.support.models import MailAuth, Tls
from apps.support.models.mail import LONGEST_ADDRESS, LONGEST_HOST, LONGEST_LOGIN

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}
_SECRET = {"autocomplete": "new-password"}
# What was just typed comes back after a try, and nothing that is stored.
_KEPT = _("Empty keeps the one that is stored; another server or user needs it again.")


def _host(label: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=LONGEST_HOST, widget=forms.TextInput(_PLAIN))


def _port(label: Any, initial: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=1, max_value=65_535, initial=initial)


class MailForm(forms.Form):
    """Where mails come from, and how answers leave."""

    address = forms.EmailField(label=_("E-mail address"), max_length=LONGEST_ADDRESS, widget=forms.EmailInput(_PLAIN))
    name = forms.CharField(label=_("Name of the sender"), max_length=80, required=False)
    plus = forms.BooleanField(
        label=_("The server delivers help+anything@… here as well"),
        required=False,
        help_text=_("Answers then find their conversation also where a mail program loses the thread."),
    )
    imap_host = _host(_("Server for incoming mail (IMAP)"))
    imap_port = _port(_("IMAP port"), 993)
    imap_tls = forms.ChoiceField(label=_("IMAP encryption"), choices=Tls.choices, initial=Tls.TLS)
    imap_user = forms.CharField(label=_("IMAP user"), max_length=LONGEST_LOGIN, widget=forms.TextInput(_PLAIN))
    imap_password = forms.CharField(
        label=_("IMAP password"), max_length=1_000, required=False, strip=False,
        widget=forms.PasswordInput(_SECRET, render_value=True),
        help_text=_KEPT,
    )  # fmt: skip
    folder = forms.CharField(label=_("IMAP folder"), max_length=120, initial="INBOX", widget=forms.TextInput(_PLAIN))
    smtp_host = _host(_("Server for outgoing mail (SMTP)"))
    smtp_port = _port(_("SMTP port"), 587)
    smtp_tls = forms.ChoiceField(label=_("SMTP encryption"), choices=Tls.choices, initial=Tls.STARTTLS)
    smtp_user = forms.CharField(
        label=_("SMTP user"), max_length=LONGEST_LOGIN, required=False, widget=forms.TextInput(_PLAIN)
    )
    smtp_password = forms.CharField(
        label=_("SMTP password"), max_length=1_000, required=False, strip=False,
        widget=forms.PasswordInput(_SECRET, render_value=True),
        help_text=_KEPT,
    )  # fmt: skip
    auth = forms.ChoiceField(
        label=_("Both servers let in by"), choices=MailAuth.choices, initial=MailAuth.PASSWORD, required=False
    )
    oauth_token_url = forms.CharField(
        label=_("OAuth: token address"), max_length=500, required=False, widget=forms.TextInput(_PLAIN),
        help_text="https://login.microsoftonline.com/TENANT/oauth2/v2.0/token · https://oauth2.googleapis.com/token",
    )  # fmt: skip
    oauth_authorize_url = forms.CharField(
        label=_("OAuth: sign-in address"), max_length=500, required=False, widget=forms.TextInput(_PLAIN),
        help_text=_("Only to sign in at another provider than Google or Microsoft; it is not stored."),
    )  # fmt: skip
    oauth_client_id = forms.CharField(
        label=_("OAuth: client id"), max_length=LONGEST_LOGIN, required=False, widget=forms.TextInput(_PLAIN)
    )
    oauth_client_secret = forms.CharField(
        label=_("OAuth: client secret"), max_length=8_000, required=False, strip=False,
        widget=forms.PasswordInput(_SECRET, render_value=True), help_text=_KEPT,
    )  # fmt: skip
    oauth_refresh_token = forms.CharField(
        label=_("OAuth: refresh token"), max_length=8_000, required=False,
        widget=forms.PasswordInput(_SECRET, render_value=True), help_text=_KEPT,
    )  # fmt: skip
    oauth_scope = forms.CharField(
        label=_("OAuth: scope"), max_length=500, required=False, widget=forms.TextInput(_PLAIN)
    )
    active = forms.BooleanField(label=_("Look into the mailbox every minute"), required=False, initial=True)

    @classmethod
    def filled(cls, typed: QueryDict, provider: str) -> MailForm:
        """What was typed, with what is known of the provider that is to be signed in to."""
        data = typed.copy()
        data["auth"] = MailAuth.OAUTH
        known = PROVIDERS.get(provider)
        if known is not None:
            data["oauth_token_url"] = token_url(provider, data.get("oauth_token_url", ""))
            data["oauth_scope"] = known.scope
            # Tokens of theirs go to no other servers.
            data["imap_host"], data["imap_port"], data["imap_tls"] = known.imap_host, "993", Tls.TLS
            data["smtp_host"], data["smtp_port"], data["smtp_tls"] = known.smtp_host, "587", Tls.STARTTLS
            data["imap_user"] = data.get("imap_user") or data.get("address", "")
        return cls(data)

    def values(self) -> dict[str, Any]:
        """As the service takes them."""
        kept = ("auth", "imap_password", "smtp_password", "oauth_client_secret", "oauth_refresh_token")
        given = {name: value for name, value in self.cleaned_data.items() if name != "oauth_authorize_url"}
        return {name: value for name, value in given.items() if value or name not in kept}
