"""What waits and runs of each organization, and who works."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import heartbeats
from apps.core.jobs import Job, Status
from apps.privacy.models import Erasure, Export
from apps.staff.abilities import Ability
from apps.staff.services.acting import require
from apps.staff.site import site
from apps.studio.models import Generation

QUEUES: tuple[type[Job], ...] = (Generation, Export, Erasure)
MOST_ORGANIZATIONS = 50


@site.page("queues/", "queues")
def queues(request: HttpRequest) -> HttpResponse:
    """Each queue by organization, those that wait longest first; and the workers that have been seen of late."""
    require(request.user, Ability.READ)  # type: ignore[arg-type]
    workers, tick = heartbeats.workers(), heartbeats.last_tick()
    context = site.each_context(request) | {
        "title": _("Queues and workers"),
        "queues": [{"name": model._meta.verbose_name_plural, **_queue(model)} for model in QUEUES],
        "workers": _workers(workers),
        "redis_away": workers is None,
        "tick": _ago(tick),
    }
    return TemplateResponse(request, "staff/queues.html", context)


def _queue(model: type[Job]) -> dict[str, Any]:
    waiting, running = Q(status=Status.QUEUED), Q(status=Status.RUNNING)
    rows = (
        model.objects.filter(status__in=[Status.QUEUED, Status.RUNNING])
        .values("organization__name")
        .annotate(
            waiting=Count("pk", filter=waiting),
            running=Count("pk", filter=running),
            oldest=Min("created_at", filter=waiting),
            newest=Max("claimed_at"),
        )
        .order_by("oldest")
    )
    shown = list(rows[:MOST_ORGANIZATIONS])
    return {
        "total": sum(row["waiting"] + row["running"] for row in shown),
        "table": {
            "headers": [_("Organization"), _("Waiting"), _("Running"), _("Oldest waits"), _("Last started")],
            "rows": [
                [
                    row["organization__name"],
                    f"{row['waiting']:,}",
                    f"{row['running']:,}",
                    _ago(row["oldest"]),
                    _ago(row["newest"]),
                ]
                for row in shown
            ],
        },
    }


def _workers(found: list[heartbeats.Worker] | None) -> dict[str, Any]:
    rows = []
    for worker in found or []:
        engines = [
            f"{engine['model']}: {engine['running']}/{engine['slots']}"
            if engine["loaded"]
            else f"{engine['model']}: {_('loading')}"
            for engine in worker.engines
        ]
        rows.append([worker.queue, worker.name, ", ".join(engines) or "–", _ago(worker.started), _ago(worker.seen)])
    headers = [_("Queue"), _("Worker"), _("Engines (running/places)"), _("Started"), _("Last seen")]
    return {"headers": headers, "rows": rows}


def _ago(moment: datetime | None) -> str:
    """`12 s`, `5 min`, `3 h` or `2 d`; a dash for never."""
    if moment is None:
        return "–"
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
