"""Who is in a document, and hints that it has changed: for its own organization, and nobody else."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from apps.accounts import services as accounts
from apps.studio import document_sockets
from apps.studio.models import Document
from apps.studio.services import documents
from tests.helpers.people import Tenant, acting, member_of
from tests.helpers.sockets import Socket, connected, cookie_of

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = {"kind": "documents", "origin": "http://testserver"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_sockets, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(document_sockets, "QUIET_SECONDS", 0)


@pytest.fixture
def document(org_a: Tenant) -> Document:
    return documents.create(org_a.actor, "Mill", "The mill.")


async def next_of(socket: Socket, kind: str, wanted: Any = lambda frame: True) -> dict[str, Any]:
    while True:
        frame = await socket.frame()
        assert isinstance(frame, dict), frame
        if frame["type"] == kind and wanted(frame):
            return frame


async def test_two_members_see_each_other_and_where(org_a: Tenant, document: Document) -> None:
    owner, member = await sync_to_async(cookie_of)(org_a.owner), await sync_to_async(cookie_of)(org_a.member)
    async with connected(document.pk, cookie=owner, **PAGE) as first:
        async with connected(document.pk, cookie=member, **PAGE) as second:
            await second.say(text='{"line": 12}')
            frame = await next_of(first, "people", lambda frame: any(each["line"] == 12 for each in frame["people"]))
            assert {(each["name"], each["line"], each["me"]) for each in frame["people"]} == {
                ("owner", None, True),
                ("member", 12, False),
            }
        left = await next_of(first, "people", lambda frame: len(frame["people"]) == 1)
        assert left["people"][0]["me"]


async def test_a_save_and_a_comment_are_hinted_at(org_a: Tenant, document: Document) -> None:
    cookie = await sync_to_async(cookie_of)(org_a.member)
    async with connected(document.pk, cookie=cookie, **PAGE) as socket:
        await next_of(socket, "people")
        await sync_to_async(documents.save)(org_a.actor, document.pk, 1, "The tower.")
        assert await next_of(socket, "changed", lambda frame: frame["revision"] < 2**31) == {
            "type": "changed",
            "revision": 2,
        }
        selection = documents.Selection(2, 0, 3, "The")
        await sync_to_async(documents.comment)(org_a.actor, document.pk, selection, "Why?")
        assert await next_of(socket, "margin") == {"type": "margin"}


async def test_nonsense_is_ignored(org_a: Tenant, document: Document) -> None:
    async with connected(document.pk, kind="documents", **org_a.bearer) as socket:
        for text in ("{not json", "[]", '{"line": "x"}', '{"line": -1}', "x" * 5_000, '{"line": 3}'):
            await socket.say(text=text)
        await socket.say(bytes=b"\xff")
        await next_of(socket, "people", lambda frame: frame["people"] and frame["people"][0]["line"] == 3)


async def test_others_learn_nothing(org_a: Tenant, org_b: Tenant, outsider: Any, document: Document) -> None:
    answers = []
    for id in (document.pk, uuid4()):
        async with connected(id, kind="documents", **org_b.bearer) as socket:
            answers.append(await socket.everything())
    assert answers[0] == answers[1]
    assert answers[0][1] == 4404
    for user, code in ((org_b.owner, 4404), (outsider, 4401)):
        cookie = await sync_to_async(cookie_of)(user)
        async with connected(document.pk, cookie=cookie, **PAGE) as socket:
            assert (await socket.everything())[1] == code
    async with connected(document.pk, kind="documents") as socket:
        assert (await socket.everything())[1] == 4401


async def test_who_is_removed_is_out(org_a: Tenant, document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.accounts.watching.CHECK_SECONDS", 0.1)
    cookie = await sync_to_async(cookie_of)(org_a.member)
    actor = await sync_to_async(acting)(org_a, org_a.owner)
    async with connected(document.pk, cookie=cookie, **PAGE) as socket:
        await next_of(socket, "people")
        membership = await sync_to_async(member_of)(org_a, org_a.member)
        await sync_to_async(accounts.remove_member)(actor, membership.pk)
        frames, code = await socket.everything()
    assert code == 4410
    assert frames[-1]["error"]["code"] == "access_revoked"
