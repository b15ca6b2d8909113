"""Calls claimed and what came of them noted: within a conversation one after the other, and none is lost in silence.

A bot that cannot be reached for its `patience_seconds` loses the conversation to people.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import events, outbound, signatures, tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import MillraceError, OutboundFailed, OutboundRefused, SealedValueUnreadable
from apps.core.tenancy import Across, across_tenants
from apps.support import chatwoot
from apps.support.models import AgentBot, BotCall, CallState, ContactSession, Conversation, Message
from apps.support.services.conversations import hand_over
from apps.support.services.numbers import Numbers
from apps.support.services.storing import BOT, locked
from apps.webhooks.requests import chatwoot_headers

log = logging.getLogger(__name__)

# Chatwoot's; a bot takes the message and answers later, over the API.
TIMEOUT_SECONDS = 5.0
LEASE_SECONDS, LONGEST_PAUSE = 30, 8.0
KEPT_BYTES = 1_024
# Of one bot so many at a time, so that a slow one takes nobody else's place.
OF_A_BOT = 8
LOST, NOT_WRITTEN = "worker_lost", "not_written"
# A call that has ended so many workers is not sent any more.
MOST_CRASHES = 5
# Conversations that one call may take with it; the next that fails takes the others.
MOST_GIVEN_UP = 500

_CLAIM = """
WITH heads AS (
    (SELECT DISTINCT ON (conversation_id) id, bot_id, organization_id, state, next_at
    FROM support_botcall WHERE state IN ('waiting', 'running') AND conversation_id IS NOT NULL
    ORDER BY conversation_id, position)
    UNION ALL SELECT id, bot_id, organization_id, state, next_at
    FROM support_botcall WHERE state IN ('waiting', 'running') AND conversation_id IS NULL
), busy AS (
    SELECT bot_id, count(*) AS running FROM heads WHERE state = 'running' GROUP BY bot_id
), due AS (
    SELECT heads.id, heads.next_at, heads.organization_id, coalesce(busy.running, 0)
        + row_number() OVER (PARTITION BY heads.bot_id ORDER BY heads.next_at, heads.id) AS place
    FROM heads LEFT JOIN busy ON busy.bot_id = heads.bot_id
    WHERE heads.state = 'waiting' AND heads.next_at <= clock_timestamp()
), picked AS (
    SELECT id FROM due WHERE place <= %(of_a_bot)s ORDER BY place, next_at, id LIMIT %(limit)s
), free AS (
    SELECT id FROM support_botcall WHERE id IN (SELECT id FROM picked) AND state = 'waiting' FOR UPDATE SKIP LOCKED
)
UPDATE support_botcall SET state = 'running', attempt = attempt + 1, worker = %(worker)s,
    first_at = coalesce(first_at, clock_timestamp()),
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM free) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed call with all that sending it takes."""

    organization_id: UUID
    call_id: UUID
    attempt: int
    url: str
    id: str
    body: bytes
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; `error` is a code where no answer came."""

    ready: Ready
    status: int | None = None
    error: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def claim(worker: str, limit: int) -> list[Ready]:
    """The first call of each conversation, where it is due; with an advisory lock workers claim one after the other."""
    if limit <= 0:
        return []
    values: dict[str, Any] = {"worker": worker, "limit": limit, "lease": LEASE_SECONDS, "of_a_bot": OF_A_BOT}
    with across_tenants(Across.CLAIM_WORK), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('support_botcall'))")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_CLAIM, values)
        ids = [row[0] for row in cursor.fetchall()]
        rows = list(BotCall.objects.filter(pk__in=ids).order_by("next_at", "id"))
    return [ready for row in rows if (ready := _ready(row)) is not None]


def are_calls_waiting() -> bool:
    with across_tenants(Across.CLAIM_WORK):
        return bool(BotCall.objects.filter(state=CallState.WAITING, next_at__lte=Now()).exists())


def _ready(row: BotCall) -> Ready | None:
    """None where it is not to be sent any more: a person has acted, or the bot answers there no longer."""
    try:
        with tenancy.scope(row.organization_id):
            bot: AgentBot = AgentBot.objects.get(pk=row.bot_id)
            told = _told(row, bot)
            if told is None:
                _finish(row, CallState.DROPPED)
                return None
            body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
            secret = unseal_from(bot, "secret")
    except ObjectDoesNotExist:
        # Erased between the claim and here, and the call with it; what stays all the same is bounded by `reap`.
        return None
    except SealedValueUnreadable:
        _note_unsent(row, "secret_unreadable")
        return None
    except (OperationalError, InterfaceError):
        # The database's trouble is not this call's.
        raise
    except Exception:
        # What cannot be written must end neither the worker nor the calls that were claimed with it.
        log.exception("call %s not written", row.pk)
        _note_unsent(row, NOT_WRITTEN)
        return None
    return Ready(row.organization_id, row.pk, row.attempt, bot.url, f"bot_{row.pk.hex}", body, secret)


def _note_unsent(row: BotCall, error: str) -> None:
    """As if the bot could not be reached: tried again, for as long as its patience lasts."""
    try:
        note(Outcome(Ready(row.organization_id, row.pk, row.attempt, "", "", b"", ""), error=error))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # Its lease lapses, and `reap` bounds it; what was claimed with it is sent.
        log.exception("call %s not noted", row.pk)


def _told(row: BotCall, bot: AgentBot) -> dict[str, Any] | None:
    """What it says now; None where a person has acted, or the bot answers there no longer."""
    numbers = Numbers(row.organization_id)
    if row.conversation_id is None:
        session = ContactSession.objects.select_related("inbox", "contact").get(pk=row.session_id)
        opened = chatwoot.opened_event(session, numbers)
        return {"event": row.event} | opened if session.inbox.agent_bot_id == bot.pk else None
    conversation: Conversation = Conversation.objects.select_related("inbox").get(pk=row.conversation_id)
    gone = conversation.inbox.agent_bot_id != bot.pk or conversation.merged_into_id is not None
    if gone or (row.message_id is not None and not conversation.bot_owns):
        return None
    told = {"event": row.event, "account": chatwoot.account_body(numbers)}
    if row.message_id is None:
        changes = chatwoot.changes_of(row.details.get("changes", {}))
        return told | chatwoot.conversation_body(conversation, numbers) | {"changed_attributes": changes}
    rows = Message.objects.select_related("conversation__inbox__agent_bot", "user", "contact")
    message: Message = rows.get(pk=row.message_id)
    return told | chatwoot.message_event(message, message.conversation, numbers)


def send(ready: Ready) -> Outcome:
    """Signs for this moment and sends, without the database; never raises for what the other side does."""
    moment = int(time.time())
    headers = signatures.headers(ready.id, moment, ready.body, [ready.secret])
    headers |= chatwoot_headers(ready.id, moment, ready.body, [ready.secret])
    try:
        answer = outbound.fetch(
            "POST",
            ready.url,
            headers=headers,
            body=ready.body,
            allow_private=settings.OUTBOUND_ALLOW_PRIVATE,
            limit_bytes=KEPT_BYTES,
            timeout=TIMEOUT_SECONDS,
            only_beginning=True,
        )
    except (OutboundRefused, OutboundFailed) as error:
        return Outcome(ready, error=error.code)
    except Exception as error:  # whatever a receiver has answered must not end the worker
        return Outcome(ready, error=type(error).__name__[:60])
    return Outcome(ready, answer.status)


def note(outcome: Outcome) -> bool:
    """Writes down what came of a call, where the claim is still the worker's own."""
    ready = outcome.ready
    with tenancy.scope(ready.organization_id):
        rows = BotCall.objects.filter(pk=ready.call_id, attempt=ready.attempt, state=CallState.RUNNING)
        found: BotCall | None = rows.first()
        if found is None:
            return False
        if outcome.is_delivered:
            done = {"state": CallState.DELIVERED, "lease_until": None, "worker": "", "finished_at": Now()}
            mine = rows.update(last_status=outcome.status, last_error="", tries=found.tries + 1, **done)
            AgentBot.objects.filter(pk=found.bot_id).update(failing_since=None, answered_at=Now())
            return bool(mine)
        noted = _failed(found, outcome)
    if noted is not None and noted.state == CallState.FAILED:
        _give_up_others(ready.organization_id, found.bot_id)
    return noted is not None


def _failed(found: BotCall, outcome: Outcome) -> BotCall | None:
    """Tried again for as long as the bot's patience lasts; then people have the conversation. None for a lost claim."""
    try:
        held = locked(found.conversation_id) if found.conversation_id else None
    except MillraceError:
        # Merged into another one, or gone.
        return found if _finish(found, CallState.DROPPED) else None
    row: BotCall | None = (
        BotCall.objects.select_for_update().filter(pk=found.pk, attempt=found.attempt, state=CallState.RUNNING).first()
    )
    if row is None:
        return None
    now = timezone.now()
    bot: AgentBot = AgentBot.objects.get(pk=row.bot_id)
    row.tries, row.last_status, row.last_error = row.tries + 1, outcome.status, outcome.error
    left = bot.patience_seconds - (now - _began(row, bot, now)).total_seconds()
    row.state, row.lease_until, row.worker = CallState.WAITING, None, ""
    row.next_at = now + timedelta(seconds=max(0.5, min(2.0 ** (row.tries - 1), LONGEST_PAUSE, left)))
    if left <= 0:
        row.state, row.finished_at = CallState.FAILED, now
    row.save()
    AgentBot.objects.filter(pk=bot.pk, failing_since=None).update(failing_since=now)
    if left <= 0 and held is not None and held.bot_owns:
        _give_up(held, bot)
    return row


def _began(row: BotCall, bot: AgentBot, now: datetime) -> datetime:
    """Since when the contact waits for a bot that fails: from the first try, or, where it failed others, before it."""
    first = row.first_at or now
    return first if bot.failing_since is None else min(first, max(bot.failing_since, row.created_at))


def _give_up_others(organization_id: UUID, bot_id: UUID) -> None:
    """What waits for the same bot as long as it has patience is not tried first, one conversation after the other."""
    with tenancy.scope(organization_id):
        bot: AgentBot | None = AgentBot.objects.filter(pk=bot_id).first()
        if bot is None or not _is_spent(bot):
            return
        limit = timezone.now() - timedelta(seconds=bot.patience_seconds)
        waiting = BotCall.objects.filter(bot=bot, state=CallState.WAITING, created_at__lte=limit)
        # Nobody waits for what is told of a window.
        waiting.filter(conversation=None).update(state=CallState.DROPPED, finished_at=Now())
        waiting = waiting.exclude(conversation=None)
        ids = list(dict.fromkeys(waiting.order_by("created_at", "id").values_list("conversation_id", flat=True)))
    for id in ids[:MOST_GIVEN_UP]:
        try:
            with tenancy.scope(organization_id):
                _give_up_waiting(id, bot_id, limit)
        except MillraceError:
            # Merged or erased meanwhile.
            continue


def _give_up_waiting(id: UUID, bot_id: UUID, limit: datetime) -> None:
    """Unless it is told just now, or was meanwhile, or the bot answers again."""
    held = locked(id)
    calls = BotCall.objects.filter(conversation=held, bot=bot_id)
    bot: AgentBot = AgentBot.objects.get(pk=bot_id)
    is_told = calls.filter(state=CallState.RUNNING).exists()
    waits = calls.filter(state=CallState.WAITING, created_at__lte=limit).exists()
    if held.bot_owns and waits and not is_told and _is_spent(bot):
        _give_up(held, bot)


def _is_spent(bot: AgentBot) -> bool:
    """Whether it has failed for as long as its patience lasts."""
    patience = timedelta(seconds=bot.patience_seconds)
    return bot.failing_since is not None and bot.failing_since <= timezone.now() - patience


def _end_lost(lost: BotCall) -> None:
    """Looked at again with the conversation's row held: whose lease had lapsed may have noted it meanwhile."""
    with tenancy.scope(lost.organization_id):
        rows = BotCall.objects.filter(pk=lost.pk, attempt=lost.attempt, state=CallState.RUNNING)
        try:
            held = locked(lost.conversation_id) if lost.conversation_id else None
        except MillraceError:
            rows.update(state=CallState.DROPPED, lease_until=None, worker="", finished_at=Now())
            return
        ended = {"state": CallState.FAILED, "crashes": F("crashes") + 1, "last_error": LOST}
        mine = rows.update(lease_until=None, worker="", finished_at=Now(), **ended)
        bot: AgentBot | None = AgentBot.objects.filter(pk=lost.bot_id).first()
        if mine and bot is not None and held is not None and held.bot_owns:
            _give_up(held, bot)


def _give_up(held: Conversation, bot: AgentBot) -> None:
    """What else it was to be told is not sent any more; the conversation's row is held."""
    waiting = BotCall.objects.filter(conversation=held, state=CallState.WAITING)
    waiting.update(state=CallState.DROPPED, finished_at=Now())
    hand_over(held, "bot_unreachable", {"bot": bot.name}, BOT)
    events.record("support_agent_bot.failed", bot.pk, {"name": bot.name})


def _finish(row: BotCall, state: CallState) -> int:
    mine = BotCall.objects.filter(pk=row.pk, attempt=row.attempt, state=CallState.RUNNING)
    ended: int = mine.update(state=state, lease_until=None, worker="", finished_at=Now())
    return ended


def reap() -> int:
    """Calls whose worker is gone wait again, under the same id; whether they had been sent nobody knows.

    What has lost too many workers has failed, and people get the conversation.
    """
    with across_tenants(Across.REAP):
        lapsed = BotCall.objects.filter(state=CallState.RUNNING, lease_until__lt=Now())
        rows = list(lapsed.select_for_update(skip_locked=True).order_by("id")[:500])
        hopeless = [row for row in rows if row.crashes + 1 >= MOST_CRASHES]
        lost = {"crashes": F("crashes") + 1, "worker": "", "lease_until": None, "last_error": LOST}
        again = BotCall.objects.filter(pk__in={row.pk for row in rows} - {row.pk for row in hopeless})
        again.update(state=CallState.WAITING, next_at=Now(), **lost)
    for row in hopeless:
        try:
            _end_lost(row)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # Looked at again with the next ones; it keeps none of them back.
            log.exception("call %s not ended", row.pk)
    return len(rows)
