"""Tables and batches are stored as prompts are: with what the rules mask masked already."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.core import tenancy
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio.models import Batch, BulkRow, Generation
from apps.studio.requests import GenerationSpec
from apps.studio.services import Outcome, batches, bulk, safety
from apps.studio.services.batches import Asked
from apps.studio.services.bulk.repeating import repeat_run
from apps.studio.services.safety.rules import ListRules, PersonalRules, Rules
from ml.text.tables import Row
from ml.types import Message
from tests.apps.studio.bulk.conftest import drive_to_the_end, rows_of
from tests.helpers.people import Tenant

ANN, BEA = "ann@example.com", "bea@example.com"
WRITTEN = Outcome(Status.SUCCEEDED, "Dear [EMAIL_1].", "stop", 10, 5)
FAILED = Outcome(Status.FAILED, "", "error", error_code="engine_error", error_message="No.")


def masking(tenant: Tenant, restore: bool = False) -> None:
    safety.change_policy(tenant.actor, Rules(personal=PersonalRules(("email",), "mask", "off", restore)))


def started(tenant: Tenant) -> Any:
    rows = [Row({"to": ANN, "cc": f"{BEA} and {ANN}"}), Row({"to": BEA, "cc": "nobody"})]
    run = bulk.create_run(tenant.actor, "people.csv", ("to", "cc"), rows)
    bulk.configure_run(tenant.actor, run.pk, bulk.Draft(prompt="Write to {{ to }}, {{ cc }}.", max_tokens=20))
    return bulk.start_run(tenant.actor, run.pk)


def stored() -> str:
    """Everything of rows and texts, as it lies in the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.across', 'on', true)")
        cursor.execute("SELECT json_agg(r)::text FROM studio_bulkrow r")
        rows = cursor.fetchone()[0]
        cursor.execute("SELECT coalesce(json_agg(g), '[]')::text FROM studio_generation g")
        return f"{rows}{cursor.fetchone()[0]}"


def test_cells_are_masked_before_they_are_stored(org_a: Tenant, model: ModelVersion) -> None:
    masking(org_a)
    run = started(org_a)
    assert [row.values for row in rows_of(run)] == [
        {"to": "[EMAIL_1]", "cc": "[EMAIL_2] and [EMAIL_1]"},
        {"to": "[EMAIL_1]", "cc": "nobody"},
    ]
    written = drive_to_the_end(run, WRITTEN)
    assert written[0].messages[0]["content"] == "Write to [EMAIL_1], [EMAIL_2] and [EMAIL_1]."
    assert "example.com" not in stored()


def test_what_is_put_back_into_outputs_is_sealed_until_then(org_a: Tenant, model: ModelVersion) -> None:
    masking(org_a, restore=True)
    run = started(org_a)
    assert "example.com" not in stored() and "EMAIL_2" in stored()
    drive_to_the_end(run, FAILED)
    bulk.retry_failed(org_a.actor, run.pk)
    drive_to_the_end(run, WRITTEN)
    assert [row.generation.text for row in rows_of(run) if row.generation] == [f"Dear {ANN}.", f"Dear {BEA}."]
    again = repeat_run(org_a.actor, bulk.get_run(org_a.actor, run.pk))
    drive_to_the_end(again, WRITTEN)
    assert [row.generation.text for row in rows_of(again) if row.generation] == [f"Dear {ANN}.", f"Dear {BEA}."]


@pytest.mark.parametrize("restore", [False, True])
def test_a_runs_own_prompt_is_masked_like_its_rows(org_a: Tenant, model: ModelVersion, restore: bool) -> None:
    masking(org_a, restore)
    run = bulk.create_run(org_a.actor, "people.csv", ("to",), [Row({"to": ANN})])
    asked = f"Write to {{{{ to }}}} in the name of {BEA}."
    for prompt in (asked, "Write to {{ to }} in the name of [EMAIL_2]."):
        # The second time as the form shows it, which has what was masked already.
        bulk.configure_run(org_a.actor, run.pk, bulk.Draft(prompt=prompt, max_tokens=20))
        with tenancy.scope(org_a.id):
            kept = bulk.get_run(org_a.actor, run.pk)
        assert kept.prompt == "Write to {{ to }} in the name of [EMAIL_2]."
        assert BEA not in kept.originals
    again = repeat_run(org_a.actor, kept)
    assert again.prompt == kept.prompt
    written = drive_to_the_end(bulk.start_run(org_a.actor, run.pk), WRITTEN)
    assert written[0].messages[0]["content"] == "Write to [EMAIL_1] in the name of [EMAIL_2]."
    assert restore or "example.com" not in stored()


def test_names_of_columns_in_a_prompt_are_no_words_of_it(org_a: Tenant, model: ModelVersion) -> None:
    safety.change_policy(org_a.actor, Rules(lists=(ListRules("Words", ("user",), "mask", "off"),)))
    run = bulk.create_run(org_a.actor, "people.csv", ("user",), [Row({"user": "Ann"})])
    bulk.configure_run(org_a.actor, run.pk, bulk.Draft(prompt="Greet user {{ user }}.", max_tokens=20))
    prompt = bulk.get_run(org_a.actor, run.pk).prompt
    assert "{{ user }}" in prompt
    assert "user {{" not in prompt


def batch_of(tenant: Tenant) -> Batch:
    """One that a worker has claimed."""
    with tenancy.scope(tenant.id):
        Batch.objects.create(
            organization_id=tenant.id,
            input_id=tenant.id,
            endpoint="/v1/chat/completions",
            created_by_id=tenant.owner.pk,
            expires_at=timezone.now() + timedelta(hours=1),
        )
    batch = batches.claim_batch("w")
    assert batch is not None
    return batch


def test_who_speaks_in_a_batchs_request_is_no_word_of_it(org_a: Tenant, model: ModelVersion) -> None:
    terms = ListRules("Words", ("user", "system"), "mask", "off")
    safety.change_policy(org_a.actor, Rules(lists=(terms,)))
    messages = (Message("system", "Be short."), Message("user", "Every user waits."))
    assert batches.begin_batch(batch_of(org_a), [Asked("a", GenerationSpec(messages=messages, max_tokens=20))])
    with tenancy.scope(org_a.id):
        said = BulkRow.objects.get().values["spec"]["messages"]
    assert [message["role"] for message in said] == ["system", "user"]
    assert said[0]["content"] == "Be short."
    assert "user" not in said[1]["content"]


def test_a_batchs_requests_are_masked_before_they_are_stored(org_a: Tenant, model: ModelVersion) -> None:
    masking(org_a)
    batch = batch_of(org_a)
    spec = GenerationSpec(messages=(Message("user", f"Write to {ANN}."),), max_tokens=20)
    assert batches.begin_batch(batch, [Asked("a", spec), Asked("b", status=400, error={"error": {"code": "x"}})])
    with tenancy.scope(org_a.id):
        rows = list(BulkRow.objects.order_by("number"))
    assert rows[0].values["spec"]["messages"] == [{"role": "user", "content": "Write to [EMAIL_1]."}]
    bulk.drive("w")
    with tenancy.scope(org_a.id):
        assert Generation.objects.get().messages[0]["content"] == "Write to [EMAIL_1]."
    assert "example.com" not in json.dumps(stored())
