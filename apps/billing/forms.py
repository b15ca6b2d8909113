"""Forms of the budgets' pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Membership, ServiceAccount, Team
from apps.billing.models import BudgetKind
from apps.billing.services.budgets import MOST_TOKENS, BudgetFor

# As many as a list in a form can hold; beyond that the API sets budgets.
MOST_CHOICES = 500


class AmountForm(forms.Form):
    monthly_tokens = forms.IntegerField(
        label=_("Tokens a month"),
        min_value=0,
        max_value=MOST_TOKENS,
        help_text=_("Of prompts and answers together. Calls that need more than is left are refused."),
    )


class BudgetForm(AmountForm):
    kind = forms.ChoiceField(
        label=_("For"),
        choices=[
            (BudgetKind.MEMBER, _("A member, with all their keys")),
            (BudgetKind.TEAM, _("A team, all its members together")),
            (BudgetKind.SERVICE_ACCOUNT, _("A service account")),
            (BudgetKind.DEFAULT, _("Each member without a budget of their own")),
        ],
    )
    email = forms.EmailField(label=_("The member's address"), required=False)
    team = forms.ChoiceField(label=_("The team"), required=False)
    service_account = forms.ChoiceField(label=_("The service account"), required=False)
    field_order = ["kind", "email", "team", "service_account", "monthly_tokens"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, model in (("team", Team), ("service_account", ServiceAccount)):
            rows = model.objects.order_by("name").values_list("pk", "name")[:MOST_CHOICES]
            field: Any = self.fields[name]
            field.choices = [("", "–"), *((str(id), label) for id, label in rows)]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        field = {BudgetKind.MEMBER: "email"}.get(values.get("kind", ""), values.get("kind", ""))
        if field in self.fields and not values.get(field) and field not in self.errors:
            self.add_error(field, gettext("Say whose budget it is."))
        return values

    def owner(self) -> BudgetFor:
        """Whose budget is meant; an address that is nobody's here becomes an id that is nobody's."""
        kind = BudgetKind(self.cleaned_data["kind"])
        if kind == BudgetKind.DEFAULT:
            return BudgetFor(kind)
        if kind == BudgetKind.MEMBER:
            found = Membership.objects.filter(user__email=self.cleaned_data["email"].lower())
            return BudgetFor(kind, found.values_list("pk", flat=True).first() or UUID(int=0))
        return BudgetFor(kind, UUID(self.cleaned_data[kind]))
