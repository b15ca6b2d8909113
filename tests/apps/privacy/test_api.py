"""The privacy API: the same services, the same walls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.core.datakinds import kinds
from apps.registry.models import ModelVersion
from tests.helpers.people import Tenant
from tests.helpers.studio import add_rows
from workers import privacy as worker

SignIn = Callable[[Any], Client]
ROOT = "/api/v1/privacy"


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(f"{ROOT}/{path}", body, content_type="application/json")


def test_an_export_from_asking_to_its_file(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    asked = post(client, "exports", scope="organization")
    assert asked.status_code == 202
    body = asked.json()
    assert (body["status"], body["download_url"], body["person"]) == ("queued", None, None)
    worker.wake()
    body = client.get(f"{ROOT}/exports/{body['id']}").json()
    assert body["status"] == "succeeded"
    assert client.get(urlsplit(body["download_url"]).path, follow=True).status_code == 200
    assert [row["id"] for row in client.get(f"{ROOT}/exports").json()["data"]] == [body["id"]]


def test_an_erasure_is_counted_then_done(org_a: Tenant, client_of: SignIn, model: ModelVersion) -> None:
    add_rows(org_a, model, 2, created_by=org_a.member, status="succeeded")
    client, person = client_of(org_a.owner), str(org_a.member.pk)
    counts = client.get(f"{ROOT}/erasures/preview", {"person": person}).json()["counts"]
    assert counts == {"memberships": 1, "generations": 2}
    asked = post(client, "erasures", person=person, texts="erase")
    assert asked.status_code == 202
    worker.wake()
    body = client.get(f"{ROOT}/erasures/{asked.json()['id']}").json()
    assert (body["status"], body["counts"]["generations"]) == ("succeeded", 2)
    assert [row["id"] for row in client.get(f"{ROOT}/erasures").json()["data"]] == [body["id"]]


def test_terms_are_listed_previewed_and_chosen(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    terms = client.get(f"{ROOT}/retention").json()["data"]
    named = {term["kind"]: term for term in terms}
    calls = ["webhook_deliveries", "webhook_callbacks", "inbound_calls"]
    desk = ["support_sessions", "support_conversations", "support_bot_calls", "support_turns"]
    desk += ["support_received_mails", "story_runs"]
    assert list(named) == ["events", *calls, "generations", "conversations", "bulk_runs", *desk]
    assert named["generations"] == {"kind": "generations", "days": None, "least": 1, "most": 3650, "chosen": False}
    assert client.get(f"{ROOT}/retention/generations", {"days": "30"}).json()["due"] == 0
    path = f"{ROOT}/retention/generations"
    assert client.put(path, {"days": 30}, content_type="application/json").json()["days"] == 30
    assert client.put(path, {}, content_type="application/json").json()["days"] is None
    assert client.put(path, {"days": 0}, content_type="application/json").status_code == 400
    unknown = client.put(path, {"weeks": 3}, content_type="application/json").json()["error"]
    assert unknown["code"] == "unknown_parameter"
    assert client.get(path).status_code == 400
    assert client.get(path, {"days": "²"}).status_code == 400
    assert client.put(f"{ROOT}/retention/ledger", {"days": 30}, content_type="application/json").status_code == 404


def test_everything_that_is_stored_is_listed(org_a: Tenant, client_of: SignIn) -> None:
    body = client_of(org_a.owner).get(f"{ROOT}/data").json()
    assert [row["name"] for row in body["data"]] == [kind.name for kind in kinds()]
    assert body["recipients"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "data"),
        ("get", "retention"),
        ("get", "retention/generations?days=3"),
        ("put", "retention/generations"),
        ("post", "exports"),
        ("post", "erasures"),
        ("get", "erasures/preview"),
    ],
)
def test_members_keys_and_strangers_are_refused(
    org_a: Tenant, outsider: User, client_of: SignIn, method: str, path: str
) -> None:
    member, body = client_of(org_a.member), {"person": str(org_a.owner.pk)} if "erasures" in path else {}
    if path == "erasures/preview":
        path += f"?person={org_a.owner.pk}"

    def ask(client: Client, **headers: str) -> int:
        return int(
            client.generic(
                method.upper(), f"{ROOT}/{path}", json.dumps(body), "application/json", headers=headers
            ).status_code
        )

    assert ask(member) == 403
    assert ask(Client(), **org_a.bearer) == 403
    assert ask(Client()) == 401
    assert ask(client_of(outsider)) == 401


def test_ids_of_others_are_answered_like_ids_that_do_not_exist(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    theirs = client_of(org_b.owner)
    export = post(theirs, "exports", scope="organization").json()["id"]
    erasure = post(theirs, "erasures", person=str(org_b.member.pk)).json()["id"]
    client = client_of(org_a.owner)
    for kind, id in (("exports", export), ("erasures", erasure)):
        answers = [client.get(f"{ROOT}/{kind}/{each}") for each in (id, uuid4(), "nonsense")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert client.get(f"{ROOT}/{kind}").json()["data"] == []
    for person in (str(org_b.member.pk), str(uuid4())):
        assert post(client, "erasures", person=person).status_code == 404
        assert post(client, "exports", scope="member", person=person).status_code == 404


def test_what_is_wrong_is_named(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    for path, body, param in (
        ("exports", {"scope": "member"}, "person"),
        ("exports", {"scope": "all"}, "scope"),
        ("erasures", {}, "person"),
        ("erasures", {"person": "x"}, "person"),
        ("erasures", {"person": str(org_a.owner.pk)}, "person"),
        ("erasures", {"person": str(org_a.member.pk), "texts": "burn"}, "texts"),
    ):
        answer = post(client, path, **body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), path
    assert client.get(f"{ROOT}/erasures/preview", {"scope": "organization"}).status_code == 400
    answer = post(client, "erasures", scope="account")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_a_member_may_ask_for_their_own(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    assert post(client, "exports", scope="account").status_code == 202
    assert client.get(f"{ROOT}/erasures/preview", {"scope": "account"}).json()["counts"]["people"] == 1
    assert post(client, "erasures", scope="account").status_code == 202
