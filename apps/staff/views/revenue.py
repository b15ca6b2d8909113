"""What all organizations together bring in: what recurs, who came and left, what was collected and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.billing import gateway, revenue
from apps.billing.entitlements import month_of
from apps.core.charts import Chart, Kind, Series, Table, draw
from apps.core.templatetags.ui import minor, money
from apps.staff.abilities import Ability
from apps.staff.services.acting import require
from apps.staff.site import site
from apps.staff.views import revenue_csv

MONTHS = 12
MOST_FAILED = 50


@site.page("revenue/", "revenue")
def page(request: HttpRequest) -> HttpResponse:
    """By currency, the last twelve months; the running one as it stands now."""
    require(request.user, Ability.READ)  # type: ignore[arg-type]
    months = last_months(month_of(timezone.now()))
    context = site.each_context(request) | {
        "title": _("Revenue"),
        "payments_off": gateway.mode() is gateway.Mode.OFF,
        "recorded_since": revenue.recorded_since(),
        "currencies": _currencies(months),
        "failed": _failed(),
    }
    return TemplateResponse(request, "staff/revenue.html", context)


@site.page("revenue/csv/", "revenue_csv")
def export(request: HttpRequest) -> HttpResponse:
    """The months, or with `?of=failed` the payments that failed, for a spreadsheet."""
    require(request.user, Ability.READ)  # type: ignore[arg-type]
    if request.GET.get("of") == "failed":
        name, content = "failed-payments", revenue_csv.failed(revenue.failed_payments())
    else:
        months = last_months(month_of(timezone.now()))
        moved, collected = revenue.movements(months[0], months[-1]), revenue.collected(_begin(months[0]))
        name, content = "revenue", revenue_csv.months(moved, collected)
    answer = HttpResponse(content, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}-{timezone.now():%Y-%m-%d}.csv"'
    return answer


def last_months(month: date) -> list[date]:
    """The twelve months that end with this one."""
    last = month.year * 12 + month.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(last - MONTHS + 1, last + 1)]


def _begin(month: date) -> datetime:
    return datetime.combine(month, time.min, UTC)


def _currencies(months: Sequence[date]) -> list[dict[str, Any]]:
    """One part of the page for each currency in which there is anything; nothing is added up over currencies."""
    recurring = {row.currency: row for row in revenue.recurring()}
    moved, collected = revenue.movements(months[0], months[-1]), revenue.collected(_begin(months[0]))
    credits = {row.currency: row for row in revenue.credits_outstanding()}
    failed = {row.currency: row for row in revenue.failed_totals()}
    found = {*recurring, *credits, *failed, *(row.currency for row in moved), *(row.currency for row in collected)}
    return [
        {
            "code": code,
            "stats": _stats(code, recurring.get(code), credits.get(code), failed.get(code)),
            "mrr": _mrr(code, months, {row.month: row for row in moved if row.currency == code}),
            "collected": _collected(code, months, {row.month: row for row in collected if row.currency == code}),
        }
        for code in sorted(found)
    ]


def _stats(
    code: str,
    now: revenue.Recurring | None,
    credit: revenue.Credit | None,
    failed: revenue.FailedTotal | None,
) -> list[dict[str, str]]:
    count = now.subscriptions if now else 0
    late = _("%(amount)s of it past due") % {"amount": minor(now.past_due_minor if now else 0, code)}
    bills = _("Open invoices: %(count)s") % {"count": failed.invoices if failed else 0}
    return [
        {"label": _("MRR"), "value": minor(now.mrr_minor if now else 0, code), "note": late},
        {"label": _("Paying subscriptions"), "value": f"{count:,}", "note": ""},
        {"label": _("Failed payments"), "value": minor(failed.remaining_minor if failed else 0, code), "note": bills},
        {
            "label": _("Credits outstanding"),
            "value": money(credit.micros if credit else 0, code),
            "note": _("Bought or given, and not yet used"),
        },
    ]


def _mrr(code: str, months: Sequence[date], moved: dict[date, revenue.Movements]) -> Chart | None:
    headers = [
        _("Month"), _("Start"), _("New"), _("Expansion"), _("Contraction"), _("Churned"), _("Reactivated"), _("End"),
        _("Customers lost"), _("Revenue lost"),
    ]  # fmt: skip
    rows = []
    for month in reversed(months):
        if row := moved.get(month):
            amounts = [row.start_minor, row.new_minor, row.expansion_minor, row.contraction_minor, row.churned_minor]
            amounts += [row.reactivated_minor, row.end_minor]
            lost = f"{row.customers_churned:,} / {row.customers:,}{_percent(row.logo_churn, ' (%s)')}"
            shown = [minor(amount, code) for amount in amounts]
            rows.append([_month(month), *shown, lost, _percent(row.revenue_churn) or "–"])
    ends = Series(_("MRR"), [moved[month].end_minor if month in moved else 0 for month in months])
    return _drawn(Kind.LINES, _("MRR at the end of each month"), code, months, [ends], Table(headers, rows))


def _collected(code: str, months: Sequence[date], found: dict[date, revenue.Collected]) -> Chart | None:
    headers = [
        _("Month"), _("Invoices"), _("Usage beyond plans, as billed"), _("One-time orders"), _("Collected"),
        _("Refunded"), _("Disputed"), _("Left"),
    ]  # fmt: skip
    rows = []
    for month in reversed(months):
        if row := found.get(month):
            amounts = [row.invoices_minor, row.usage_billed_minor, row.orders_minor, row.gross_minor]
            amounts += [row.refunded_minor, row.disputed_minor, row.net_minor]
            rows.append([_month(month), *(minor(amount, code) for amount in amounts)])
    series = [
        Series(_("Invoices"), [found[month].invoices_minor if month in found else 0 for month in months]),
        Series(_("One-time orders"), [found[month].orders_minor if month in found else 0 for month in months]),
    ]
    title = _("Collected in each month, with taxes")
    return _drawn(Kind.STACKED, title, code, months, series, Table(headers, rows))


def _drawn(
    kind: Kind, title: str, code: str, months: Sequence[date], series: Sequence[Series], table: Table
) -> Chart | None:
    return draw(
        kind,
        title,
        [_month(month) for month in months],
        series,
        label=_("Month"),
        show=lambda value: minor(value, code),
        most=_("Most: {value} ({label})"),
        table=table,
    )


def _failed() -> dict[str, Any]:
    """One more than is shown is asked for, to know whether there are more."""
    found = revenue.failed_payments(MOST_FAILED + 1)
    headers = [_("Organization"), _("Invoice"), _("Open"), _("Failed (UTC)"), _("Where to look")]
    rows = [
        {
            "failed": row,
            "open": minor(row.remaining_minor, row.currency),
            "at": date_format(row.failed_at.astimezone(UTC), "DATETIME_FORMAT"),
        }
        for row in found[:MOST_FAILED]
    ]
    return {"headers": headers, "rows": rows, "more": len(found) > MOST_FAILED, "shown": MOST_FAILED}


def _percent(value: Any, words: str = "%s") -> str:
    return "" if value is None else words % f"{value} %"


def _month(month: date) -> str:
    return date_format(month, "YEAR_MONTH_FORMAT")
