"""The public page of prices: everything on it comes from the rows that subscriptions and the ledger use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_safe

from apps.accounts.access import organization_context
from apps.billing.catalogue import Allowance, Catalogue, Pack, Price, Rate, SoldPlan, catalogue
from apps.billing.entitlements import FEATURES
from apps.billing.models import Meter
from apps.billing.pricing import MONTH, YEAR, Choice, Quote, choice_of, quote, rate_of, saving
from apps.billing.texts import shown


@dataclass(frozen=True, slots=True)
class Column:
    """One plan as the page shows it."""

    plan: SoldPlan
    name: str
    description: str
    quote: Quote | None
    price: Price | None
    saving: int
    features: list[str | Promise]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the comparison: what it is called, and a cell for each plan."""

    label: str | Promise
    cells: list[Any]
    meter: str = ""


@require_safe
def pricing(request: HttpRequest) -> HttpResponse:
    """Plans side by side, for the interval, the currency and the seats that the address names."""
    found = catalogue()
    choice = choice_of(request.GET.dict(), found.currencies, _languages(request))
    columns = [_column(plan, choice) for plan in found.plans]
    context = {
        "choice": choice,
        "columns": columns,
        "intervals": [(MONTH, choice.query(interval=MONTH)), (YEAR, choice.query(interval=YEAR))],
        "currencies": [(currency, choice.query(currency=currency)) for currency in found.currencies],
        "most_saved": max((column.saving for column in columns), default=0),
        "allowances": _lines(found, _allowance),
        "rates": _lines(found, lambda plan, meter: _beyond(plan, meter, choice.currency)),
        "features": [Line(label, [code in c.plan.features for c in columns]) for code, label in FEATURES.items()],
        "packs": _packs(found, choice),
    }
    response = render(request, "billing/pricing.html", context | _way(request, choice))
    # The currency that is offered first depends on it.
    response.headers["vary"] = ", ".join(filter(None, [response.headers.get("vary"), "Accept-Language"]))
    return response


def _languages(request: HttpRequest) -> list[str]:
    """The visitor's languages, the chosen one of the product first where it is not the one that everybody gets."""
    accepted = [code for code, _quality in parse_accept_lang_header(request.headers.get("accept-language", ""))]
    chosen = get_language() or ""
    return accepted if chosen.startswith("en") else [chosen, *accepted]


def _column(plan: SoldPlan, choice: Choice) -> Column:
    found = quote(plan, choice)
    return Column(
        plan=plan,
        name=shown(plan.name),
        description=shown(plan.description),
        quote=found,
        price=found.price if found else None,
        saving=saving(plan, choice),
        features=[FEATURES[code] for code in plan.features if code in FEATURES],
    )


def _lines(found: Catalogue, cell: Any) -> list[Line]:
    """A row for each meter of which any plan says something."""
    lines = [Line(meter.label, [cell(plan, meter) for plan in found.plans], meter.value) for meter in Meter]
    return [line for line in lines if any(line.cells)]


def _allowance(plan: SoldPlan, meter: str) -> Allowance | None:
    return next((each for each in plan.allowances if each.meter == meter), None)


def _beyond(plan: SoldPlan, meter: str, currency: str) -> tuple[Rate | None, str] | None:
    """The rate of a meter beyond what is included, and whether more is charged or needs credits."""
    allowance = _allowance(plan, meter)
    return (rate_of(plan, meter, currency), allowance.overage) if allowance else None


def _packs(found: Catalogue, choice: Choice) -> list[tuple[Pack, int]]:
    """Packs in the chosen currency, each with the percent of credit on top of what is paid, rounded down."""
    packs = [pack for pack in found.packs if pack.currency == choice.currency]
    return [(pack, max(0, (pack.credit_minor - pack.price_minor) * 100 // pack.price_minor)) for pack in packs]


def _way(request: HttpRequest, choice: Choice) -> dict[str, Any]:
    """Where choosing a plan leads: to the organization's plan, or to signing up; nowhere without the permission."""
    if not request.user.is_authenticated:
        return {"way": reverse("account_signup"), "is_signed_in": False}
    membership = organization_context(request)["membership"]
    if membership is None or "billing:manage" not in membership.permissions:
        return {"way": "", "is_signed_in": True}
    return {"way": f"{reverse('billing-plan')}?{choice.query()}", "is_signed_in": True}
