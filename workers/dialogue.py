"""The bot at work: turns of many conversations are read as one batch, and each is then carried out by itself.

Nothing is said here that is not stored, and nothing is stored once a person has acted (`services.bot.store`).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from ml.dialogue.engine import Engine
from ml.dialogue.policy import UNSURE, Turn
from ml.dialogue.state import Called, Event, HandedOver, Returned, Sought, State, fold
from ml.dialogue.types import Reading
from workers import answers, learned
from workers.threads import vital

if TYPE_CHECKING:
    from apps.support.models import BotTurn
    from apps.support.services.bot import Prepared, Rests

# Read together at most, and carried out beside each other: an action may take seconds, and holds up nobody.
TOGETHER, BESIDE = 64, 16
# How soon it looks again unless the bell rings: when the next burst is over. What is due is looked for a moment later,
# since another worker may be about to take it, and a bell may be lost.
LOOK_SECONDS, IDLE_SECONDS = 0.05, 2.0
RENEW_SECONDS, AWAY_SECONDS = 5.0, 1.0
MOST_CALLS = 20
BELL = "support.wake"
log = structlog.get_logger(__name__)


@dataclass
class Outcome:
    """What has come of a turn so far; `stored` events are already in the database."""

    state: State
    stored: int
    name: str = "replied"
    reason: str = ""
    events: list[Event] = field(default_factory=list)


class Bot:
    """The threads that answer: one that claims and reads, some that carry out, one that keeps the leases."""

    def __init__(self) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}:bot"
        self._bell, self._stopping = threading.Event(), threading.Event()
        self._held: set[UUID] = set()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(BESIDE, "bot")
        self._threads = [vital(self._answer, "bot"), vital(self._keep, "bot-leases"), vital(self._listen, "bot-bell")]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        self._bell.set()

    def stop(self) -> None:
        """Claims nothing more, and ends what is under way; a lease that lapses returns the rest."""
        self._stopping.set()
        self._bell.set()
        # Whoever claims hands on what it has claimed before the threads that carry it out end.
        for thread in self._threads:
            thread.join()
        self._pool.shutdown(wait=True)

    def _answer(self) -> None:
        from django.db import Error, close_old_connections, connections

        while not self._stopping.is_set():
            try:
                with self._lock:
                    room = TOGETHER - len(self._held)
                # A full worker waits for the bell, which rings when a place is free.
                pause = self.pause(is_full=self.look(room) >= room) if room > 0 else IDLE_SECONDS
            except Error as error:
                log.warning("turns not claimed", reason=str(error))
                close_old_connections()
                pause = LOOK_SECONDS
                self._stopping.wait(AWAY_SECONDS)
            if pause:
                self._bell.wait(pause)
                self._bell.clear()
        connections.close_all()

    def look(self, room: int) -> int:
        """Claims what is due, reads it as one batch, and hands it on; how many there were."""
        from apps.support.services import bot

        turns = bot.claim_turns(self.worker, room)
        mine = {turn.pk for turn in turns}
        with self._lock:
            self._held |= mine
        handed_on = set[UUID]()
        try:
            for turn, prepared, reading in read_together(turns):
                self._pool.submit(self._carry_out, turn, prepared, reading)
                handed_on.add(turn.pk)
        finally:
            # What nobody carries out is held no more: its lease lapses, and it waits again.
            with self._lock:
                self._held -= mine - handed_on
        return len(turns)

    def held(self) -> list[UUID]:
        """The turns whose leases are kept."""
        with self._lock:
            return list(self._held)

    def pause(self, *, is_full: bool) -> float:
        """For how many seconds there is nothing to look for, unless the bell rings; `is_full` says that it found as
        many turns as it had room for, and there may be more.
        """
        from apps.support.services import bot

        if is_full:
            return 0.0
        due = bot.seconds_until_due()
        if due is None:
            return IDLE_SECONDS
        return min(IDLE_SECONDS, due) if due > 0 else LOOK_SECONDS

    def _carry_out(self, turn: BotTurn, prepared: Prepared | None, reading: Reading) -> None:
        from django.db import close_old_connections

        try:
            with structlog.contextvars.bound_contextvars(request_id=turn.request_id, turn=str(turn.pk)):
                carry_out(turn, prepared, reading)
        finally:
            with self._lock:
                self._held.discard(turn.pk)
            close_old_connections()
            self._bell.set()

    def _keep(self) -> None:
        from django.db import Error, close_old_connections, connections

        from apps.core import jobs
        from apps.support.models import BotTurn
        from apps.support.services import bot

        while not self._stopping.wait(RENEW_SECONDS):
            try:
                if held := self.held():
                    jobs.renew(BotTurn, self.worker, held)
                for lost in bot.reap_turns():
                    bot.give_up(lost, "worker_lost")
            except Error as error:
                log.warning("leases not renewed", reason=str(error))
            finally:
                close_old_connections()
        connections.close_all()

    def _listen(self) -> None:
        """Hears the bell on its Redis channel; without Redis the turns are looked for all the same."""
        from redis.exceptions import RedisError

        from apps.core import jobs
        from apps.core.connections import redis_client

        while not self._stopping.is_set():
            try:
                with redis_client().pubsub(ignore_subscribe_messages=True) as heard:
                    heard.subscribe(jobs.bell_channel(BELL))
                    while not self._stopping.is_set():
                        if heard.get_message(timeout=1.0):
                            self._bell.set()
            except (RedisError, OSError) as error:
                log.warning("bell not heard", reason=str(error))
                self._stopping.wait(1.0)


# ---------------------------------------------------------------- reading
def read_together(turns: Sequence[BotTurn]) -> list[tuple[BotTurn, Prepared | None, Reading]]:
    """Each turn made ready, and what its words mean; texts of one model are read as one batch."""
    from django.db import InterfaceError, OperationalError

    from apps.support.services import bot
    from workers import intents

    ready: list[tuple[BotTurn, Prepared | None, Reading]] = []
    by_model: dict[UUID, list[int]] = {}
    for turn in turns:
        try:
            prepared = bot.prepare(turn)
        except (OperationalError, InterfaceError):
            # No turn is to blame for a database that is away: they wait again once their leases have lapsed.
            raise
        except Exception:
            log.exception("turn not prepared", turn=str(turn.pk))
            bot.give_up(turn, "bot_failed")
            continue
        if prepared and prepared.model and prepared.text:
            by_model.setdefault(prepared.model.pk, []).append(len(ready))
        ready.append((turn, prepared, Reading()))
    for places in by_model.values():
        chosen = [prepared for place in places if (prepared := ready[place][1]) is not None]
        readings = intents.read(chosen[0].model, [each.text for each in chosen])  # type: ignore[arg-type]
        for place, reading in zip(places, readings, strict=True):
            ready[place] = (*ready[place][:2], reading)
    return ready


# ---------------------------------------------------------------- carrying out
def carry_out(turn: BotTurn, prepared: Prepared | None, reading: Reading) -> str:
    """One turn to its end; what the outcome was. A failure calls a person, for a visitor is never left in silence."""
    from django.db import InterfaceError, OperationalError, connection

    from apps.support.services import bot

    if prepared is None:
        bot.end_silenced(turn)
        return "silent"
    try:
        return _answer(prepared, reading)
    except bot.Silenced:
        bot.end_silenced(turn)
        return "silenced"
    except bot.Superseded:
        bot.end_turn(turn)
        return "superseded"
    except bot.NotMine:
        log.warning("turn belongs to somebody else now")
        return "lost"
    except (OperationalError, InterfaceError):
        # With the database away nothing can be said: the lease lapses, and the turn waits again.
        log.exception("turn broken off")
        connection.close()
        return "lost"
    except Exception:
        log.exception("turn failed")
        bot.give_up(turn, "bot_failed")
        return "failed"
    finally:
        answers.hide(prepared)


def _answer(prepared: Prepared, reading: Reading) -> str:
    from django.utils import timezone

    from apps.support.services import bot

    known = prepared.known
    rests = bot.Rests(reading)
    going = Outcome(known.state, known.count)
    _add(going, prepared.meanwhile)
    if prepared.flows is None:
        _add(going, [HandedOver("bot_off")])
        return _store(prepared, going, rests, only_if_last=False)
    beside = learned.beside(prepared.model)
    engine = Engine(prepared.flows, prepared.policy, beside.ranking, tagger=beside.tagger)
    if going.state.called is None and prepared.text:
        today = timezone.localdate()
        turn = Turn(prepared.text, reading, engine.entities(prepared.text, today))
        events = engine.take(going.state, turn, today, prepared.language)
        events, rests = answers.looked_up(prepared, engine, events, rests)
        _add(going, events)
    # Who asked for a person gets one, whatever else is being written.
    first = not any(isinstance(event, HandedOver) for event in going.events)
    for _ in range(MOST_CALLS):
        if going.state.called is None:
            return _store(prepared, going, rests, only_if_last=first)
        if going.events:
            _store(prepared, going, rests, only_if_last=first, acting=True)
        first = False
        returned = _called(prepared, going.state.called, going.stored)
        _add(going, engine.go_on(going.state, returned, prepared.language))
    _add(going, [HandedOver(UNSURE)])
    return _store(prepared, going, rests, only_if_last=False)


def _add(going: Outcome, events: Sequence[Event]) -> None:
    going.events += events
    going.state = fold(events, going.state)


def _store(prepared: Prepared, going: Outcome, rests: Rests, only_if_last: bool, acting: bool = False) -> str:
    from apps.support.services import bot

    handed = next((event for event in going.events if isinstance(event, HandedOver)), None)
    outcome = bot.ACTING if acting else _named(going.events, rests, handed)
    bot.store(
        prepared,
        bot.Step(
            going.stored, list(going.events), going.state, rests, outcome, handed.reason if handed else "", only_if_last
        ),
    )
    going.stored += len(going.events)
    going.events = []
    if not acting:
        answers.forget(prepared, rests)
    return outcome


def _named(events: Sequence[Event], rests: Rests, handed: HandedOver | None) -> str:
    if handed:
        return "handed_over"
    if any(isinstance(event, Sought) for event in events):
        if not rests.cited:
            return "unknown"
        return "generated" if rests.generation and not rests.fault else "cited"
    return "replied"


def _called(prepared: Prepared, called: Called, position: int) -> Returned:
    """The bank's system is asked. The same call again, after a worker was lost, has the same id: it is done once."""
    from apps.support.services import bot, flows

    inputs = bot.inputs_restored(prepared, called.inputs)
    id = f"msg_{prepared.conversation.pk.hex}_{position}"
    answer = flows.call_action(prepared.turn.organization_id, called.action, inputs, prepared.about, id)
    if not answer.succeeded:
        log.warning("action failed", action=called.action, reason=answer.error)
    return Returned(called.action, answer.succeeded, dict(answer.outputs))
