"""Conversations with models: the list beside the messages of one branch, and everything that is done to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page, waiting_page
from apps.billing.entitlements import Limits
from apps.core.errors import InvalidRequest, MillraceError, NotFound
from apps.core.keyset import below
from apps.registry import services as registry
from apps.studio import services as studio
from apps.studio import texts, throttle
from apps.studio.chat_forms import ChatForm, initial_of
from apps.studio.models import Conversation
from apps.studio.services import conversations
from apps.studio.services.conversations import Branch, Draft, File, Question
from apps.studio.services.conversations.attachments import MOST_BYTES
from apps.studio.services.feedback import BAD_REASONS, GOOD_REASONS
from apps.studio.views.answering import go_to, refused

LISTS = ("mine", "all", "archived")


@require_http_methods(["GET", "POST"])
def chat(request: HttpRequest) -> HttpResponse:
    """The list with an empty conversation beside it; the first message begins one."""
    return begin(request) if request.method == "POST" else _start(request)


@organization_page
def _start(request: HttpRequest) -> HttpResponse:
    request.actor.require("generations:read")  # type: ignore[attr-defined]
    return _page(request, None)


@require_GET
@organization_page
def conversation_page(request: HttpRequest, id: UUID) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return _page(request, conversations.get_branch(actor, id, request.GET.get("before")))


def _page(request: HttpRequest, branch: Branch | None) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    which = request.GET.get("list", "mine")
    which = which if which in LISTS else "mine"
    search = request.GET.get("q", "").strip()[:200] if branch is None else ""
    pinned: list[Conversation] = []
    after, mine = request.GET.get("after"), which == "mine"
    if search or which == "archived":
        page = conversations.list_conversations(
            actor, search=search, archived=which == "archived", mine=mine, before=after
        )
    else:
        pinned, page = conversations.list_with_pinned(actor, mine=mine, before=after)
    # What a conversation is begun with; one that is there has a page for it.
    form = _blank_form(actor) if branch is None and not search else None
    context = {
        "model": registry.default_version() if branch is None else None,
        "branch": branch,
        "conversation": branch.conversation if branch else None,
        "entries": [(row, page.found.get(row.pk)) for row in page.rows],
        "next": page.next,
        "pinned": pinned,
        "which": which,
        "search": search,
        "form": form,
        "client_id": uuid4(),
        "deleted": below(request.GET.get("deleted")),
        "may_write": "generations:write" in actor.permissions,
        "texts": texts.script_texts(),
        "good_reasons": GOOD_REASONS,
        "bad_reasons": BAD_REASONS,
    }
    return render(request, "studio/chat/chat.html", context)


# ---------------------------------------------------------------- messages and answers


@waiting_page
def begin(request: HttpRequest) -> HttpResponse:
    """A conversation with its first message, as the form sets it up."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    try:
        actor.require("generations:write")
        conversation = conversations.create_conversation(actor, _form(request).settings())
        try:
            return _asked(request, conversation.pk, _message(request, conversation.pk))
        except MillraceError:
            # Nobody would look for a conversation that has no message.
            conversations.delete_conversation(actor, conversation.pk)
            raise
    except MillraceError as error:
        return refused(request, error)


@require_POST
@waiting_page
def send(request: HttpRequest, id: UUID) -> HttpResponse:
    try:
        return _asked(request, id, _message(request, id))
    except MillraceError as error:
        return refused(request, error)


def _message(request: HttpRequest, id: UUID) -> Callable[[Limits], Question]:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require("generations:write")
    uploads = request.FILES.getlist("files")
    draft = Draft(
        text=request.POST.get("text", "").replace("\r\n", "\n"),
        # One byte more than is allowed is enough to see that there is too much.
        files=tuple(File(upload.name or "", upload.read(MOST_BYTES + 1)) for upload in uploads),
        after=below(request.POST.get("after")),
        instead_of=below(request.POST.get("instead_of")),
        client_id=below(request.POST.get("client_id")),
    )
    return lambda limits: conversations.prepare_message(actor, id, draft, limits)


def _asked(request: HttpRequest, id: UUID, prepare: Callable[[Limits], Question]) -> HttpResponse:
    throttle.converse(request.actor, prepare)  # type: ignore[attr-defined]
    return go_to(request, reverse("chat-conversation", args=[id]))


@require_POST
@waiting_page
def turn_act(request: HttpRequest, id: UUID, turn: UUID, act: str) -> HttpResponse:
    """Another answer, going on after a stop, or the branch on which a message lies."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require("generations:write")
    try:
        match act:
            case "again":
                return _asked(request, id, lambda limits: conversations.prepare_answer(actor, id, turn, limits))
            case "continue":
                return _asked(request, id, lambda limits: conversations.prepare_continuation(actor, id, turn, limits))
            case "choose":
                conversations.choose_branch(actor, id, turn)
            case "stop":
                _stop(actor, id, turn)
            case _:
                raise NotFound("There is nothing at this address.")
    except MillraceError as error:
        return refused(request, error)
    return go_to(request, reverse("chat-conversation", args=[id]))


def _stop(actor: Actor, id: UUID, turn_id: UUID) -> None:
    turn = conversations.get_turn(actor, id, turn_id)
    if turn.generation_id is None:
        raise NotFound("There is no message with this id.")
    studio.cancel_generation(actor, turn.generation_id)


# ---------------------------------------------------------------- the conversation itself


@require_http_methods(["GET", "POST"])
@organization_page
def set_up(request: HttpRequest, id: UUID) -> HttpResponse:
    """With what the next answers are asked for."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require("generations:write")
    conversation = conversations.get_conversation(actor, id)
    if request.method == "GET":
        form = _blank_form(actor, initial=initial_of(conversation))
        return render(request, "studio/chat/setup.html", {"form": form, "conversation": conversation})
    try:
        conversations.change_settings(actor, id, _form(request).settings(conversation))
    except MillraceError as error:
        return refused(request, error)
    return go_to(request, reverse("chat-conversation", args=[id]))


def _form(request: HttpRequest) -> ChatForm:
    """The valid form, or InvalidRequest with its first message; what a request leaves out is as it is by default."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    blank = _blank_form(actor)
    given = request.POST.copy()
    for name in blank.fields:
        if name not in given and name != "collections":
            given[name] = registry.DEFAULT_ALIAS if name == "model" else _plain(blank[name].value())
    form = _blank_form(actor, data=given)
    if not form.is_valid():
        name, messages = next(iter(form.errors.items()))
        label = form.fields[name].label if name in form.fields else ""
        raise InvalidRequest("%(field)s: %(words)s", values={"field": label, "words": messages[0]}, param=name)
    return form


def _blank_form(actor: Actor, **values: Any) -> ChatForm:
    return ChatForm(models=registry.available(), collections=conversations.collections_of(actor), **values)


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


@require_POST
@organization_page
def act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Naming, pinning, archiving, deleting, and having back."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require("generations:write")
    acts: dict[str, Callable[[], Any]] = {
        "rename": lambda: conversations.rename_conversation(actor, id, request.POST.get("title", "")),
        "pin": lambda: conversations.pin_conversation(actor, id, True),
        "unpin": lambda: conversations.pin_conversation(actor, id, False),
        "archive": lambda: conversations.archive_conversation(actor, id, True),
        "unarchive": lambda: conversations.archive_conversation(actor, id, False),
        "delete": lambda: conversations.delete_conversation(actor, id),
        "restore": lambda: conversations.restore_conversation(actor, id),
    }
    if act not in acts:
        raise NotFound("There is nothing at this address.")
    try:
        acts[act]()
    except MillraceError as error:
        return refused(request, error)
    gone = act == "delete"
    return go_to(request, f"{reverse('chat')}?deleted={id}" if gone else reverse("chat-conversation", args=[id]))


@require_GET
@organization_page
def export(request: HttpRequest, id: UUID, format: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if format == "md":
        conversation, text = conversations.as_markdown(actor, id)
        kind = "text/markdown; charset=utf-8"
    else:
        conversation, text = conversations.as_json(actor, id)
        kind = "application/json"
    name = f"{(conversation.title or 'conversation')[:60].replace('/', '-')}.{format}"
    header = content_disposition_header(True, name) or "attachment"
    return HttpResponse(text, content_type=kind, headers={"content-disposition": header})
