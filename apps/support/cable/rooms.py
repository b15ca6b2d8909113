"""Who subscribes to a room, what they are told there, and whether they may stay."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.accounts.services import standing
from apps.accounts.watching import Watch, watching
from apps.core import tenancy
from apps.core.errors import AccessRevoked, NotAuthenticated, NotFound
from apps.core.threads import in_database
from apps.privacy.handshakes import actor_of_scope, address_of_scope
from apps.support import glancing
from apps.support.access import READ
from apps.support.cable.feed import Follower, feed_of, position_of
from apps.support.cable.telling import Told
from apps.support.models import ContactSession, Numbered
from apps.support.services import desk
from apps.support.services.chatwoot import presence, pubsub
from apps.support.services.chatwoot.pubsub import BROWSER, KEY, Named
from apps.support.services.numbers import Numbers

ROOM = "RoomChannel"
NO_ROOM = gettext_noop("This token opens nothing.")


class Room:
    """One subscription of a socket, by the identifier that its client has given it, and what its token names."""

    def __init__(self, identifier: str, named: Named, follower: Follower, ends: ExitStack) -> None:
        self.identifier, self.named, self.follower, self._ends = identifier, named, follower, ends

    def message_of(self, told: Told) -> str:
        """What is told here of it, empty where it is not for whoever is here."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises AccessRevoked as soon as it is known that whoever is here may not stay."""

    async def recheck(self) -> None:
        """Finds out."""

    async def presence(self, *, said: bool) -> dict[str, Any]:
        """Who is there; `said` that whoever asks says so of themselves."""
        raise NotImplementedError

    def leave(self) -> None:
        self._ends.close()


class DeskRoom(Room):
    """Of a member, or of a program with a key: all that happens at the desk."""

    actor: Actor
    watch: Watch | None

    def message_of(self, told: Told) -> str:
        return "" if told.by and told.by == str(self.actor.person_id or self.actor.api_key_id) else told.for_desk

    def check(self) -> None:
        if self.watch is not None:
            self.watch.check()

    async def presence(self, *, said: bool) -> dict[str, Any]:
        if said:
            await in_database(_note_agent, self.named, self.actor)
        return await in_database(presence.told_to_desk, self.named.organization_id)


class ContactRoom(Room):
    """Of a contact's browser: what is said to them, and by them elsewhere."""

    session: ContactSession

    def message_of(self, told: Told) -> str:
        return told.for_contact if self.session.pk in told.sessions else ""

    async def recheck(self) -> None:
        browser = await glancing.standing(self.named.organization_id, self.session.pk)
        if browser is None or browser.ended_at is not None or browser.inbox_archived_at is not None:
            raise AccessRevoked
        self.session.contact_id = browser.contact_id

    async def presence(self, *, said: bool) -> dict[str, Any]:
        if said:
            await in_database(pubsub.charge_presence, self.named)
        await in_database(presence.note_contact, self.named.organization_id, self.session.contact_id)
        return await in_database(presence.told_to_contact, self.named.organization_id)


async def enter(scope: dict[str, Any], identifier: str, wake: Any) -> Room:
    """The room that an identifier names; raises an error for one that is not this client's."""
    wanted = _wanted(identifier)
    named = pubsub.read(str(wanted.get("pubsub_token") or ""))
    if named is None or wanted.get("channel") != ROOM:
        raise NotAuthenticated(NO_ROOM)
    ends = ExitStack()
    try:
        opened = _contact_room if named.kind == BROWSER else _desk_room
        room = await opened(scope, identifier, named, wanted, wake, ends)
        # Whoever has lost their access since they were let in is not told of it in any other way.
        await room.recheck()
    except BaseException:
        ends.close()
        raise
    return room


async def _contact_room(
    scope: dict[str, Any], identifier: str, named: Named, wanted: dict[str, Any], wake: Any, ends: ExitStack
) -> Room:
    session = await in_database(pubsub.admit_browser, named)
    position = await in_database(position_of, named.organization_id)
    followed = feed_of(named.organization_id).followed(position, wake, session.pk)
    room = ContactRoom(identifier, named, ends.enter_context(followed), ends)
    room.session = session
    return room


async def _desk_room(
    scope: dict[str, Any], identifier: str, named: Named, wanted: dict[str, Any], wake: Any, ends: ExitStack
) -> Room:
    actor = await in_database(_actor_of, scope, named, wanted)
    watch = ends.enter_context(watching(actor, READ))
    if watch is not None:
        watch.on_end = wake
    await in_database(desk.follow, actor)
    position = await in_database(position_of, named.organization_id)
    followed = feed_of(named.organization_id).followed(position, wake)
    room = DeskRoom(identifier, named, ends.enter_context(followed), ends)
    room.actor, room.watch = actor, watch
    return room


def _note_agent(named: Named, actor: Actor) -> None:
    pubsub.charge_presence(named)
    # What they may do is not what it was when they came.
    presence.note_agent(standing.now(actor))


def _wanted(identifier: str) -> dict[str, Any]:
    try:
        found = json.loads(identifier)
    except (ValueError, RecursionError):
        raise NotAuthenticated(NO_ROOM) from None
    return found if isinstance(found, dict) else {}


def _actor_of(scope: dict[str, Any], named: Named, wanted: dict[str, Any]) -> Actor:
    """Whoever the token was told to, in the account and by the number that they say they have."""
    if named.kind == KEY:
        actor = pubsub.admit_key(named, address_of_scope(scope))
    else:
        actor = actor_of_scope(scope)
        if not pubsub.is_of_session(named, actor):
            raise NotAuthenticated(NO_ROOM)
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        numbers = Numbers(actor.organization_id)
        user = numbers(Numbered.USER, actor.person_id) if actor.person_id else 0
        if (str(wanted.get("account_id")), str(wanted.get("user_id"))) != (str(numbers.account), str(user)):
            raise NotFound(NO_ROOM)
    return actor
