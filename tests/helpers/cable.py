"""A small client of Action Cable, over a real connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey
from apps.core import tenancy
from apps.core.threads import in_database
from apps.support.services.chatwoot import pubsub
from apps.support.services.visitors import Visitor
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk

# Generous, for a machine that is busy.
PATIENCE_SECONDS = 60.0
Frame = dict[str, Any]


class Cable:
    """A connection with what it has been told so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[Frame] = []

    async def frame(self, *, pings: bool = False) -> Frame:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found: Frame = json.loads(await self.connection.recv())
                if pings or found.get("type") != "ping":
                    self.frames.append(found)
                    return found

    async def until(self, fits: Callable[[Frame], bool]) -> Frame:
        """The next frame that fits, behind which all others are kept in `frames`."""
        while not fits(found := await self.frame()):
            pass
        return found

    async def event(self, name: str) -> Any:
        found = await self.until(lambda frame: frame.get("message", {}).get("event") == name)
        return found["message"]["data"]

    def heard(self, name: str) -> list[Any]:
        told = [frame["message"] for frame in self.frames if "message" in frame]
        return [each["data"] for each in told if each["event"] == name]

    async def say(self, command: str, identifier: str, **more: Any) -> None:
        await self.connection.send(json.dumps({"command": command, "identifier": identifier} | more))

    async def subscribe(self, token: str, **params: Any) -> str:
        """The identifier of a room that has been asked for, and what came of it."""
        identifier = json.dumps({"channel": "RoomChannel", "pubsub_token": token} | params)
        await self.say("subscribe", identifier)
        found = await self.until(lambda frame: frame.get("identifier") == identifier and "type" in frame)
        return str(found["type"])

    async def perform(self, token: str, action: str, **params: Any) -> None:
        identifier = json.dumps({"channel": "RoomChannel", "pubsub_token": token} | params)
        await self.say("message", identifier, data=json.dumps({"action": action}))


@asynccontextmanager
async def cable(url: str, **more: Any) -> AsyncIterator[Cable]:
    """Connected and welcomed."""
    place = url.replace("http://", "ws://") + "/cable"
    options: dict[str, Any] = {"subprotocols": ["actioncable-v1-json", "actioncable-unsupported"], "proxy": None}
    async with connect(place, **options | more) as connection:
        found = Cable(connection)
        assert await found.frame() == {"type": "welcome"}
        yield found


# ---------------------------------------------------------------- who subscribes
def in_thread(work: Any, *args: Any, **more: Any) -> Any:
    """Awaits what asks the database."""
    return in_database(lambda: work(*args, **more))


class Listener:
    """A program of the desk with what it subscribes with, as Chatwoot's clients ask for it."""

    def __init__(self, desk: Desk) -> None:
        self.program = Program(desk)
        answer = self.program.client.get("/api/v1/profile", headers={"api_access_token": self.program.key})
        profile = answer.json()
        self.token = profile["pubsub_token"]
        self.who = {"account_id": profile["account_id"], "user_id": profile["id"]}

    def revoke(self, desk: Desk) -> None:
        """Ends the key, as the latest that was made."""
        with tenancy.scope(desk.tenant.id):
            key = ApiKey.objects.latest("created_at")
        accounts.revoke_api_key(desk.tenant.actor, key.pk)


def visitor_with_token(desk: Desk) -> tuple[Visitor, str]:
    visitor = desk.visitor(name="Ada")
    return visitor, pubsub.token_of_browser(visitor.session)
