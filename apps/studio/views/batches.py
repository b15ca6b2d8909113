"""Batches of the OpenAI API on pages: which there are, how far each has got, its files, and stopping it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, organization_page
from apps.core import media
from apps.core.errors import Conflict, NotFound
from apps.core.keyset import page_of
from apps.studio import texts
from apps.studio.models import Batch, BatchState
from apps.studio.services import batches
from apps.studio.services.bulk import progress_of_many
from apps.studio.services.bulk.progress import Progress
from apps.studio.services.files import READ, WRITE, id_of

LINK_SECONDS = 15 * 60
STATES: dict[str, Promise] = {
    BatchState.VALIDATING: gettext_lazy("Being read"),
    BatchState.IN_PROGRESS: gettext_lazy("Being answered"),
    BatchState.FINALIZING: gettext_lazy("Files are being written"),
    BatchState.COMPLETED: gettext_lazy("Completed"),
    BatchState.FAILED: gettext_lazy("Failed"),
    BatchState.EXPIRED: gettext_lazy("Expired"),
    BatchState.CANCELLING: gettext_lazy("Being cancelled"),
    BatchState.CANCELLED: gettext_lazy("Cancelled"),
}
BADGES: dict[str, str] = {
    BatchState.VALIDATING: "queued",
    BatchState.COMPLETED: "succeeded",
    BatchState.FAILED: "failed",
    BatchState.EXPIRED: "cancelled",
    BatchState.CANCELLED: "cancelled",
}
FILES = {"input": "input_file", "output": "output_file", "error": "error_file"}


class Shown:
    """A batch with how far it has got, and its state in words."""

    def __init__(self, row: Batch, counts: dict[UUID, Progress]) -> None:
        self.row, self.progress = row, counts.get(row.run_id) if row.run_id else None
        self.state, self.badge = STATES[row.state], BADGES.get(row.state, "running")
        self.open = row.state in batches.OPEN
        self.can_be_cancelled = row.state in batches.CANCELLABLE


@require_GET
@organization_page
def batch_list(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    page = page_of(Batch.objects.select_related("input_file", "created_by", "api_key"), request.GET.get("before"))
    counts = progress_of_many([batch.run_id for batch in page.rows if batch.run_id])
    context = {"page": page, "entries": [Shown(batch, counts) for batch in page.rows]}
    return render(request, "studio/batches/list.html", context)


@require_GET
@organization_page
def batch_page(request: HttpRequest, id: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    batch = _batch(actor, id)
    run = batch.run
    stopped = batch.state == BatchState.IN_PROGRESS and run is not None and run.stop_code
    context: dict[str, Any] = {
        "shown": Shown(batch, progress_of_many([batch.run_id]) if batch.run_id else {}),
        "batch": batch,
        "stopped_because": texts.error_text(run.stop_code, run.stop_told) if stopped and run else "",
        "may_write": WRITE in actor.permissions,
    }
    return render(request, "studio/batches/batch.html", context)


@require_POST
@organization_page
def cancel(request: HttpRequest, id: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    try:
        batches.cancel_batch(actor, _id(id))
    except Conflict:
        messages.error(
            request, _("This batch has ended, or its files are being written: it can no longer be cancelled.")
        )
    else:
        messages.success(request, _("The batch is being cancelled; what has been answered stays."))
    return redirect("batch", id)


@require_GET
@organization_page
def download(request: HttpRequest, id: str, file: str) -> HttpResponse:
    """One of its files, by a link that ends by itself."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    batch = _batch(actor, id)
    stored = getattr(batch, FILES[file]) if file in FILES else None
    if stored is None:
        raise NotFound(_("There is no such file."))
    link = media.link_to(actor.organization_id, stored.path, seconds=LINK_SECONDS, name=stored.filename)
    return redirect(link)


def _batch(actor: Actor, id: str) -> Batch:
    actor.require(READ)
    return batches.get_batch(actor, _id(id))


def _id(value: str) -> UUID:
    return id_of(value, "batch_", batches.NO_BATCH)
