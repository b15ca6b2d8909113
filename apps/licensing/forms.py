"""Forms of the licences' pages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.organization_forms import OFF
from apps.core.currencies import chargeable, minor_digits
from apps.licensing.models import Policy
from apps.licensing.services.machines import MOST_REQUEST_BYTES
from apps.licensing.services.products import LONGEST_TEXT, MOST, MOST_DAYS, Grant, Sale

# As many as a list in a form can hold; beyond that the API issues licences.
MOST_CHOICES = 500


class ProductForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(OFF))
    code = forms.CharField(
        label=_("Code"),
        max_length=60,
        widget=forms.TextInput(OFF | {"spellcheck": "false"}),
        help_text=_("What licence files call it, and programs ask for; it stays as it is."),
    )
    description = forms.CharField(label=_("Description"), max_length=500, required=False, widget=forms.TextInput(OFF))


class TermsForm(forms.Form):
    """What is granted. Entitlements are words, artefacts lines of a digest and a path, as `sha256sum` writes them."""

    days = forms.IntegerField(
        label=_("Days"), required=False, min_value=1, max_value=MOST_DAYS, help_text=_("Empty: for good.")
    )
    seats = forms.IntegerField(
        label=_("Seats"), required=False, min_value=1, max_value=MOST, help_text=_("Empty: any number.")
    )
    floating = forms.BooleanField(label=_("Seats are floating: whoever works takes one"), required=False)
    most_machines = forms.IntegerField(
        label=_("Machines"), required=False, min_value=1, max_value=MOST, help_text=_("Empty: any number.")
    )
    machine_bound = forms.BooleanField(label=_("Works on activated machines only"), required=False, initial=True)
    entitlements = forms.CharField(
        label=_("Entitlements"), required=False, widget=forms.TextInput(OFF), help_text=_("Words, with spaces between.")
    )
    field_of_use = forms.CharField(
        label=_("Field of use"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("Contract text for people: what for it may be used."),
    )
    artefacts = forms.CharField(
        label=_("Files of the product"),
        required=False,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text=_("A line for each: its SHA-256 and its path, as `python -m ml.licensing artefacts FOLDER` writes."),
    )

    def grant(self) -> Grant:
        """Raises InvalidRequest, which names the field."""
        values = self.cleaned_data
        return Grant(
            seats=values["seats"],
            most_machines=values["most_machines"],
            floating=values["floating"],
            machine_bound=values["machine_bound"],
            entitlements=values["entitlements"].split(),
            field_of_use=values["field_of_use"],
            artefacts=[_artefact(line) for line in values["artefacts"].splitlines() if line.strip()],
        )


def _artefact(line: str) -> dict[str, str]:
    sha256, _space, path = line.strip().partition(" ")
    return {"sha256": sha256, "path": path.strip()}


class PolicyForm(TermsForm):
    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(OFF))
    price = forms.DecimalField(
        label=_("Price"),
        required=False,
        min_value=Decimal("0.01"),
        max_value=Decimal(10**8),
        help_text=_("Of one licence. Empty: licences are issued by hand only."),
    )
    currency = forms.CharField(
        label=_("Currency"), required=False, max_length=3, widget=forms.TextInput(OFF | {"placeholder": "EUR"})
    )
    is_published = forms.BooleanField(label=_("Other organizations of this installation can buy it"), required=False)
    field_order = ["name", *TermsForm.base_fields, "price", "currency", "is_published"]

    def sale(self) -> Sale:
        """Raises InvalidRequest."""
        values = self.cleaned_data
        currency = values["currency"].strip().upper()
        price: Decimal | None = values["price"]
        amount = chargeable(price.scaleb(minor_digits(currency)), currency, "price") if price is not None else None
        return Sale(amount, currency, values["is_published"])

    def wanted(self) -> dict[str, Any]:
        values = {"name": self.cleaned_data["name"], "days": self.cleaned_data["days"]}
        return values | self.grant().facts() | self.sale().facts()

    @staticmethod
    def values_of(policy: Policy) -> dict[str, Any]:
        price = None
        if policy.price_minor is not None:
            price = Decimal(policy.price_minor).scaleb(-minor_digits(policy.currency))
        own = {"name": policy.name, "price": price, "currency": policy.currency, "is_published": policy.is_published}
        return own | terms_as_text(policy)


def terms_as_text(policy: Policy) -> dict[str, Any]:
    """A policy's terms as `TermsForm` begins with them."""
    lines = [f"{each['sha256']}  {each['path']}" for each in policy.artefacts]
    return policy.terms | {
        "days": policy.days,
        "entitlements": " ".join(policy.entitlements),
        "artefacts": "\n".join(lines),
    }


class LicenseeForm(forms.Form):
    licensee = forms.CharField(label=_("Licensee"), max_length=200, widget=forms.TextInput(OFF))
    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput(OFF))


class IssueForm(LicenseeForm):
    """A policy, and whom for; other terms than the policy's are for the API."""

    policy = forms.ChoiceField(label=_("Policy"))
    field_order = ["policy", "licensee", "email"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Policy.objects.select_related("product").order_by("product__name", "name")[:MOST_CHOICES]
        field: Any = self.fields["policy"]
        field.choices = [(str(policy.pk), f"{policy.product.name}: {policy.name}") for policy in rows]


class RenewForm(forms.Form):
    days = forms.IntegerField(label=_("Days more"), min_value=1, max_value=MOST_DAYS, initial=365)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Why"), max_length=300, widget=forms.TextInput(OFF))


class RequestForm(forms.Form):
    """An activation request, as a file or pasted."""

    file = forms.FileField(label=_("The request file"), required=False)
    text = forms.CharField(
        label=_("Or its text"),
        required=False,
        max_length=MOST_REQUEST_BYTES,
        strip=False,
        widget=forms.Textarea({"rows": 6, "spellcheck": "false", "class": "mono"}),
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not values.get("file") and not values.get("text"):
            raise forms.ValidationError(gettext("Choose the file that the licensee has sent, or paste its text."))
        return values

    def request_bytes(self) -> bytes:
        """The request's bytes; what browsers do to line ends in a text is undone."""
        given = self.cleaned_data["file"]
        if given:
            return bytes(given.read(MOST_REQUEST_BYTES))
        text: str = self.cleaned_data["text"].replace("\r\n", "\n").strip("\n")
        return f"{text}\n".encode()


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(label=_("Licences"), min_value=1, max_value=1000, initial=1)
