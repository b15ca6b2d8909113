"""Bulk runs: what is asked, how many at a time, and how a run is paused, stopped, repeated and stopped by quota."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Membership
from apps.billing.models import PlanAllowance
from apps.core import jobs, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.core.models import Event
from apps.privacy.services import retention
from apps.studio.models import BulkAttempt, BulkRow, Generation, RunState
from apps.studio.services import Outcome, bulk, templates
from apps.studio.services.templates import TemplateFacts
from ml.text.tables import Row
from tests.apps.studio.bulk.conftest import Made, drive_to_the_end, fresh, rows_of, standings, write_all
from tests.helpers.people import Tenant, acting, audit_of, events_of
from tests.helpers.studio import ask, finish, ledger, start

FAILED = Outcome(Status.FAILED, "", "error", error_code="engine_error", error_message="No.")
NAME: list[dict[str, Any]] = [{"name": "name", "type": "text", "required": True}]


def test_every_row_becomes_one_text_that_is_charged_once(org_a: Tenant, made: Made) -> None:
    run = made("Tea", "Cups", "Kettles")
    written = drive_to_the_end(run)
    assert sorted(generation.messages[0]["content"] for generation in written) == [
        "Write a line about Cups.",
        "Write a line about Kettles.",
        "Write a line about Tea.",
    ]
    assert standings(run) == ["succeeded"] * 3
    assert sorted(kind for kind, _ in ledger(org_a)) == ["hold"] * 3 + ["settle"] * 3
    assert [kind for kind in events_of(org_a) if kind.startswith("bulk")] == [
        "bulk_run.created",
        "bulk_run.started",
        "bulk_run.completed",
    ]


def test_only_so_many_rows_are_asked_at_a_time(made: Made, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 2
    run = made(*"abcde")
    for _ in range(3):
        bulk.drive("d1")
    assert standings(run) == ["queued"] * 2 + ["waiting"] * 3
    write_all()
    bulk.drive("d1")
    assert standings(run) == ["succeeded"] * 2 + ["queued"] * 2 + ["waiting"]


def test_two_runs_of_an_organization_share_its_places(made: Made, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 4
    first, second = made(*"abcdef"), made(*"ghijkl")
    bulk.drive("d1")
    assert standings(first).count("queued") == 2
    assert standings(second).count("queued") == 2


def test_other_work_of_the_organization_does_not_wait_for_the_run(org_a: Tenant, made: Made, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 2
    made(*"abcdefgh")
    bulk.drive("d1")
    asked = ask(org_a, "Now.")
    assert asked.place == 3


def test_a_second_driver_leaves_a_run_alone_until_the_lease_is_over(made: Made) -> None:
    run = made(*"abc")
    assert bulk.drive("d1")
    assert not bulk.drive("d2")
    assert fresh(run).worker == "d1"


def test_pausing_asks_nothing_new_and_resuming_goes_on(org_a: Tenant, made: Made, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 1
    run = made(*"abc")
    bulk.drive("d1")
    bulk.pause_run(org_a.actor, run.pk)
    write_all()
    assert not bulk.drive("d1")
    assert standings(run) == ["succeeded", "waiting", "waiting"]
    bulk.resume_run(org_a.actor, run.pk)
    drive_to_the_end(run)
    assert standings(run) == ["succeeded"] * 3


def test_stopping_ends_what_runs_and_never_asks_the_rest(org_a: Tenant, made: Made, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 2
    run = made(*"abcd")
    bulk.drive("d1")
    written = start()
    bulk.cancel_run(org_a.actor, run.pk)
    assert bulk.drive("d1")
    with tenancy.scope(org_a.id):
        assert Generation.objects.get(pk=written.pk).cancel_requested_at is not None
    assert standings(run) == ["running", "cancelled", "skipped", "skipped"]
    from tests.helpers.studio import finish

    finish(written, Outcome(Status.CANCELLED, "Te", "cancelled", 10, 1))
    assert not bulk.drive("d1")
    assert fresh(run).state == RunState.CANCELLED
    assert "bulk_run.cancelled" in events_of(org_a)


def test_only_failed_rows_are_asked_again(org_a: Tenant, made: Made, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 1
    run = made("a", "b")
    bulk.drive("d1")
    write_all(FAILED)
    drive_to_the_end(run)
    assert standings(run) == ["failed", "succeeded"]
    kept = rows_of(run)[1].generation_id
    bulk.retry_failed(org_a.actor, run.pk)
    drive_to_the_end(run)
    assert standings(run) == ["succeeded"] * 2
    assert rows_of(run)[1].generation_id == kept
    with tenancy.scope(org_a.id):
        attempts = BulkAttempt.objects.filter(row__run=run).order_by("row__number", "number")
        assert list(attempts.values_list("row__number", "number")) == [(1, 1), (1, 2), (2, 1)]
    with pytest.raises(Conflict):
        bulk.retry_failed(org_a.actor, run.pk)


def test_a_used_up_allowance_stops_the_run_and_it_goes_on_later(org_a: Tenant, made: Made, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 1
    run = made("a", "b")
    bulk.drive("d1")
    write_all()
    PlanAllowance.objects.update(included=10)
    bulk.drive("d1")
    stopped = fresh(run)
    assert (stopped.state, stopped.stop_code) == (RunState.EXHAUSTED, "insufficient_quota")
    assert standings(run) == ["succeeded", "waiting"]
    assert "bulk_run.exhausted" in events_of(org_a)
    assert not bulk.drive("d1"), "it is not asked again at once"
    PlanAllowance.objects.update(included=1_000_000)
    with tenancy.scope(org_a.id):
        type(run).objects.update(next_at=run.created_at)
    drive_to_the_end(run)
    assert fresh(run).state == RunState.COMPLETED


def test_a_row_that_the_service_refuses_fails_alone(org_a: Tenant, made: Made) -> None:
    run = made("a", "b")
    with tenancy.scope(org_a.id):
        BulkRow.objects.filter(run=run, number=1).update(values={"name": "long " * 3_000})
    drive_to_the_end(run)
    assert standings(run) == ["refused", "succeeded"]
    assert rows_of(run)[0].problem_code == "context_length_exceeded"
    with tenancy.scope(org_a.id):
        last = Event.objects.order_by("-position").first()
    assert (last.data["rows"], last.data["succeeded"], last.data["failed"]) == (2, 1, 1)


def test_rows_that_lack_a_cell_are_found_before_the_start(org_a: Tenant, made: Made) -> None:
    run = made("Tea", "", start=False)
    assert run.estimate["rows"] == 1
    assert run.estimate["invalid"] == 1
    assert run.estimate["prompt_tokens"] > 5
    assert run.estimate["completion_tokens"] == 20
    assert rows_of(run)[1].problem == "“name” is empty in this row."


def test_a_prompt_can_only_name_columns_that_are_there(org_a: Tenant, made: Made) -> None:
    run = made("Tea", start=False)
    with pytest.raises(InvalidRequest) as caught:
        bulk.configure_run(org_a.actor, run.pk, bulk.Draft(prompt="About {{ price }}."))
    assert caught.value.param == "prompt"


def test_a_cell_is_never_taken_for_a_place(org_a: Tenant, made: Made) -> None:
    [written] = drive_to_the_end(made("{{ colour }}"))
    assert written.messages[0]["content"] == "Write a line about {{ colour }}."


def test_whoever_leaves_asks_nothing_more(org_a: Tenant, model: Any) -> None:
    actor = acting(org_a, org_a.member)
    run = bulk.create_run(actor, "teas", ("name",), [Row({"name": "Tea"})])
    bulk.configure_run(actor, run.pk, bulk.Draft(prompt="About {{name}}."))
    bulk.start_run(actor, run.pk)
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.member).delete()
    bulk.drive("d1")
    assert (fresh(run).state, fresh(run).stop_code) == (RunState.PAUSED, "permission_denied")
    assert standings(run) == ["waiting"]


def test_others_neither_see_nor_touch_a_run(org_a: Tenant, org_b: Tenant, made: Made) -> None:
    run = made("Tea")
    for act in (bulk.get_run, bulk.pause_run, bulk.cancel_run, bulk.retry_failed, bulk.delete_run, bulk.start_run):
        with pytest.raises(NotFound):
            act(org_b.actor, run.pk)
    reader = acting(org_a, org_a.member)
    reader = type(reader)(org_a.id, frozenset({"generations:read"}))
    with pytest.raises(PermissionDenied):
        bulk.pause_run(reader, run.pk)
    assert fresh(run).state == RunState.RUNNING


def test_each_act_stands_in_the_audit_log(org_a: Tenant, made: Made) -> None:
    run = made("Tea", "Cups")
    bulk.pause_run(org_a.actor, run.pk)
    bulk.resume_run(org_a.actor, run.pk)
    bulk.cancel_run(org_a.actor, run.pk)
    bulk.drive("d1")
    bulk.delete_run(org_a.actor, run.pk)
    for act in ("created", "started", "paused", "resumed", "stopped", "deleted"):
        assert len(audit_of(org_a, f"bulk_run.{act}")) == 1, act


def remove_texts(tenant: Tenant) -> None:
    """As the rules on retention do."""
    retention.set_term(tenant.actor, "generations", 1)
    with tenancy.scope(tenant.id):
        Generation.objects.update(finished_at=timezone.now() - timedelta(days=2))
    retention.apply(10.0)
    with tenancy.scope(tenant.id):
        assert not Generation.objects.exists()


def test_a_row_that_failed_stays_failed_when_its_text_is_removed(org_a: Tenant, made: Made) -> None:
    run = made("Tea", "Cups")
    bulk.drive("d1")
    first, second = jobs.claim(Generation, "w1", 2)
    assert finish(first) and finish(second, FAILED)
    drive_to_the_end(run)
    remove_texts(org_a)
    with tenancy.scope(org_a.id):
        progress = bulk.progress_of(run.pk)
    assert (progress.succeeded, progress.failed, progress.stopped) == (1, 1, 0)
    assert standings(run) == ["removed", "failed"]
    bulk.retry_failed(org_a.actor, run.pk)
    drive_to_the_end(run)
    assert standings(run) == ["removed", "succeeded"]


def test_a_run_goes_on_with_its_version_when_the_template_is_archived(org_a: Tenant, model: Any) -> None:
    version = templates.create(org_a.actor, "Line", TemplateFacts(prompt="A line about {{ name }}.", variables=NAME))
    first, second = (bulk.create_run(org_a.actor, "t.csv", ("name",), [Row({"name": "Tea"})]) for _ in range(2))
    for run in (first, second):
        draft = bulk.Draft(template=f"{version.template.slug}@draft", mapping={"name": "name"}, max_tokens=20)
        bulk.configure_run(org_a.actor, run.pk, draft)
    bulk.start_run(org_a.actor, first.pk)
    templates.archive(org_a.actor, version.template.slug)
    with pytest.raises(Conflict, match="archived"):
        bulk.start_run(org_a.actor, second.pk)
    [written] = drive_to_the_end(first, FAILED)
    assert written.template_version_id == version.pk
    bulk.retry_failed(org_a.actor, first.pk)
    drive_to_the_end(first)
    assert standings(first) == ["succeeded"]
