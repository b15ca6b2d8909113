"""Usage: a month by member, key, team, model or day, the ledger behind each number, and the whole as a file."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from apps.accounts import audit
from apps.accounts.access import organization_page
from apps.billing import export
from apps.billing.chart import BAR_STEP, bars
from apps.billing.entitlements import next_month
from apps.billing.models import LedgerEntry
from apps.billing.usage import DAY, GROUPINGS, OF_MEMBERS, Filters, breakdown, filters_of
from apps.core.keyset import page_of

READ = "usage:read"


@require_GET
@organization_page
def usage(request: HttpRequest) -> HttpResponse:
    """A month's usage; whoever may not see members sees their own."""
    filters = _filters(request)
    groupings = {by: label for by, label in GROUPINGS.items() if filters.only is None or by not in OF_MEMBERS}
    by = request.GET.get("by", "")
    by = by if by in groupings else next(iter(groupings))
    found = breakdown(filters, by)
    days = [filters.month + timedelta(days=n) for n in range(monthrange(filters.month.year, filters.month.month)[1])]
    context = {
        "by": by,
        "by_label": groupings[by],
        "groupings": groupings,
        "filters": filters,
        "found": found,
        "bars": bars(days, {day: totals.tokens for day, totals in found.days.items()}),
        "chart_width": len(days) * BAR_STEP,
        "months": _months(filters.month),
    }
    return render(request, "billing/usage.html", context)


@require_GET
@organization_page
def usage_ledger(request: HttpRequest) -> HttpResponse:
    """The ledger's lines that a number of the usage page is the sum of, newest first."""
    filters = _filters(request)
    rows = filters.entries().select_related("spender__user", "spender__service_account", "api_key")
    page = page_of(rows, request.GET.get("before"))
    may_read = "generations:read" in request.actor.permissions  # type: ignore[attr-defined]
    context = {"filters": filters, "page": page, "total": breakdown(filters, DAY).total, "may_read": may_read}
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


def _months(shown: date) -> list[date]:
    """The months that there is usage of, newest first, and the one that is shown."""
    this = timezone.now().date().replace(day=1)
    first = LedgerEntry.objects.order_by("month").values_list("month", flat=True).first() or this
    months, month = [], min(first, this)
    while month <= this:
        months.append(month)
        month = next_month(month)
    return sorted({*months, shown}, reverse=True)
