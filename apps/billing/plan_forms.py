"""Forms of plans, seats, tax details and endings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.billing.catalogue import catalogue
from apps.billing.models import Interval
from apps.billing.services import Seats, TaxDetails
from apps.billing.services.caps import MOST_MICROS
from apps.billing.services.subscriptions import LONGEST_PAUSE, LONGEST_REASON
from apps.billing.texts import shown

OFF = {"autocomplete": "off"}
# Kinds of tax ids as Stripe calls them, those of the currencies that are sold first.
TAX_KINDS = (
    ("", _("None")),
    ("eu_vat", _("European VAT number")),
    ("gb_vat", _("British VAT number")),
    ("us_ein", _("American EIN")),
    ("cn_tin", _("Chinese tax number")),
    ("ch_vat", _("Swiss VAT number")),
    ("jp_cn", _("Japanese corporate number")),
    ("ca_bn", _("Canadian business number")),
    ("au_abn", _("Australian business number")),
)


class PlanForm(forms.Form):
    """Which plan is to be taken; `code` is of a promotion."""

    plan = forms.ChoiceField(label=_("Plan"))
    interval = forms.ChoiceField(label=_("You pay"), choices=Interval.choices)
    currency = forms.ChoiceField(label=_("Currency"))
    seats = forms.IntegerField(label=_("Seats"), min_value=1, max_value=100_000)
    code = forms.CharField(label=_("Promotion code"), required=False, max_length=80, widget=forms.TextInput(OFF))

    def __init__(self, *args: Any, currency: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = catalogue()
        self.paid = [plan for plan in found.plans if any(price.base_minor for price in plan.prices)]
        self._choices("plan", [(plan.code, shown(plan.name)) for plan in self.paid])
        self._choices("currency", [(name, name) for name in ([currency] if currency else found.currencies)])

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices


class ChangeForm(forms.Form):
    """What a subscription is to become; with `when` for what is smaller."""

    plan = forms.ChoiceField(label=_("Plan"), required=False)
    interval = forms.ChoiceField(label=_("You pay"), choices=Interval.choices, required=False)
    seats = forms.IntegerField(label=_("Seats"), min_value=1, max_value=100_000, required=False)
    when = forms.ChoiceField(
        label=_("Begins"),
        choices=(("now", _("at once")), ("period_end", _("with the next period: only for less"))),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan: Any = self.fields["plan"]
        sold = [one for one in catalogue().plans if any(price.base_minor for price in one.prices)]
        plan.choices = [(one.code, shown(one.name)) for one in sold]

    def asked(self) -> dict[str, Any]:
        """As the service takes it."""
        values = self.cleaned_data
        return {
            "plan": values["plan"],
            "interval": values["interval"],
            "seats": values["seats"],
            "when": values["when"] or "now",
        }


class SeatsForm(forms.Form):
    """Another number of seats of the plan there is; asked for by GET of the page that says what it costs."""

    seats = forms.IntegerField(label=_("Number of seats"), min_value=1, max_value=100_000)
    when = forms.ChoiceField(
        label=_("Begins"), choices=(("now", _("at once")), ("period_end", _("with the next period: only for fewer")))
    )

    def __init__(self, *args: Any, seats: Seats, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        number: Any = self.fields["seats"].widget
        number.attrs["min"] = max(seats.taken, seats.included)
        if seats.most is not None:
            number.attrs["max"] = seats.most


class CancelForm(forms.Form):
    at_once = forms.ChoiceField(
        label=_("When"),
        choices=(("", _("At the end of what is paid for")), ("1", _("At once: nothing is given back"))),
        required=False,
    )
    reason = forms.CharField(
        label=_("Why do you leave?"),
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("Only if you like to say it."),
    )


class PauseForm(forms.Form):
    months = forms.TypedChoiceField(
        label=_("Months"), coerce=int, choices=[(n, n) for n in range(1, LONGEST_PAUSE + 1)]
    )


class CapForm(forms.Form):
    """How much may be charged beyond the plan in a month, in units of the currency; nothing removes the cap."""

    amount = forms.DecimalField(
        label=_("At most a month"),
        required=False,
        min_value=0,
        max_value=Decimal(MOST_MICROS) / 1_000_000,
        decimal_places=2,
        help_text=_("Leave it empty to have no cap. 0 allows nothing beyond what the plan includes."),
    )


class DetailsForm(forms.Form):
    """What stands on invoices."""

    name = forms.CharField(label=_("Name on invoices"), max_length=200)
    email = forms.EmailField(label=_("E-mail address for invoices"))
    country = forms.RegexField(
        r"^[A-Za-z]{2}$", label=_("Country"), required=False, help_text=_("Two letters, such as DE.")
    )
    tax_id_kind = forms.ChoiceField(label=_("Kind of tax number"), choices=TAX_KINDS, required=False)
    tax_id = forms.CharField(label=_("Tax number"), required=False, max_length=60, widget=forms.TextInput(OFF))

    def details(self) -> TaxDetails:
        values = self.cleaned_data
        return TaxDetails(
            name=values["name"].strip(),
            email=values["email"].strip(),
            country=values["country"].upper(),
            tax_id_kind=values["tax_id_kind"],
            tax_id=values["tax_id"].strip(),
        )
