"""Answers from articles: passages that are near enough, as they stand or written from by a model that cites them.

What a model says is only ever said: no action, no flow and no hand-over follows from it. Whatever is wrong with its
words makes them an "I don't know"; where it cannot write at all or in time, the best passage is cited instead.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from ml.dialogue import answers
from ml.dialogue.policy import UNSURE
from ml.dialogue.state import Event, HandedOver, Said, Sought

if TYPE_CHECKING:
    from apps.core.writing import Written
    from apps.support.services.articles import Found
    from apps.support.services.bot import Cited, Prepared, Rests
    from ml.dialogue.engine import Engine

# Of a passage so much is said; the article has the rest.
LONGEST_EXCERPT = 700
LOOK_SECONDS = 0.2
FEATURE = "support"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of asking a model: its words with what they cite, or the fault that keeps them back.

    Without either it has not written, and the best passage speaks for itself.
    """

    generation: UUID | None = None
    writer: str = ""
    judged: answers.Judged | None = None


def looked_up(prepared: Prepared, engine: Engine, events: Sequence[Event], rests: Rests) -> tuple[list[Event], Rests]:
    """An answer behind each `Sought`, from articles, or the word that there is none with the offer of a person.

    Who has been told twice in a row that the bot does not know is passed to a person.
    """
    found: list[Event] = []
    for event in events:
        found.append(event)
        if not isinstance(event, Sought):
            continue
        rests, text = _answer(prepared, event.query, rests)
        if text:
            found.append(Said(text))
        elif _was_unknown(prepared):
            return [*found, Said(engine.phrase("handed_over", prepared.language)), HandedOver(UNSURE)], rests
        else:
            rests = replace(rests, offers=True)
            found.append(Said(engine.phrase("unknown", prepared.language)))
    return found, rests


def _answer(prepared: Prepared, query: str, rests: Rests) -> tuple[Rests, str]:
    """What is said, nothing where it is not known."""
    near = find(prepared, query)
    if not near:
        return rests, ""
    attempt = _written(prepared, query, near) if prepared.settings.writer else Attempt()
    rests = replace(rests, generation=attempt.generation, writer=attempt.writer)
    if attempt.judged is None:
        cited = cite(prepared, near[:1])
        return replace(rests, cited=cited, fault="not_written" if attempt.generation else ""), _excerpt(
            near[0], cited[0]
        )
    if attempt.judged.fault:
        return replace(rests, fault=f"answer_{attempt.judged.fault}"), ""
    cited = cite(prepared, near)
    return replace(rests, cited=_those(cited, attempt.judged)), _with_sources(attempt.judged, cited)


# ---------------------------------------------------------------- finding
def find(prepared: Prepared, query: str) -> list[Found]:
    """The passages that answer, nearest first, if any is near enough; in the visitor's language, or else in any."""
    from apps.core import tenancy
    from apps.knowledge import asking
    from apps.knowledge.errors import EmbeddingUnavailable
    from apps.support.services import articles

    try:
        vector = asking.ask([query[:1_000]]).vectors[0]
    except EmbeddingUnavailable:
        # Words alone do not tell whether a passage answers: better to say that one does not know.
        log.warning("nobody reads questions")
        return []
    organization = prepared.turn.organization_id
    with tenancy.scope(organization):
        mine = articles.found_by(organization, query, vector, prepared.language)
        rows = mine or articles.found_by(organization, query, vector)
    near = [each for each in rows if each.likeness >= prepared.settings.least_likeness]
    return sorted(near, key=lambda each: -each.likeness)[: answers.MOST_PASSAGES]


def cite(prepared: Prepared, found: Sequence[Found]) -> tuple[Cited, ...]:
    from django.conf import settings

    from apps.core import tenancy
    from apps.support.models import HelpCentre
    from apps.support.services import bot

    with tenancy.scope(prepared.turn.organization_id):
        centre = HelpCentre.objects.filter(is_open=True).first()

    def url(each: Found) -> str:
        return f"{settings.BASE_URL}/help/{centre.slug}/{each.slug}/?lang={each.locale}" if centre else ""

    return tuple(
        bot.Cited(each.version_id, each.slug, each.number, each.locale, each.title, url(each)) for each in found
    )


def _excerpt(found: Found, cited: Cited) -> str:
    text = found.text if len(found.text) <= LONGEST_EXCERPT else f"{found.text[:LONGEST_EXCERPT].rstrip()}…"
    return f"{text}\n\n{found.title}" + (f": {cited.url}" if cited.url else "")


def _those(cited: Sequence[Cited], judged: answers.Judged) -> tuple[Cited, ...]:
    """Each version once, in the order in which the answer names them."""
    return tuple({cited[place].version_id: cited[place] for place in judged.cited}.values())


def _with_sources(judged: answers.Judged, cited: Sequence[Cited]) -> str:
    lines = [f"[{place + 1}] {cited[place].title}" + (f": {cited[place].url}" if cited[place].url else "")
             for place in sorted(judged.cited)]  # fmt: skip
    return "\n\n".join([judged.text, "\n".join(lines)])


def _was_unknown(prepared: Prepared) -> bool:
    from apps.core import tenancy
    from apps.support.models import TurnRecord

    with tenancy.scope(prepared.turn.organization_id):
        rows = TurnRecord.objects.filter(conversation=prepared.conversation).order_by("-through")
        return bool(rows.values_list("outcome", flat=True).first() == "unknown")


# ---------------------------------------------------------------- writing
def _written(prepared: Prepared, query: str, near: Sequence[Found]) -> Attempt:
    """Has a model answer from the passages. Raises Silenced and Superseded where nobody waits for it any more."""
    from apps.core.errors import MillraceError
    from apps.core.writing import writer
    from apps.support.services import bot

    passages = [_passage(each) for each in near]
    actor = bot.writing_actor(prepared.turn.organization_id)
    try:
        id = _asked(prepared, query, passages)
    except MillraceError as error:
        # No model, nothing left of the plan, too much to do: the visitor is answered all the same.
        log.warning("answer not written", reason=error.code)
        return Attempt()
    try:
        written = _awaited(prepared, id, lambda text: answers.judged_so_far(text, query, passages))
    except (bot.Silenced, bot.Superseded):
        writer().stop(actor, id)
        raise
    if written is None or not written.ended:
        writer().stop(actor, id)
        return Attempt(id, written.model if written else "")
    if not written.succeeded:
        log.warning("answer not written", reason=written.error_code)
        return Attempt(id, written.model)
    judged = answers.judged(written.text, query, passages)
    if judged.fault:
        log.info("answer not said", fault=str(judged.fault))
    return Attempt(id, written.model, judged)


def forget(prepared: Prepared, rests: Rests) -> None:
    """The turn is stored with its answer: the work that was counted keeps none of the words."""
    from apps.core.writing import writer

    if rests.generation:
        writer().forget(prepared.turn.organization_id, rests.generation)


def _passage(found: Found) -> str:
    return "\n".join([found.title, *found.heading, found.text])


def _asked(prepared: Prepared, query: str, passages: Sequence[str]) -> UUID:
    """The piece of work; the one of an earlier attempt at the turn if it was asked the same."""
    from apps.core.writing import Wanted, writer
    from apps.support.services import bot

    turn, settings = prepared.turn, prepared.settings
    messages = answers.messages_of(query, passages)
    digest = hashlib.sha256("\0".join([settings.writer, *(each.content for each in messages)]).encode()).hexdigest()
    if (known := bot.asked_before(turn, digest)) and writer().look(turn.organization_id, known):
        return known
    wanted = Wanted(settings.writer, messages, answers.MOST_TOKENS, settings.answer_seconds, FEATURE)
    return writer().ask(bot.writing_actor(turn.organization_id), wanted, lambda id: bot.note_asked(turn, id, digest))


def _awaited(prepared: Prepared, id: UUID, so_far: Callable[[str], str]) -> Written | None:
    """Looks until it has ended, the time is over, or nobody is to be answered any more; what may be said of it so far
    is shown meanwhile.
    """
    from apps.core.writing import writer
    from apps.support.services import bot, showing

    until, shown = time.monotonic() + prepared.settings.answer_seconds, ""
    while True:
        bot.require_silence(prepared)
        written = writer().look(prepared.turn.organization_id, id, so_far=True)
        if written is None or written.ended or time.monotonic() >= until:
            return written
        if (text := so_far(written.text)) != shown:
            showing.show(prepared.conversation, text)
            shown = text
        time.sleep(LOOK_SECONDS)


def hide(prepared: Prepared) -> None:
    """The turn is over, however it ended: nothing is shown of what a model was writing."""
    from apps.support.services import showing

    if prepared.settings.writer:
        showing.hide(prepared.conversation)
