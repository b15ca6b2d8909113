"""Texts that a model writes for agents: a reply to insert, and a dated summary; nothing of them is sent by itself.

A model is given masked text alone, and whatever it writes is text: no act follows from it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any
from uuid import UUID

import structlog
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, MillraceError, NotFound
from apps.core.tenancy import Across, across_tenants
from apps.core.writing import Wanted, writer
from apps.knowledge import asking
from apps.support.access import WRITE
from apps.support.models import (
    Author,
    Conversation,
    DeskDraft,
    DraftKind,
    DraftState,
    Message,
    MessageKind,
)
from apps.support.services import articles, reading
from apps.support.services.flows.settings import settings_of
from apps.support.services.storing import locked
from ml.dialogue import answers
from ml.types import Message as Told

FEATURE = "support"
NO_DRAFT = gettext_noop("There is no draft with this id.")
NO_WRITER = gettext_noop("No model writes here yet: choose one in the settings of the bot.")
# So many messages at most, and characters of them from the newest back, go to the model.
MOST_MESSAGES, MOST_CHARACTERS, REPLY_MESSAGES = 200, 24_000, 20
TOKENS, DEADLINE_SECONDS = {DraftKind.REPLY: 300, DraftKind.SUMMARY: 400}, 120.0
PASSAGES, LEAST_LIKENESS, QUESTION = 3, 0.35, 500
AT_ONCE = 100
KINDS = {Author.CONTACT: "customer", Author.AGENT: "agent", Author.BOT: "bot", Author.SYSTEM: "notice"}
log = structlog.get_logger(__name__)


def ask(actor: Actor, conversation_id: UUID, kind: str) -> DeskDraft:
    """Has a text written. Raises Conflict where no model was chosen, and what asking for any text raises.

    It counts as usage of whoever asks, and against their budget.
    """
    actor.require(WRITE)
    actor.require_open()
    if kind not in DraftKind.values:
        raise InvalidRequest("There is no such draft.", param="kind")
    with tenancy.scope(actor.organization_id):
        row = reading.get(actor, conversation_id)
        model = settings_of(actor.organization_id).writer
        said = _said(row, kind)
    if not model:
        raise Conflict(NO_WRITER, param="kind")
    if not said:
        raise Conflict("Nothing was said here yet.", param="kind")
    found = _passages(actor.organization_id, said) if kind == DraftKind.REPLY else []
    made: list[DeskDraft] = []

    def keep(id: UUID) -> None:
        made.append(_keep(actor, row, DraftKind(kind), (said[0].sequence, said[-1].sequence), id, found))

    writer().ask(
        actor,
        Wanted(model, _messages(kind, said, found), TOKENS[DraftKind(kind)], DEADLINE_SECONDS, FEATURE, 0.3),
        keep,
        # Whoever writes in a conversation holds it first, and counts afterwards.
        before=lambda: _hold(conversation_id),
    )
    return made[0]


def _hold(conversation_id: UUID) -> None:
    locked(conversation_id)


def _keep(
    actor: Actor, row: Conversation, kind: DraftKind, stretch: tuple[int, int], id: UUID, found: list[articles.Found]
) -> DeskDraft:
    written = writer().look(actor.organization_id, id)
    made: DeskDraft = DeskDraft.objects.create(
        organization_id=row.organization_id,
        conversation=row,
        kind=kind,
        since=stretch[0],
        through=stretch[1],
        generation=id,
        writer=written.model if written else "",
        sources=[{"article": each.slug, "version": each.number, "locale": each.locale, "title": each.title}
                 for each in found],
        created_by_id=actor.person_id,
    )  # fmt: skip
    return made


# ---------------------------------------------------------------- what the model is given


def _said(row: Conversation, kind: str) -> list[Message]:
    """Masked messages in order, the newest that fit; notes of colleagues go into no reply."""
    kinds = [MessageKind.INCOMING, MessageKind.OUTGOING, *([MessageKind.NOTE] if kind == DraftKind.SUMMARY else [])]
    rows = Message.objects.filter(conversation=row, kind__in=kinds).exclude(content="").order_by("-sequence")
    taken: list[Message] = []
    size = 0
    for each in rows[: REPLY_MESSAGES if kind == DraftKind.REPLY else MOST_MESSAGES]:
        size += min(len(each.content), 4_000)
        if taken and size > MOST_CHARACTERS:
            break
        taken.append(each)
    return taken[::-1]


def _passages(organization_id: UUID, said: list[Message]) -> list[articles.Found]:
    """What articles say of the contact's last words; without a worker that reads questions, nothing."""
    asked = next((each.content for each in reversed(said) if each.author == Author.CONTACT), "")[:QUESTION]
    if not asked.strip():
        return []
    try:
        vector = asking.ask([asked]).vectors[0]
    except MillraceError as error:
        log.info("draft without articles", reason=error.code)
        return []
    with tenancy.scope(organization_id):
        near = articles.found_by(organization_id, asked, vector)
    return [each for each in near if each.likeness >= LEAST_LIKENESS][:PASSAGES]


def _messages(kind: str, said: list[Message], found: list[articles.Found]) -> tuple[Told, ...]:
    spoken = [
        (KINDS[Author(each.author)] + (" (note)" if each.kind == MessageKind.NOTE else ""), each.content)
        for each in said
    ]
    if kind == DraftKind.SUMMARY:
        return answers.summary_messages(spoken)
    return answers.reply_messages(spoken, [f"{each.title}\n{each.text}" for each in found])


# ---------------------------------------------------------------- reading


def get(actor: Actor, conversation_id: UUID, id: UUID) -> DeskDraft:
    """The draft, with its text where it has ended."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row: DeskDraft | None = DeskDraft.objects.filter(pk=id, conversation_id=conversation_id).first()
    if row is None:
        raise NotFound(NO_DRAFT)
    return take_over(row)


def listed(actor: Actor, conversation_id: UUID) -> Any:
    """A conversation's drafts, newest first, in scope."""
    actor.require(WRITE)
    reading.get(actor, conversation_id)
    return (
        DeskDraft.objects.filter(conversation_id=conversation_id)
        .select_related("created_by")
        .order_by("-created_at", "-id")
    )


def latest_of(row: Conversation) -> Any:
    """The newest summary and the newest suggestion of a conversation, as a query for `latest_summary` and
    `latest_reply`; in scope. A summary that is still being written counts.
    """
    answers = Message.objects.filter(
        conversation=row, kind=MessageKind.OUTGOING, author=Author.AGENT, sequence__gt=OuterRef("through")
    )
    shown = Q(kind=DraftKind.REPLY) | Q(kind=DraftKind.SUMMARY, state__in=(DraftState.DONE, DraftState.WRITING))
    rows = DeskDraft.objects.filter(shown, conversation=row).annotate(is_answered=Exists(answers))
    return rows.order_by("kind", "-created_at", "-id").distinct("kind")


def latest_summary(found: Iterable[Any]) -> DeskDraft | None:
    """Of what `latest_of` has given; in scope."""
    return next((take_over(each) for each in found if each.kind == DraftKind.SUMMARY), None)


def latest_reply(found: Iterable[Any]) -> DeskDraft | None:
    """Of what `latest_of` has given, as long as nobody has answered since; in scope."""
    wanted = (each for each in found if each.kind == DraftKind.REPLY and not each.is_answered)
    return next((take_over(each) for each in wanted), None)


def stop(actor: Actor, conversation_id: UUID, id: UUID) -> DeskDraft:
    """Ends it; what was written by then is counted."""
    row = get(actor, conversation_id, id)
    if row.state == DraftState.WRITING:
        writer().stop(actor, row.generation)
    return take_over(row)


def follow(actor: Actor, row: DeskDraft, after: str) -> AsyncGenerator[dict[str, Any]]:
    """The text as it comes, in the frames of every text."""
    return writer().follow(actor, row.generation, after, WRITE)


# ---------------------------------------------------------------- taking over


def take_over(row: DeskDraft) -> DeskDraft:
    """Copies the text of work that has ended into the draft, once; the work keeps none of the words."""
    if row.state != DraftState.WRITING:
        return row
    written = writer().look(row.organization_id, row.generation)
    if written is not None and not written.ended:
        return row
    state, text, code = DraftState.FAILED, "", "generation_failed"
    if written is not None and written.succeeded and written.text.strip():
        state, text, code = DraftState.DONE, written.text.strip(), ""
    elif written is not None:
        state = DraftState.STOPPED if written.status == "cancelled" else DraftState.FAILED
        code = written.error_code or ("" if state == DraftState.STOPPED else "generation_failed")
    values = {"state": state, "text": text, "error_code": code, "finished_at": timezone.now()}
    with tenancy.scope(row.organization_id):
        if not DeskDraft.objects.filter(pk=row.pk, state=DraftState.WRITING).update(**values):
            row.refresh_from_db()
            return row
    writer().forget(row.organization_id, row.generation)
    for name, value in values.items():
        setattr(row, name, value)
    return row


def being_written() -> QuerySet[DeskDraft]:
    """Across tenants; some may have ended."""
    rows: QuerySet[DeskDraft] = DeskDraft.objects.filter(state=DraftState.WRITING)
    return rows


def take_over_ended() -> int:
    """What nobody has looked at since it has ended; returns how many."""
    with across_tenants(Across.CLAIM_WORK):
        rows = list(being_written().order_by("created_at")[:AT_ONCE])
    return sum(take_over(row).state != DraftState.WRITING for row in rows)
