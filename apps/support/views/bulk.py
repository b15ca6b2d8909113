"""The same act on what is chosen in the list, with what became of each, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, organization_page
from apps.core.errors import InvalidRequest, MillraceError
from apps.support.access import READ, WRITE
from apps.support.models import Conversation
from apps.support.services import bulk
from apps.support.services.bulk import Outcome

# The last act of this session, until the next one: what became of each conversation, and what it was before.
LAST = "support_bulk"
Act = Callable[[Actor, Sequence[UUID], str], list[Outcome]]


def _action(name: str, cast: Callable[[str], Any] = str, fixed: Any = None) -> Act:
    def act(actor: Actor, ids: Sequence[UUID], value: str) -> list[Outcome]:
        return bulk.act(actor, ids, [{"action": name, "value": fixed if fixed is not None else cast(value)}])

    return act


ACTS: dict[str, Act] = {
    "agent": _action("assign_agent"),
    "team": _action("assign_team"),
    "label": _action("add_label"),
    "unlabel": _action("remove_label"),
    "priority": _action("set_priority", int),
    "snooze": _action("snooze_hours", int),
    "resolve": _action("set_status", fixed="resolved"),
    "open": _action("set_status", fixed="open"),
    "macro": lambda actor, ids, value: bulk.run_macro(actor, ids, UUID(value)),
}
# Two buttons may share a field.
VALUES = {"unlabel": "label"}


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def bulk_page(request: HttpRequest) -> HttpResponse:
    """Carries out an act and tells what became of each; a reload shows the same again and does nothing."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ if request.method == "GET" else WRITE)
    if request.method == "GET":
        return _shown(request, actor)
    try:
        outcomes = _undone(request, actor) if "undo" in request.POST else _done(request, actor)
    except MillraceError as error:
        return _shown(request, actor, problem=error.shown(), status=error.status)
    _keep(request, actor, outcomes, "" if "undo" in request.POST else request.POST.get("act", ""))
    return redirect("desk-bulk")


def _done(request: HttpRequest, actor: Actor) -> list[Outcome]:
    name = request.POST.get("act", "")
    ids = [found for text in request.POST.getlist("ids") if (found := _id(text))]
    if not ids:
        raise InvalidRequest("Choose conversations first.", param="ids")
    if name not in ACTS:
        raise InvalidRequest("Choose what is to be done.", param="act")
    try:
        return ACTS[name](actor, ids, request.POST.get(VALUES.get(name, name), ""))
    except ValueError:
        raise InvalidRequest("Choose what is to be done.", param="act") from None


def _undone(request: HttpRequest, actor: Actor) -> list[Outcome]:
    last = _last(request, actor)
    changes = {UUID(each["id"]): each["changes"] for each in last.get("rows", ()) if each["changes"]}
    if not changes or last.get("undone"):
        raise InvalidRequest("There is nothing to take back.")
    return bulk.undo(actor, changes)


def _keep(request: HttpRequest, actor: Actor, outcomes: Sequence[Outcome], act: str) -> None:
    rows = [
        {"id": str(each.id), "error": each.error, "shown": each.shown, "changes": dict(each.changes)}
        for each in outcomes
    ]
    request.session[LAST] = {"organization": str(actor.organization_id), "rows": rows, "act": act, "undone": not act}


def _last(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    found: dict[str, Any] = request.session.get(LAST, {})
    return found if found.get("organization") == str(actor.organization_id) else {}


def _shown(request: HttpRequest, actor: Actor, problem: str = "", status: int = 200) -> HttpResponse:
    last = {} if problem else _last(request, actor)
    rows = last.get("rows", [])
    known = Conversation.objects.select_related("contact").in_bulk([each["id"] for each in rows])
    told = [(known.get(UUID(each["id"])), each) for each in rows]
    failed = sum(bool(each["error"]) for each in rows)
    undone = bool(last.get("undone"))
    reversible = not undone and any(set(each["changes"]) & set(bulk.REVERSIBLE) for each in rows)
    context = {
        "told": told,
        "failed": failed,
        "succeeded": len(rows) - failed,
        "problem": problem,
        "undone": undone,
        "reversible": reversible and WRITE in actor.permissions,
        "tab": request.GET.get("tab", "queue"),
    }
    return render(request, "support/bulk.html", context, status=status)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
