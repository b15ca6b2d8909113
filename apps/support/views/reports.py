"""The page of reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.access import organization_page
from apps.support.models import Inbox
from apps.support.services import reports
from apps.support.services.reports import Where

DAYS = (1, 7, 30, 90)


@require_GET
@never_cache
@organization_page
def reports_page(request: HttpRequest) -> HttpResponse:
    """First replies, resolutions, ratings and the bot's work, of the last days."""
    days = request.GET.get("days", "7")
    chosen = int(days) if days in {str(each) for each in DAYS} else 7
    now = timezone.now()
    inboxes = list(Inbox.objects.order_by("name"))
    inbox = next((row for row in inboxes if str(row.pk) == request.GET.get("inbox")), None)
    where = Where(inbox=inbox.pk if inbox else None)
    found = reports.report(request.actor, now - timedelta(days=chosen), now, where)  # type: ignore[attr-defined]
    context: dict[str, Any] = {"report": found, "days": DAYS, "chosen": chosen, "inboxes": inboxes, "inbox": inbox}
    return render(request, "support/reports.html", context)
