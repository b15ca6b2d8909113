"""Licences over REST: the vendor with an API key, the licensee's program with a licence key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from apps.accounts import services as accounts
from apps.core import tenancy
from apps.licensing import services as licensing
from apps.licensing.api import waiting
from apps.licensing.models import Machine
from ml import licensing as files
from ml.licensing import Status, Surroundings, TrustAnchors, open_revocations, verify
from tests.helpers.licensing import MACHINE, OTHER_MACHINE, issue, make_policy, sign
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def signer() -> Iterator[None]:
    """The signer at work beside the web process."""
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(0.05):
            sign()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join()


def vendor(tenant: Tenant, scopes: tuple[str, ...] = ("licences:read", "licences:manage")) -> dict[str, str]:
    _key, secret = accounts.create_api_key(tenant.actor, "licensing", scopes)
    return {"authorization": f"Bearer {secret}"}


def send(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


def program(client: Client, key: str, path: str, body: Any = None) -> Any:
    return send(client, f"licensing/{path}", body, authorization=f"Bearer {key}")


def test_a_vendor_issues_and_revokes(client: Client, org_a: Tenant, org_b: Tenant, signer: None) -> None:
    headers = vendor(org_a)
    product = send(client, "licence-products", {"name": "Writer", "code": "writer"}, **headers).json()
    asked = {"product": product["id"], "name": "Team", "days": 365, "seats": 3, "machine_bound": False}
    policy = send(client, "licence-policies", asked, **headers).json()
    body = {"policy": policy["id"], "licensee": "Contoso", "email": "it@contoso.example", "seats": 7}
    answer = send(client, "licences", body, **headers)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["seats"], made["state"], made["key"][:3]) == (7, "active", "lk_")
    file = send(client, f"licences/{made['id']}/file", **headers)
    assert (file.status_code, file.json()["status"]) == (200, "signed")
    anchors = TrustAnchors.parse(licensing.anchors_of(org_a.id))
    assert verify(file.json()["licence"].encode(), anchors, product="writer").status is Status.VALID
    shown = client.get(f"/api/v1/licences/{made['id']}", headers=headers).json()
    assert "key" not in shown
    assert send(client, f"licences/{made['id']}/revoke", {"reason": "Unpaid"}, **headers).json()["state"] == "revoked"
    assert send(client, f"licences/{made['id']}/file", **headers).json()["error"]["code"] == "licence_not_served"
    listed = client.get("/api/v1/licences?state=revoked", headers=headers).json()
    assert [row["id"] for row in listed["data"]] == [made["id"]]
    assert client.get("/api/v1/licences?state=active", headers=headers).json()["data"] == []
    assert client.get(f"/api/v1/licences/{made['id']}", headers=vendor(org_b)).status_code == 404


def test_scopes_are_asked(client: Client, org_a: Tenant) -> None:
    licence, _ = issue(org_a)
    reading = vendor(org_a, ("licences:read",))
    assert client.get("/api/v1/licences", headers=reading).status_code == 200
    assert send(client, f"licences/{licence.pk}/revoke", {"reason": "x"}, **reading).status_code == 403
    assert client.get("/api/v1/licences", headers=org_a.bearer).status_code == 403


def test_a_program_activates_its_machine_and_gets_its_file(client: Client, org_a: Tenant, signer: None) -> None:
    _licence, key = issue(org_a)
    answer = program(client, key, "activate", {"fingerprint": MACHINE, "name": "build-01"})
    assert answer.status_code == 200, answer.json()
    anchors = TrustAnchors.parse(licensing.anchors_of(org_a.id))
    here = Surroundings(fingerprint=lambda vendor: MACHINE)
    assert verify(answer.json()["licence"].encode(), anchors, surroundings=here).status is Status.VALID
    assert program(client, key, "activate", {"fingerprint": OTHER_MACHINE}).status_code == 200
    third = program(client, key, "activate", {"fingerprint": "c" * 64})
    assert (third.status_code, third.json()["error"]["code"]) == (409, "no_machine_left")
    assert program(client, key, "deactivate", {"fingerprint": OTHER_MACHINE}).status_code == 204
    assert program(client, key, "activate", {"fingerprint": "c" * 64}).status_code == 200
    assert program(client, key, "file").json()["status"] == "signed"


def test_a_request_file_is_answered_with_a_response_file(
    client: Client, org_a: Tenant, org_b: Tenant, signer: None
) -> None:
    _licence, key = issue(org_a)
    data = files.make_request(key, str(org_a.id), MACHINE, "island", datetime.now(UTC))
    asked = {"request": data.decode()}
    answer = send(client, "licence-requests", asked, **vendor(org_a))
    assert (answer.status_code, answer.json()["status"]) == (200, "signed"), answer.json()
    anchors = TrustAnchors.parse(licensing.anchors_of(org_a.id))
    _found, inside = files.apply(answer.json()["response"].encode(), files.read_request(data), anchors)
    assert inside.machines == (MACHINE,)
    again = f"/api/v1/licence-requests/{answer.json()['id']}"
    assert client.get(again, headers=vendor(org_a)).json() == answer.json()
    assert client.get(again, headers=vendor(org_b)).status_code == 404
    assert send(client, "licence-requests", asked, **vendor(org_b)).status_code == 404
    assert send(client, "licence-requests", {"request": "nonsense"}, **vendor(org_a)).status_code == 400
    with tenancy.scope(org_a.id):
        assert Machine.objects.count() == 1


def test_without_the_signer_the_answer_is_202(client: Client, org_a: Tenant, impatient: None) -> None:
    licence, key = issue(org_a)
    answer = program(client, key, "activate", {"fingerprint": MACHINE})
    assert (answer.status_code, answer.json()["status"], answer.json()["licence"]) == (202, "waiting", None)
    assert send(client, f"licences/{licence.pk}/file", **vendor(org_a)).status_code == 202
    with tenancy.scope(org_a.id):
        assert Machine.objects.count() == 1


def test_seats_are_taken_kept_and_returned(client: Client, org_a: Tenant) -> None:
    _licence, key = issue(org_a, make_policy(org_a, floating=True, seats=1))
    assert program(client, key, "seats", {"holder": "alice"}).json()["used"] == 1
    assert program(client, key, "seats", {"holder": "alice"}).status_code == 200
    second = program(client, key, "seats", {"holder": "bob"})
    assert (second.status_code, second.json()["error"]["code"]) == (409, "no_seat_left")
    assert program(client, key, "seats/return", {"holder": "alice"}).status_code == 204
    assert program(client, key, "seats", {"holder": "bob"}).status_code == 200


def test_the_revocation_list_is_for_whoever_holds_a_key(client: Client, org_a: Tenant) -> None:
    licence, key = issue(org_a)
    headers = {"authorization": f"Bearer {key}"}
    assert client.get("/api/v1/licensing/revocations", headers=headers).json()["revocations"] is None
    licensing.revoke(org_a.actor, licence.pk, "Unpaid")
    sign()
    # Also to the revoked one itself, which must hear of it.
    answer = client.get("/api/v1/licensing/revocations", headers=headers).json()
    listed = open_revocations(answer["revocations"].encode(), TrustAnchors.parse(licensing.anchors_of(org_a.id)))
    assert (listed.sequence, listed.licences) == (1, {str(licence.pk)})


def test_a_licence_key_is_no_api_key_and_an_api_key_no_licence_key(client: Client, org_a: Tenant) -> None:
    _licence, key = issue(org_a)
    assert client.get("/api/v1/licences", headers={"authorization": f"Bearer {key}"}).status_code == 401
    assert client.get("/api/v1/usage", headers={"authorization": f"Bearer {key}"}).status_code == 401
    answer = client.post(
        "/api/v1/licensing/seats", {"holder": "x"}, content_type="application/json", headers=org_a.bearer
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_licence_key")
    assert client.post("/api/v1/licensing/file").json()["error"]["code"] == "invalid_licence_key"


def test_bodies_are_checked(client: Client, org_a: Tenant) -> None:
    _licence, key = issue(org_a)
    for body in ({}, {"fingerprint": "x"}, {"fingerprint": 3}, {"fingerprint": MACHINE, "more": 1}):
        assert program(client, key, "activate", body).status_code == 400


def test_a_price_is_one_that_its_currency_is_paid_in(client: Client, org_a: Tenant) -> None:
    policy = make_policy(org_a)
    for price, currency in ((550, "ISK"), (1_005, "KWD")):
        answer = client.patch(
            f"/api/v1/licence-policies/{policy.pk}",
            {"price_minor": price, "currency": currency},
            content_type="application/json",
            headers=vendor(org_a),
        )
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "amount_not_chargeable", "price_minor")
