"""What a generation asks of the database on its way, from the request to the last frame: counted, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import backlog, jobs
from apps.privacy.handshakes import actor_of_scope
from apps.registry.models import ModelVersion
from apps.studio import rows
from apps.studio.models import Generation
from tests.helpers.counting import questions_in
from tests.helpers.people import Tenant
from tests.helpers.studio import SUCCESS, ask, finish, start


def counted(work: Callable[[], Any]) -> tuple[int, int]:
    """How many questions it takes, and how many changes of transactions and scopes beside them."""
    with CaptureQueriesContext(connection) as asked:
        assert work()
    questions = questions_in(asked)
    return questions, len(asked) - questions


@pytest.fixture
def post(org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    # Everybody's load is counted once a second, by whoever asks next.
    monkeypatch.setattr(backlog, "COUNT_SECONDS", 3_600.0)
    client, body = Client(), json.dumps({"prompt": "Tea.", "max_tokens": 9})

    def send() -> bool:
        answer = client.post("/api/v1/generations", body, content_type="application/json", headers=org_a.bearer)
        return answer.status_code == 202

    # The first of a month opens its sums, and the first use of a key is noted.
    assert send()
    return send


@pytest.mark.django_db(transaction=True)
def test_to_be_accepted_takes_nine_questions_in_three_transactions(post: Callable[[], bool]) -> None:
    """The key; the plan and the safety rules; the model; then lock, state, hold, row with its place, and event."""
    assert counted(post) == (9, 9)


@pytest.mark.django_db(transaction=True)
def test_a_handshake_takes_one_question_and_the_row_another(org_a: Tenant, model: ModelVersion) -> None:
    generation = ask(org_a)
    scope = {"headers": [(b"authorization", org_a.bearer["authorization"].encode())], "client": ("127.0.0.1", 1)}
    assert actor_of_scope(scope)
    assert counted(lambda: actor_of_scope(scope)) == (1, 3)
    assert counted(lambda: rows.load_glances(org_a.id, [generation.pk])) == (1, 3)


@pytest.mark.django_db(transaction=True)
def test_a_claim_takes_four_questions_and_one_in_vain_takes_one(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    assert counted(lambda: jobs.claim(Generation, "w1", 1)) == (4, 3)
    assert counted(lambda: not jobs.claim(Generation, "w1", 1)) == (1, 3)


@pytest.mark.django_db(transaction=True)
def test_an_end_takes_five_questions_and_telling_of_it_one(org_a: Tenant, model: ModelVersion) -> None:
    ask(org_a)
    generation = start()
    assert counted(lambda: finish(generation, SUCCESS)) == (5, 3)
    assert counted(lambda: rows.load_snapshots(org_a.id, [generation.pk])) == (1, 3)


def test_places_are_counted_as_one_by_one(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    first = ask(org_a)
    ask(org_b)
    mine = [first, *(ask(org_a) for _ in range(3))]
    running = start()
    found = rows.load_glances(org_a.id, [each.pk for each in mine])
    assert running.pk == first.pk
    assert [found[each.pk].queue_position for each in mine] == [None, 1, 2, 3]
    assert rows.load_glances(org_a.id, [mine[3].pk])[mine[3].pk].queue_position == 3
    assert rows.load_glances(org_b.id, [each.pk for each in mine]) == {}
