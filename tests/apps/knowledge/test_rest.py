"""Knowledge over REST, with keys of two organizations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.helpers.knowledge import library, read_all
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db(transaction=True)
AT = "/api/v1/knowledge"


def send(tenant: Tenant, method: str, path: str, body: Any = None) -> Any:
    return Client().generic(
        method, f"{AT}{path}", "" if body is None else json.dumps(body), "application/json",
        headers=tenant.bearer,
    )  # fmt: skip


def test_from_a_collection_to_a_passage(org_a: Tenant, answers: None) -> None:
    made = send(org_a, "POST", "/collections", {"name": "Handbook"})
    assert made.status_code == 201
    id = made.json()["id"]
    added = send(org_a, "POST", "/documents", {"collection": id, "title": "Tea", "text": "# Tea\n\nServed at four."})
    assert (added.status_code, added.json()["status"], added.json()["stage"]) == (201, "queued", "waiting")
    upload = Client().post(
        f"{AT}/files", {"collection": id, "file": SimpleUploadedFile("cake.txt", b"Cake at five.")},
        headers=org_a.bearer,
    )  # fmt: skip
    assert upload.status_code == 201
    read_all()
    document = send(org_a, "GET", f"/documents/{added.json()['id']}").json()
    assert (document["status"], document["passages"], document["reason"]) == ("succeeded", 1, "")
    listed = send(org_a, "GET", f"/documents?collection={id}").json()
    assert [row["title"] for row in listed["data"]] == ["cake.txt", "Tea"]
    found = send(org_a, "POST", "/search", {"query": "when is tea served", "limit": 1}).json()["data"]
    assert [(row["text"], row["heading"]) for row in found] == [("Served at four.", ["Tea"])]
    assert send(org_a, "DELETE", f"/collections/{id}").status_code == 204
    assert send(org_a, "GET", f"/documents/{added.json()['id']}").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/documents", {"title": "x", "text": "x"}, "invalid_request"),
        ("/documents", {"collection": "{collection}", "text": "x"}, "invalid_request"),
        ("/documents", {"collection": "{collection}", "text": "x", "url": "https://x.example"}, "invalid_request"),
        ("/documents", {"collection": "{collection}", "url": "http://127.0.0.1/"}, "outbound_refused"),
        ("/documents", {"collection": "{collection}", "url": "https://user@x.example/"}, "outbound_refused"),
        ("/collections", {"name": " "}, "invalid_request"),
        ("/search", {"query": ""}, "invalid_request"),
        ("/search", {"query": "tea", "limit": 51}, "invalid_request"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(org_a: Tenant, path: str, body: dict[str, Any], code: str) -> None:
    ids = library(org_a, "Mine")
    body = {name: str(ids["collection"]) if value == "{collection}" else value for name, value in body.items()}
    answer = send(org_a, "POST", path, body)
    assert answer.status_code == (422 if code == "outbound_refused" else 400)
    assert answer.json()["error"]["code"] == code


def test_an_upload_that_is_not_what_it_says_is_refused(org_a: Tenant) -> None:
    ids = library(org_a, "Mine")
    upload = SimpleUploadedFile("report.pdf", b"MZ this is a program")
    answer = Client().post(f"{AT}/files", {"collection": ids["collection"], "file": upload}, headers=org_a.bearer)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "file_refused")


def test_another_organizations_rows_do_not_exist(org_a: Tenant, org_b: Tenant) -> None:
    ids = library(org_a, "Swordfish")
    for method, path in (
        ("GET", f"/collections/{ids['collection']}"),
        ("DELETE", f"/collections/{ids['collection']}"),
        ("GET", f"/documents/{ids['document']}"),
        ("DELETE", f"/documents/{ids['document']}"),
    ):
        assert send(org_b, method, path).status_code == 404
    added = send(org_b, "POST", "/documents", {"collection": str(ids["collection"]), "title": "x", "text": "x"})
    assert added.status_code == 404
    assert send(org_b, "GET", f"/documents?collection={ids['collection']}").json()["data"] == []
    assert send(org_b, "GET", "/collections").json()["data"] == []
