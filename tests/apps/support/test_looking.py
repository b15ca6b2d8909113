"""Open pages look at rows when they are told that something is new, and seldom without."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest

from apps.core.rooms import Hints
from apps.core.threads import in_database
from apps.support import following
from apps.support.following import ANEW, follow
from apps.support.services import cursors
from tests.helpers.desk import Desk


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From where on each reading of the rows began; whoever hears nothing looks five times a second."""
    began: list[int] = []
    real = following._read

    def counted(organization: Any, conversation: Any, after: int, for_contact: bool) -> Any:
        began.append(after)
        return real(organization, conversation, after, for_contact)

    monkeypatch.setattr(following, "_read", counted)
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.2)
    return began


async def until_frame(frames: AsyncGenerator[dict[str, Any]], kind: str, times: int = 1) -> dict[str, Any]:
    async with asyncio.timeout(60):
        async for frame in frames:
            times -= frame["type"] == kind
            if not times:
                return frame
    raise AssertionError(f"no frame {kind}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("for_contact", [False, True])
async def test_whoever_hears_no_hint_looks_and_reads_only_what_is_new(
    desk: Desk, reads: list[int], for_contact: bool
) -> None:
    ann = await in_database(desk.agent, "ann")
    conversation = await in_database(desk.begin)
    last = conversation.last_sequence
    deaf = Hints()
    async with aclosing(follow(desk.tenant.id, conversation.pk, 0, deaf, for_contact=for_contact)) as frames:
        await until_frame(frames, "messages")
        await until_frame(frames, "tick", 5)
        assert reads == [0]
        await in_database(desk.says, conversation, "Still there?")
        said = await until_frame(frames, "messages")
        assert [each["content"] for each in said["data"]] == ["Still there?"]
        await in_database(partial(cursors.acknowledge, ann, conversation.pk, seen=last))
        await until_frame(frames, "cursors")
        assert reads == [0, last, said["last"]]


@pytest.mark.django_db(transaction=True)
async def test_for_many_hints_the_rows_are_read_once(desk: Desk, reads: list[int]) -> None:
    conversation = await in_database(desk.begin)
    hints = Hints()
    async with aclosing(follow(desk.tenant.id, conversation.pk, 0, hints)) as frames:
        await until_frame(frames, "messages")
        for hint in (ANEW, ANEW, {"type": "people"}, ANEW):
            hints.put_nowait(hint)
        await until_frame(frames, "people")
        await until_frame(frames, "tick", 3)
    assert reads == [0, conversation.last_sequence]
