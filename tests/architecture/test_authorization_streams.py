"""The same table over WebSockets and server-sent events: who reads a stream to its end, and what others are told."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings

from apps.studio.urls import websocket_urlpatterns as studio_sockets
from apps.support.urls import websocket_urlpatterns as support_sockets
from tests.helpers import principals
from tests.helpers.authorization import nobodys_ids, table
from tests.helpers.live import live_server
from tests.helpers.principals import Principal
from tests.helpers.sockets import connected
from tests.helpers.world import Side, make_side

pytestmark = pytest.mark.django_db(transaction=True)

READS = "generations:read"
OWN, OTHERS, NOBODYS = "own", "another organization's", "nobody's"


def test_every_socket_is_in_the_file() -> None:
    """What each of them reads its own tests say; here everybody follows a generation."""
    assert {str(route.pattern) for route in (*studio_sockets, *support_sockets)} == set(table()["sockets"])
    assert table()["sockets"]["ws/generations/<uuid:id>/"]["reads"] == READS


class Streams:
    """Two organizations with a finished text each, and everybody."""

    def __init__(self) -> None:
        self.a, self.b = make_side("Xylophone"), make_side("Quetzal")
        everybody = [*principals.strangers(), *principals.members(self.a), *principals.keys(self.a)]
        self.everybody = [*everybody, principals.service_account(self.a), principals.directory(self.a)]
        self.everybody.append(principals.all_but(self.a, READS))
        self.targets = {
            OWN: self.a.ids["written generation"],
            OTHERS: self.b.ids["written generation"],
            NOBODYS: nobodys_ids(self.b.ids)["generation"],
        }


@pytest.fixture
def both(transactional_db: None) -> Streams:
    return Streams()


def wanted(who: Principal, target: str) -> int:
    """The status that the answer stands for."""
    if not (who.is_member or who.is_key):
        return 401
    if READS not in who.permissions:
        return 403
    return 200 if target == OWN else 404


def assert_silent(text: str, side: Side, asked_for: Any) -> None:
    assert [secret for secret in side.secrets if secret in text and secret != str(asked_for)] == []


async def test_everybody_over_websockets(both: Streams) -> None:
    for who in both.everybody:
        cookie = {"cookie": f"{settings.SESSION_COOKIE_NAME}={who.cookie}"} if who.cookie else {}
        told: dict[str, Any] = {}
        for target, id in both.targets.items():
            async with connected(id, **who.headers, **cookie) as socket:
                frames, code = await socket.everything()
            assert code == {200: 1000}.get(wanted(who, target), 4000 + wanted(who, target)), f"{target} by {who.name}"
            assert_silent(json.dumps(frames), both.b, id)
            told[target] = frames
        assert told[OTHERS] == told[NOBODYS], who.name


@pytest.fixture
def http(both: Streams) -> Iterator[httpx.Client]:
    with live_server() as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        yield client


def test_everybody_over_server_sent_events(both: Streams, http: httpx.Client) -> None:
    for who in both.everybody:
        cookie = {"cookie": f"{settings.SESSION_COOKIE_NAME}={who.cookie}"} if who.cookie else {}
        told: dict[str, tuple[int, str]] = {}
        for target, id in both.targets.items():
            answer = http.get(f"/api/v1/generations/{id}/stream", headers=who.headers | cookie)
            assert answer.status_code == wanted(who, target), f"{target} by {who.name}: {answer.text}"
            assert ("event: done" in answer.text) == (answer.status_code == 200)
            assert_silent(answer.text, both.b, id)
            told[target] = answer.status_code, answer.text
        assert told[OTHERS] == told[NOBODYS], who.name
