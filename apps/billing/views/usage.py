"""Usage: a month by meter, model, member, key, team or day, the ledger behind each number, and the whole as a file."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts import audit
from apps.accounts.access import organization_page
from apps.billing import export, units
from apps.billing.entitlements import month_of, next_month
from apps.billing.models import LedgerEntry
from apps.billing.services import forecast_of, window_before
from apps.billing.usage import (
    GROUPINGS,
    METER_NAMES,
    OF_MEMBERS,
    Filters,
    Totals,
    applied_of,
    breakdown,
    chosen,
    filters_of,
    total_of,
)
from apps.core.charts import Chart, Kind, Series, draw
from apps.core.keyset import page_of

READ = "usage:read"


@require_GET
@organization_page
def usage(request: HttpRequest) -> HttpResponse:
    """A month's usage; whoever may not see members sees their own."""
    filters, organization = _filters(request), request.organization.pk  # type: ignore[attr-defined]
    groupings = {by: label for by, label in GROUPINGS.items() if filters.only is None or by not in OF_MEMBERS}
    by = request.GET.get("by", "")
    by = by if by in groupings else next(iter(groupings))
    wants_forecast = _wants_forecast(filters)
    found = breakdown(filters, by, window_before(timezone.now().date()) if wants_forecast else None)
    days = [filters.month + timedelta(days=n) for n in range(monthrange(filters.month.year, filters.month.month)[1])]
    measure = _measure(filters, found.total)
    context = {
        "by": by,
        "by_label": groupings[by],
        "groupings": groupings,
        "filters": filters,
        "found": found,
        "measure": measure,
        "labels": _labels(),
        "meter_names": METER_NAMES,
        "chosen": chosen(filters),
        "chart": _chart(filters, measure, days, {day: getattr(totals, measure) for day, totals in found.days.items()}),
        "months": _months(filters.month),
        "forecast": forecast_of(organization, counted=found.counted) if wants_forecast else None,
    }
    return render(request, "billing/usage.html", context)


def _chart(filters: Filters, measure: str, days: Sequence[date], values: Mapping[date, int]) -> Chart | None:
    title, unit = {
        "quantity": (_("Quantity a day"), _("Quantity")),
        "tokens": (_("Tokens a day"), _("Tokens")),
        "requests": (_("Lines a day"), _("Lines")),
    }[measure]
    row = Series(unit, [values.get(day, 0) for day in days])
    labels = [date_format(day, "MONTH_DAY_FORMAT") for day in days]
    most = _("Most: {value} ({label})")
    ledger = [f"{reverse('usage-ledger')}?{filters.query}&day={day:%Y-%m-%d}" for day in days]
    show = partial(units.figures, filters.meter)
    return draw(Kind.BARS, title, labels, [row], label=_("Day"), show=show, most=most, links=ledger)


def _labels() -> dict[str, str]:
    """What the columns of numbers are called, which narrow pages say in each cell."""
    return {
        "lines": _("Lines"),
        "quantity": _("Quantity"),
        "prompt": _("Prompt"),
        "answer": _("Answer"),
        "tokens": _("Tokens"),
        "value": _("Value"),
        "charge": _("Charge"),
    }


def _wants_forecast(filters: Filters) -> bool:
    """Whether it is told what the month will come to: it is not over yet, and nothing narrows what is shown."""
    return filters.only is None and filters.given.keys() == {"month"} and filters.month == month_of(timezone.now())


@require_GET
@organization_page
def usage_ledger(request: HttpRequest) -> HttpResponse:
    """The ledger's lines that a number of the usage page is the sum of, newest first."""
    filters = _filters(request)
    rows = filters.entries().select_related("spender__user", "spender__service_account", "api_key")
    page = page_of(rows, request.GET.get("before"))
    may_read = "generations:read" in request.actor.permissions  # type: ignore[attr-defined]
    context = {
        "filters": filters,
        "page": page,
        "lines": [(entry, applied_of(entry)) for entry in page.rows],
        "total": total_of(filters),
        "may_read": may_read,
        "chosen": chosen(filters),
    }
    return render(request, "billing/ledger.html", context)


@require_POST
@organization_page
def export_usage(request: HttpRequest) -> HttpResponse:
    """The month as CSV, sent while it is read; recorded."""
    filters = _filters(request)
    actor, organization = request.actor, request.organization  # type: ignore[attr-defined]
    audit.record(actor, "usage.exported", organization, month=f"{filters.month:%Y-%m}")
    answer = StreamingHttpResponse(export.stream(organization.pk, filters), content_type="text/csv; charset=utf-8")
    answer["content-disposition"] = f'attachment; filename="usage-{organization.slug}-{filters.month:%Y-%m}.csv"'
    answer["cache-control"] = "no-store"
    # Django's two kinds of answer have a base in common that the decorator does not ask for.
    return answer  # type: ignore[return-value]


def _filters(request: HttpRequest) -> Filters:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    given: Any = request.POST if request.method == "POST" else request.GET
    return filters_of(actor, given, timezone.now().date())


def _measure(filters: Filters, total: Totals) -> str:
    """What the chart shows: the quantity of one meter, else tokens, else how many lines there are."""
    if filters.has_quantity:
        return "quantity"
    return "tokens" if total.tokens or not total.requests else "requests"


def _months(shown: date) -> list[date]:
    """The months that there is usage of, newest first, and the one that is shown."""
    this = timezone.now().date().replace(day=1)
    first = LedgerEntry.objects.order_by("month").values_list("month", flat=True).first() or this
    months, month = [], min(first, this)
    while month <= this:
        months.append(month)
        month = next_month(month)
    return sorted({*months, shown}, reverse=True)
