"""Runs, votes, opinions and the data set over REST."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.core.jobs import Status
from apps.registry.services import ModelDefinition, register_model
from apps.studio.services import Outcome
from tests.helpers.people import Tenant
from tests.helpers.studio import ask, finish, start

pytestmark = pytest.mark.usefixtures("model")


class Program:
    """A program of one organization."""

    def __init__(self, tenant: Tenant) -> None:
        self.client, self.headers = Client(), tenant.bearer

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = "" if body is None else json.dumps(body)
        return self.client.generic(method, f"/api/v1{path}", data, "application/json", headers=self.headers)


@pytest.fixture
def program(org_a: Tenant) -> Program:
    return Program(org_a)


def write_all(count: int) -> None:
    for _ in range(count):
        assert finish(start(), Outcome(Status.SUCCEEDED, "Tea.", "stop", 10, 5))


def test_a_run_is_asked_for_and_read(program: Program) -> None:
    made = program.ask("POST", "/runs", {"prompt": "Tea", "seed": 4, "max_tokens": 20, "variants": 2})
    assert (made.status_code, made["location"]) == (202, f"/api/v1/runs/{made.json()['id']}")
    assert "x-ratelimit-limit-tokens" in made
    write_all(2)
    body = program.ask("GET", f"/runs/{made.json()['id']}").json()
    assert [(v["seed"], v["text"], v["model"]) for v in body["variants"]] == [
        (4, "Tea.", "house-text-1"),
        (5, "Tea.", "house-text-1"),
    ]
    listed = program.ask("GET", "/runs?kind=seeds").json()
    assert [run["id"] for run in listed["data"]] == [body["id"]]
    repeated = program.ask("POST", f"/variants/{body['variants'][1]['id']}/repeat", {})
    assert (repeated.status_code, repeated.json()["parent"]) == (202, body["variants"][1]["id"])
    write_all(1)
    again = program.ask("GET", f"/runs/{repeated.json()['id']}").json()
    assert (again["variants"][0]["repeats_exactly"], again["root"]) == (True, body["id"])


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "Tea", "variants": 9},
        {"prompt": "Tea", "temperatures": [0.5]},
        {"prompt": "Tea", "variants": 2, "temperatures": [0.1, 0.5]},
        {"prompt": "Tea", "models": ["default", "default"]},
        {"variants": 2},
    ],
)
def test_what_makes_no_sense_is_refused(program: Program, body: dict[str, Any]) -> None:
    assert program.ask("POST", "/runs", body).status_code == 400


def test_a_blind_vote_and_its_results(program: Program) -> None:
    register_model(ModelDefinition(name="rival", source="ml/house/text"))
    made = program.ask("POST", "/runs", {"prompt": "Tea", "max_tokens": 20, "models": ["default", "rival"]}).json()
    assert [variant["model"] for variant in made["variants"]] == [None, None]
    assert program.ask("POST", f"/runs/{made['id']}/vote", {"verdict": "tie"}).status_code == 409
    write_all(2)
    assert program.ask("GET", "/runs").json()["data"][0]["variants"][0]["model"] is None
    winner = made["variants"][0]["id"]
    voted = program.ask("POST", f"/runs/{made['id']}/vote", {"verdict": "better", "winner": winner})
    assert voted.status_code == 201
    assert {variant["model"] for variant in voted.json()["variants"]} == {"house-text-1", "rival"}
    assert program.ask("POST", f"/runs/{made['id']}/vote", {"verdict": "tie"}).status_code == 409
    [pair] = program.ask("GET", "/runs/results").json()["pairs"]
    assert (pair["first_wins"] + pair["second_wins"], pair["low"] < 0.5 < pair["high"]) == (1, True)
    assert program.ask("GET", "/evaluation-data?kind=preference").json()["data"][0]["winner"] == 0


def test_opinions_and_the_data_set(program: Program, org_a: Tenant, org_b: Tenant) -> None:
    texts = [ask(org_a) for _ in range(3)]
    path = f"/generations/{texts[0].pk}/feedback"
    assert program.ask("GET", path).status_code == 404
    for text in texts:
        given = program.ask("PUT", f"/generations/{text.pk}/feedback", {"rating": 1, "reasons": ["accurate"]})
        assert given.status_code == 200
    assert program.ask("PUT", path, {"rating": -1}).json()["rating"] == -1
    assert program.ask("PUT", path, {"rating": 2}).status_code == 400
    assert program.ask("PUT", path, {"rating": 1, "reasons": ["pretty"]}).status_code == 400
    first = program.ask("GET", "/evaluation-data?limit=2").json()
    second = program.ask("GET", first["next"].partition("/api/v1")[2]).json()
    assert [record["rating"] for record in (*first["data"], *second["data"])] == [-1, 1, 1]
    assert program.ask("DELETE", path).status_code == 204
    other = Program(org_b)
    assert other.ask("PUT", path, {"rating": 1}).status_code == 404
    assert other.ask("GET", "/evaluation-data").json()["data"] == []
