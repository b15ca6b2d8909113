"""What is done in a conversation from its page: one address for each act, which all lead back to the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages as flashes
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import Membership
from apps.core.errors import InvalidRequest, MillraceError, NotFound
from apps.support.access import READ, WRITE
from apps.support.errors import ConversationMoved
from apps.support.models import Conversation
from apps.support.services import (
    acting,
    assignment,
    canned,
    conversations,
    cursors,
    merging,
    messages,
    participants,
    reading,
    scanning,
    unmasking,
)
from apps.support.services.files import MOST_BYTES, Upload
from apps.support.services.mail import outbox
from apps.support.services.storing import Draft
from apps.support.views.desk import TABS, shown

Act = Callable[[HttpRequest, Actor, UUID], Any]


@require_POST
@never_cache
@organization_page
def conversation_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ if act in READING else WRITE)
    row = reading.get(actor, id)
    if act not in ACTS:
        raise NotFound(_("There is nothing at this address."))
    try:
        answer = ACTS[act](request, actor, id)
    except ConversationMoved as moved:
        return shown(request, row, moved=moved.shown(), text=request.POST.get("text", ""), status=409)
    except MillraceError as error:
        if error.status in (403, 404):
            raise
        return shown(request, row, problem=error.shown(), text=request.POST.get("text", ""), status=error.status)
    if isinstance(answer, HttpResponse):
        return answer
    into = answer.pk if act == "merge" else id
    # Whoever opens it reads it: what is to count as unread is left for the list.
    place = reverse("desk") if act == "unread" else reverse("desk-conversation", args=[into])
    tab = request.GET.get("tab", "")
    return redirect(f"{place}?tab={tab}" if tab in TABS else place)


@require_POST
@never_cache
@organization_page
def claim_next(request: HttpRequest) -> HttpResponse:
    """Work, please: what waits longest for whoever asks."""
    taken = assignment.claim_next(request.actor)  # type: ignore[attr-defined]
    if taken is None:
        flashes.info(request, _("Nothing waits for you."))
        return redirect("desk")
    return redirect("desk-conversation", taken.pk)


@require_POST
@never_cache
@organization_page
def presence(request: HttpRequest) -> HttpResponse:
    """The console is open; with a choice, whether its owner takes on something."""
    wanted = request.POST.get("availability") or None
    row = assignment.note_presence(request.actor, wanted)  # type: ignore[attr-defined]
    if request.headers.get("accept", "").startswith("application/json"):
        return JsonResponse({"availability": row.availability})
    return redirect("desk")


# ---------------------------------------------------------------- acts


def _draft(request: HttpRequest) -> Draft:
    uploads = [each for each in request.FILES.getlist("files") if isinstance(each, UploadedFile)]
    files = tuple(Upload(str(each.name), each.read(MOST_BYTES + 1)) for each in uploads)
    return Draft(request.POST.get("text", ""), request.POST.get("client_id") or None, files=files)


def _reply(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    seen = request.POST.get("seen_seq", "")
    number = int(seen) if seen.isdigit() and len(seen) < 10 else None
    force = request.POST.get("force") == "1"
    draft = _draft(request)
    canned.refuse_unfilled(draft.content)
    made = messages.reply(actor, id, draft, seen_seq=number, force=force)
    if request.POST.get("then") == "resolve":
        conversations.set_status(actor, id, "resolved")
    return made


def _note(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    """`@` before somebody's name, as their address begins, names them."""
    draft = _draft(request)
    words = {word.strip(".,;:!?").casefold() for word in draft.content.split() if word.startswith("@")}
    members = Membership.objects.select_related("user") if words else Membership.objects.none()
    named = [row.pk for row in members if f"@{row.user.email.partition('@')[0]}".casefold() in words]
    return messages.note(actor, id, draft, named)


def _status(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    hours = request.POST.get("hours", "")
    until = timezone.now() + timedelta(hours=int(hours)) if hours.isdigit() and len(hours) < 5 else None
    return conversations.set_status(actor, id, request.POST.get("status", ""), until)


def _assign(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    changes = {name: _id(request, name) for name in ("agent", "team") if name in request.POST}
    return assignment.assign(actor, id, changes)


def _mark(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    changes: dict[str, Any] = {"labels": request.POST.getlist("labels")} if "labelled" in request.POST else {}
    priority = request.POST.get("priority", "")
    if priority.isdigit() and len(priority) == 1:
        changes["priority"] = int(priority)
    if "subject" in request.POST:
        changes["subject"] = request.POST["subject"]
    return conversations.change_conversation(actor, id, changes)


def _macro(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    macro = _id(request, "macro")
    if macro is None:
        raise InvalidRequest("Choose a macro.", param="macro")
    return acting.run_macro(actor, id, macro)


def _merge(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    number = request.POST.get("number", "").strip().lstrip("#")
    rows = Conversation.objects.filter(number=int(number)) if number.isdigit() and len(number) < 10 else None
    into = rows.values_list("pk", flat=True).first() if rows is not None else None
    if into is None:
        raise InvalidRequest("There is no conversation with this number.", param="number")
    return merging.merge(actor, id, into)


def _watch(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    member = _id(request, "member")
    if member is None:
        raise InvalidRequest("Choose a member.", param="member")
    return participants.alter(actor, id, added=[member])


def _unwatch(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    member = _id(request, "member")
    return participants.alter(actor, id, taken=[member] if member else [])


def _unmask(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    sequence = request.POST.get("sequence", "")
    number = int(sequence) if sequence.isdigit() and len(sequence) < 10 else 0
    text = unmasking.unmask(actor, id, number, request.POST.get("reason", ""))
    return shown(request, reading.get(actor, id), unmasked=text, unmasked_sequence=number)


def _take_back(request: HttpRequest, actor: Actor, id: UUID) -> Any:
    sequence = request.POST.get("sequence", "")
    return messages.delete_message(actor, id, int(sequence) if sequence.isdigit() and len(sequence) < 10 else 0)


def _seen(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    seen = request.POST.get("seen", "")
    number = int(seen) if seen.isdigit() and len(seen) < 10 else 0
    cursors.acknowledge(actor, id, seen=number, acknowledged=number)
    return HttpResponse(status=204)


def _unread(request: HttpRequest, actor: Actor, id: UUID) -> None:
    row = cursors.mark_unread(actor, id)
    if row.unread_from is not None:
        flashes.success(request, _("#%(number)s counts as unread until somebody opens it.") % {"number": row.number})


def _transcript(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    text = unmasking.transcript(actor, id, with_notes=request.POST.get("notes") == "1")
    number = reading.get(actor, id).number
    headers = {"content-disposition": f'attachment; filename="conversation-{number}.txt"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


def _mail_transcript(request: HttpRequest, actor: Actor, id: UUID) -> None:
    address = unmasking.mail_transcript(actor, id, request.POST.get("to", ""))
    flashes.success(request, _("The transcript is on its way to %(address)s.") % {"address": address})


def _send_again(request: HttpRequest, actor: Actor, id: UUID) -> None:
    outbox.send_again(actor, id, _sequence(request))
    flashes.success(request, _("The mail is sent again."))


def _check_again(request: HttpRequest, actor: Actor, id: UUID) -> None:
    scanning.check_again(actor, id, _sequence(request))
    flashes.success(request, _("The virus scanner looks at it again."))


def _sequence(request: HttpRequest) -> int:
    sequence = request.POST.get("sequence", "")
    return int(sequence) if sequence.isdigit() and len(sequence) < 10 else 0


def _id(request: HttpRequest, name: str) -> UUID | None:
    try:
        return UUID(request.POST.get(name, "")) if request.POST.get(name) else None
    except ValueError:
        raise InvalidRequest("This is no id.", param=name) from None


ACTS: dict[str, Act] = {
    "reply": _reply,
    "note": _note,
    "status": _status,
    "assign": _assign,
    "mark": _mark,
    "macro": _macro,
    "merge": _merge,
    "watch": _watch,
    "unwatch": _unwatch,
    "unread": _unread,
    "unmask": _unmask,
    "take-back": _take_back,
    "seen": _seen,
    "transcript": _transcript,
    "mail-transcript": _mail_transcript,
    "send-again": _send_again,
    "check-again": _check_again,
    "claim": lambda request, actor, id: assignment.claim(actor, id),
    "take-over": lambda request, actor, id: conversations.take_over(actor, id),
}
# What whoever may read may do.
READING = frozenset({"seen", "transcript"})
