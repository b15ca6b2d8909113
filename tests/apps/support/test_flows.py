"""Flows in versions: written with faults told by line, tested, approved, put live and gone back from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from apps.accounts.access import Credential
from apps.core import jobs, outbound, signatures, tenancy
from apps.core.errors import Conflict, InvalidRequest, OutboundRefused, PermissionDenied
from apps.support.errors_bot import FlowsInvalid, NotApproved, StoriesFailed
from apps.support.models import FlowVersion, StoryRun
from apps.support.services import flows
from tests.helpers import bots
from tests.helpers.people import Tenant, actor_of
from workers import support as worker

pytestmark = pytest.mark.django_db


def ready(tenant: Tenant, stories: str = "") -> FlowVersion:
    flows.save_action(tenant.actor, flows.ActionDraft("block_card", "https://bank.example/block"))
    return flows.save_version(tenant.actor, bots.FLOWS, stories)


def test_every_fault_is_told_with_its_line(org_a: Tenant) -> None:
    with pytest.raises(FlowsInvalid) as caught:
        flows.save_version(org_a.actor, "flows:\n  card:\n    steps:\n      - ask: digits\n      - sya: hello\n")
    assert [each.line for each in caught.value.problems] == [4, 5]
    with tenancy.scope(org_a.id):
        assert not FlowVersion.objects.exists()


def test_a_version_goes_live_once_approved_and_the_one_before_can_come_back(org_a: Tenant) -> None:
    first = ready(org_a)
    with pytest.raises(NotApproved):
        flows.go_live(org_a.actor, first.number)
    flows.approve(org_a.actor, first.number)
    flows.go_live(org_a.actor, first.number)
    second = flows.save_version(org_a.actor, bots.FLOWS.replace("nine to five", "ten to four"))
    flows.approve(org_a.actor, second.number)
    flows.go_live(org_a.actor, second.number)
    flows.go_live(org_a.actor, first.number)
    with tenancy.scope(org_a.id):
        assert flows.settings_of(org_a.id).flows_id == first.pk


def test_an_action_that_nobody_has_set_up_keeps_flows_from_being_approved(org_a: Tenant) -> None:
    version = flows.save_version(org_a.actor, bots.FLOWS)
    with pytest.raises(FlowsInvalid, match="block_card"):
        flows.approve(org_a.actor, version.number)


def test_with_four_eyes_nobody_approves_what_they_wrote(org_a: Tenant) -> None:
    version = ready(org_a)
    flows.change_bot(org_a.actor, flows.BotChange(four_eyes=True))
    with pytest.raises(NotApproved):
        flows.approve(org_a.actor, version.number)
    assert flows.approve(actor_of(org_a.admin), version.number).approved_by_id == org_a.admin.pk


def test_with_four_eyes_a_key_approves_as_the_person_that_it_belongs_to(org_a: Tenant) -> None:
    """And one that belongs to nobody approves nothing, nor does anybody what such a one wrote."""
    version = ready(org_a)
    flows.change_bot(org_a.actor, flows.BotChange(four_eyes=True))
    program = replace(org_a.actor, user_id=None, credential=None)
    mine, theirs = (
        replace(program, credential=Credential(org_a.id, owner_id=each.pk)) for each in (org_a.owner, org_a.admin)
    )
    for actor in (program, mine):
        with pytest.raises(NotApproved):
            flows.approve(actor, version.number)
    assert flows.approve(theirs, version.number).approved_by_id == org_a.admin.pk
    by_nobody = flows.save_version(program, bots.FLOWS)
    with pytest.raises(NotApproved):
        flows.approve(theirs, by_nobody.number)
    by_my_key = flows.save_version(mine, bots.FLOWS)
    with pytest.raises(NotApproved):
        flows.approve(org_a.actor, by_my_key.number)


def test_stories_have_to_pass_before_flows_go_live(org_a: Tenant) -> None:
    version = ready(org_a, bots.STORIES)
    flows.approve(org_a.actor, version.number)
    with pytest.raises(StoriesFailed):
        flows.go_live(org_a.actor, version.number)
    flows.request_run(org_a.actor, version.number)
    worker.run_stories()
    with tenancy.scope(org_a.id):
        run = StoryRun.objects.get()
    assert (run.passed, run.failed) == (1, 0)
    flows.go_live(org_a.actor, version.number)


def test_a_story_that_fails_says_in_which_line(org_a: Tenant) -> None:
    version = ready(org_a, bots.STORIES.replace("says: R-77", "says: R-78"))
    flows.approve(org_a.actor, version.number)
    flows.request_run(org_a.actor, version.number)
    worker.run_stories()
    with tenancy.scope(org_a.id):
        [result] = StoryRun.objects.get().results
    assert result["problems"][0]["line"] == 11
    assert "R-78" in result["problems"][0]["message"]
    with pytest.raises(StoriesFailed):
        flows.go_live(org_a.actor, version.number)


def test_stories_may_call_the_real_system(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def fetch(method: str, url: str, **options: Any) -> outbound.Response:
        asked.append(json.loads(options["body"]))
        return outbound.Response(200, {}, b'{"number": "R-77"}')

    monkeypatch.setattr(outbound, "fetch", fetch)
    version = ready(org_a, bots.STORIES.replace("      returns: {block_card: {number: R-77}}\n", ""))
    flows.request_run(org_a.actor, version.number, calls=True)
    worker.run_stories()
    with tenancy.scope(org_a.id):
        assert StoryRun.objects.get().is_good
    assert asked[0]["action"] == "block_card" and asked[0]["inputs"] == {"card": "4242"} and asked[0]["test"]
    with pytest.raises(PermissionDenied):
        flows.request_run(actor_of(org_a.member), version.number, calls=True)


def test_a_lost_worker_s_stories_are_run_again(org_a: Tenant) -> None:
    version = ready(org_a, bots.STORIES)
    run = flows.request_run(org_a.actor, version.number)
    [claimed] = jobs.claim(StoryRun, "lost", 1)
    with tenancy.scope(org_a.id):
        StoryRun.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
    worker.run_stories()
    assert not flows.finish_run(claimed, [])
    with tenancy.scope(org_a.id):
        assert StoryRun.objects.get().is_good


# ---------------------------------------------------------------- actions


def test_a_call_is_signed_and_its_answer_read(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    _row, secret = flows.save_action(org_a.actor, flows.ActionDraft("find", "https://bank.example/find"))
    seen: dict[str, Any] = {}

    def fetch(method: str, url: str, **options: Any) -> outbound.Response:
        seen.update(options)
        return outbound.Response(200, {}, b'{"outputs": {"state": "open", "count": 3, "ok": true, "deep": {"x": 1}}}')

    monkeypatch.setattr(outbound, "fetch", fetch)
    answer = flows.call_action(org_a.id, "find", {"day": "2026-11-27"}, {"contact": {"id": "1"}}, "msg_1")
    assert answer.succeeded and answer.outputs == {"state": "open", "count": "3", "ok": "yes"}
    headers = seen["headers"]
    wanted = signatures.signature(secret, "msg_1", int(headers["webhook-timestamp"]), seen["body"])
    assert headers["webhook-signature"] == wanted


def test_what_a_system_returns_is_masked_for_good(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    flows.save_action(org_a.actor, flows.ActionDraft("find", "https://bank.example/find"))
    body = {"card": 4111111111111111, "told": "From DE89 3704 0044 0532 0130 00 to [CARD_1]", "digits": "4242"}
    monkeypatch.setattr(outbound, "fetch", lambda *_, **__: outbound.Response(200, {}, json.dumps(body).encode()))
    answer = flows.call_action(org_a.id, "find", {}, {}, "msg_1")
    assert answer.outputs == {"card": "[CARD]", "told": "From [IBAN] to [CARD]", "digits": "4242"}


@pytest.mark.parametrize(
    "url", ["http://bank.example/", "https://user:pass@bank.example/", "ftp://bank.example/", "https://0177.1/"]
)
def test_addresses_that_are_not_to_be_asked_are_refused(org_a: Tenant, url: str) -> None:
    with pytest.raises(OutboundRefused):
        flows.save_action(org_a.actor, flows.ActionDraft("find", url))


def test_a_host_of_the_own_network_is_not_asked(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    flows.save_action(org_a.actor, flows.ActionDraft("find", "https://localhost/"))
    answer = flows.call_action(org_a.id, "find", {}, {}, "msg_1")
    assert not answer.succeeded and answer.error == "outbound_refused"


def test_another_address_has_another_secret(org_a: Tenant) -> None:
    row, first = flows.save_action(org_a.actor, flows.ActionDraft("find", "https://bank.example/a"))
    assert flows.save_action(org_a.actor, flows.ActionDraft("found", "https://bank.example/a"), row.pk)[1] == ""
    second = flows.save_action(org_a.actor, flows.ActionDraft("found", "https://bank.example/b"), row.pk)[1]
    assert second and second != first


def test_actions_of_others_are_not_called(org_a: Tenant, org_b: Tenant) -> None:
    flows.save_action(org_a.actor, flows.ActionDraft("find", "https://bank.example/a"))
    assert flows.call_action(org_b.id, "find", {}, {}, "msg_1").error == "unknown_action"


def test_the_bot_is_not_switched_on_without_flows(org_a: Tenant) -> None:
    with pytest.raises(Conflict):
        flows.change_bot(org_a.actor, flows.BotChange(is_on=True))
    with pytest.raises(InvalidRequest):
        flows.change_bot(org_a.actor, flows.BotChange(accept=1.5))
    with pytest.raises(InvalidRequest):
        flows.change_bot(org_a.actor, flows.BotChange(duties={"stolen": "because"}))


def test_the_console_tests_approves_and_puts_live(org_a: Tenant, client_of: Callable[[Any], Client]) -> None:
    version = ready(org_a, bots.STORIES)
    browser = client_of(org_a.owner)
    for act in ("test", "approve", "live"):
        if act == "live":
            worker.run_stories()
        assert browser.post(f"/support/bot/flows/{version.number}/{act}/").status_code == 302
    assert b"1 passed, 0 failed" in browser.get(f"/support/bot/flows/{version.number}/").content
    with tenancy.scope(org_a.id):
        assert flows.settings_of(org_a.id).flows_id == version.pk
