"""Calls in: whoever signs rightly starts work once, in the name of a member, and nobody else starts anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import Membership, SecurityPolicy, SingleSignOn
from apps.billing.models import LedgerEntry
from apps.core import tenancy
from apps.core.inbound import actions
from apps.studio.models import Generation
from apps.studio.services import templates
from apps.webhooks import services as webhooks
from apps.webhooks.models import InboundCall, InboundHook
from apps.webhooks.senders import key_of_call
from apps.webhooks.services import calls as taking
from apps.webhooks.services import inbound
from tests.helpers.inbound import (
    SECRETS,
    SIGNING,
    USAGE,
    call,
    calls_of,
    counted,
    opened,
    slack,
    standard,
)
from tests.helpers.people import Tenant, acting, add_person, member_of
from tests.helpers.studio import finish, start
from tests.helpers.webhooks import receiving, work

pytestmark = pytest.mark.django_db(transaction=True)
# ---------------------------------------------------------------- who calls


@pytest.mark.parametrize("sender", list(SIGNING))
def test_a_signed_call_counts_once_however_often_it_comes(org_a: Tenant, sender: str) -> None:
    hook, secret = opened(org_a, sender, SECRETS.get(sender, ""))
    body = json.dumps({"id": "evt_1", "event_id": "Ev1", "data": {"count": 7}}).encode()
    answers = [call(hook, body, SIGNING[sender](secret, body)) for _ in range(3)]  # type: ignore[operator]
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert taking.run_calls() == 1
    assert taking.run_calls() == 0
    assert counted(org_a) == [7]
    [row] = calls_of(org_a)
    assert (row.state, row.error_code) == ("done", "")
    assert b"count" not in row.payload.encode()
    other = json.dumps({"id": "evt_2", "event_id": "Ev2", "data": {"count": 5}}).encode()
    headers = standard(secret, other, "msg_2") if sender == "standard" else SIGNING[sender](secret, other)  # type: ignore[operator]
    assert call(hook, other, headers).status_code == 202
    taking.run_calls()
    assert counted(org_a) == [7, 5]


def test_the_published_examples_of_github_and_slack_verify() -> None:
    """From the senders' own documentation, so that this is not only our reading of it."""
    body, secret = b"Hello, World!", "It's a Secret to Everybody"
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert key_of_call("github", headers, body, [secret], 0.0)
    text = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name="
        "foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F"
        "hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015."
        "47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    assert key_of_call("slack", headers, text.encode(), ["8f742231b10e8888abcd99yyyzzz85a5"], 1531420618.0)


@pytest.mark.parametrize("sender", list(SIGNING))
def test_any_other_call_is_refused_and_nothing_of_it_is_kept(org_a: Tenant, sender: str) -> None:
    hook, secret = opened(org_a, sender, SECRETS.get(sender, ""))
    body = b'{"data":{"count":7}}'
    sign: Any = SIGNING[sender]
    wrong = base64.b64encode(b"x" * 32).decode() if sender == "standard" else "wrong"
    refused = [({}, body), (sign(secret, body), body + b" "), (sign(wrong, body), body)]
    refused += [({name: value.replace("1", "2") + "x" for name, value in sign(secret, body).items()}, body)]
    refused += [(dict.fromkeys(sign(secret, body), ""), body), (dict.fromkeys(sign(secret, body), "é"), body)]
    if sender == "standard":
        refused += [(standard(secret, body, moment=datetime.now(UTC) + timedelta(seconds=off)), body) for off in (-400, 400)]  # fmt: skip  # noqa: E501
    elif sender != "github":
        refused += [(sign(secret, body, time.time() + off), body) for off in (-400, 400)]
    for headers, content in refused:
        answer = call(hook, content, headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "signature_refused"), headers
    assert calls_of(org_a) == []


def test_a_call_is_bounded_and_its_address_must_be_open(org_a: Tenant) -> None:
    hook, secret = opened(org_a)
    large = json.dumps({"x": "y" * 300_000}).encode()
    assert call(hook, large, standard(secret, large)).status_code == 413
    odd = b"\xff\xfe"
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(time.time()))}
    signed = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), f"1.{headers['webhook-timestamp']}.".encode() + odd, hashlib.sha256)  # fmt: skip  # noqa: E501
    headers["webhook-signature"] = "v1," + base64.b64encode(signed.digest()).decode()
    assert call(hook, odd, headers).status_code == 422
    deep = b"[" * 50_000 + b"]" * 50_000
    assert call(hook, deep, standard(secret, deep)).status_code == 422
    inbound.change_hook(org_a.actor, hook.pk, {"enabled": False})
    body = b"{}"
    closed, nobodys = call(hook, body, standard(secret, body)), Client().post(f"/hooks/{uuid4()}/")
    assert (closed.status_code, closed.json()) == (nobodys.status_code, nobodys.json())
    assert closed.status_code == 404
    assert Client().get(f"/hooks/{hook.pk}/").status_code == 405


def test_a_new_secret_counts_at_once_and_the_old_one_for_a_day(org_a: Tenant) -> None:
    hook, old = opened(org_a)
    _hook, new = inbound.change_secret(org_a.actor, hook.pk)
    body = b'{"data":{"count":1}}'
    assert call(hook, body, standard(old, body, "1")).status_code == 202
    assert call(hook, body, standard(new, body, "2")).status_code == 202
    with tenancy.scope(org_a.id):
        InboundHook.objects.update(previous_until=timezone.now())
    assert call(hook, body, standard(old, body, "3")).status_code == 400


def test_slack_is_given_its_challenge_and_forms_are_read(org_a: Tenant) -> None:
    paths = {"meter": "images", "quantity": "$.text"}
    hook, secret = opened(org_a, "slack", SECRETS["slack"], mapping=paths)
    constant, _secret = opened(org_a, "slack", secret, name="Constant", mapping={"meter": "images", "quantity": "1"})
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    for each in (hook, constant):
        assert call(each, body, slack(secret, body)).json()["challenge"] == "abc"
    assert calls_of(org_a) == []
    form = urlencode({"command": "/count", "text": "3"}).encode()
    answer = call(hook, form, slack(secret, form), "application/x-www-form-urlencoded")
    assert answer.status_code == 202
    taking.run_calls()
    assert counted(org_a) == [3]
    empty = urlencode({"command": "/count"}).encode()
    call(hook, empty, slack(secret, empty), "application/x-www-form-urlencoded")
    taking.run_calls()
    failed = next(row for row in calls_of(org_a) if row.state == "failed")
    assert failed.error_message == "The call has no value for: quantity."


def test_what_strangers_send_takes_nothing_from_the_sender(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "CALLS_A_MINUTE", 2)
    hook, secret = opened(org_a)
    body = b'{"data":{"count":7}}'
    for _ in range(5):
        assert call(hook, body, standard("whsec_" + base64.b64encode(b"x" * 24).decode(), body)).status_code == 400
    assert call(hook, body, standard(secret, body)).status_code == 202


def test_one_organizations_calls_do_not_wait_for_all_of_anothers(org_a: Tenant, org_b: Tenant) -> None:
    body = b'{"data":{"count":7}}'
    for tenant, count in ((org_a, 6), (org_b, 1)):
        hook, secret = opened(tenant)
        for number in range(count):
            call(hook, body, standard(secret, body, f"msg_{number}"))
    assert taking.run_calls(limit=2) == 2
    assert [row.state for row in calls_of(org_b)] == ["done"]


# ---------------------------------------------------------------- what it does


def test_a_template_is_written_with_and_its_result_sent_on(org_a: Tenant, model: Any) -> None:
    facts = templates.TemplateFacts(prompt="Greet {{ who }}.", variables=({"name": "who", "type": "text"},))
    made = templates.create(org_a.actor, "Greeting", facts).template
    templates.approve(org_a.actor, made.slug, 1)
    templates.move_label(org_a.actor, made.slug, "production", 1)
    webhooks.add_secret(org_a.actor, None)
    with receiving() as there:
        paths = {"template": made.slug, "variables.who": "$.customer.name", "callback_url": there.url}
        hook, secret = opened(org_a, action="template_run", mapping=paths)
        body = json.dumps({"customer": {"name": "Ada"}}).encode()
        assert call(hook, body, standard(secret, body)).status_code == 202
        taking.run_calls()
        [row] = calls_of(org_a)
        assert (row.state, row.error_message) == ("done", "")
        with tenancy.scope(org_a.id):
            generation = Generation.objects.get(pk=row.result)
        assert "Ada" in json.dumps(generation.messages)
        assert generation.created_by_id == org_a.owner.pk
        finish(start())
        work()
    assert there.got[0].message["type"] == "generation.result"


def test_a_worker_that_dies_with_a_call_has_it_done_once_by_the_next(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, secret = opened(org_a)
    body = b'{"data":{"count":7}}'
    call(hook, body, standard(secret, body))
    slow = taking._claim(org_a.id)
    assert slow is not None
    assert taking._claim(org_a.id) is None
    with tenancy.scope(org_a.id):
        InboundCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert taking.run_calls() == 1
    taking._carry_out(*slow)
    assert counted(org_a) == [7]
    assert calls_of(org_a)[0].state == "done"
    call(hook, body, standard(secret, body, "msg_2"))
    for _ in range(taking.MOST_ATTEMPTS + 1):
        with tenancy.scope(org_a.id):
            InboundCall.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))
        with monkeypatch.context() as patch:
            patch.setattr(taking, "_actor_of", lambda *_: 1 / 0)
            taking.run_calls()
    assert (calls_of(org_a)[1].state, calls_of(org_a)[1].error_code) == ("failed", "worker_lost")


def test_what_it_counts_is_counted_for_the_key_it_was_set_up_through(org_a: Tenant) -> None:
    """Whose budget is the hook's as well."""
    key, key_secret = accounts.create_api_key(org_a.actor, "hooks", ["webhooks:manage", "usage:write"])
    through = accounts.actor_of_key(accounts.find_api_key(key_secret))  # type: ignore[arg-type]
    hook, secret = inbound.create_hook(through, {"name": "Counts", "sender": "standard", **USAGE})
    body = b'{"data":{"count":7}}'
    call(hook, body, standard(secret, body))
    taking.run_calls()
    assert counted(org_a) == [7]
    with tenancy.scope(org_a.id):
        assert list(LedgerEntry.objects.filter(kind="usage").values_list("api_key_id", flat=True)) == [key.pk]


def test_it_does_nothing_while_its_maker_stays_away_from_single_sign_on(org_a: Tenant) -> None:
    hook, secret = opened(org_a)
    body = b'{"data":{"count":7}}'
    with tenancy.scope(org_a.id):
        SecurityPolicy.objects.update_or_create(organization_id=org_a.id, defaults={"keys_need_sso_days": 7})
    call(hook, body, standard(secret, body))
    taking.run_calls()
    with tenancy.scope(org_a.id):
        SingleSignOn.objects.create(organization_id=org_a.id, user=org_a.owner, connection_id=uuid4())
    call(hook, body, standard(secret, body, "msg_2"))
    taking.run_calls()
    assert [(row.state, row.error_code) for row in calls_of(org_a)] == [("failed", "hook_owner_away"), ("done", "")]
    assert counted(org_a) == [7]


def test_it_acts_as_whoever_set_it_may_act_now(org_a: Tenant) -> None:
    admin = add_person(org_a, "second", "admin")
    hook, _made = inbound.create_hook(acting(org_a, admin), {"name": "Theirs", "sender": "standard", **USAGE})
    secret = _made
    accounts.change_role(org_a.actor, member_of(org_a, admin).pk, "member")
    body = b'{"data":{"count":7}}'
    call(hook, body, standard(secret, body))
    taking.run_calls()
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=admin).delete()
    call(hook, body, standard(secret, body, "msg_2"))
    taking.run_calls()
    assert [row.error_code for row in calls_of(org_a)] == ["hook_right_lost", "hook_owner_left"]
    assert counted(org_a) == []


def test_what_waits_at_an_address_that_is_switched_off_is_not_done(org_a: Tenant) -> None:
    hook, secret = inbound.create_hook(org_a.actor, {"name": "Leaked", "sender": "standard", **USAGE})
    body = b'{"data":{"count":7}}'
    call(hook, body, standard(secret, body))
    inbound.change_hook(org_a.actor, hook.pk, {"enabled": False})
    taking.run_calls()
    assert [(row.state, row.error_code) for row in calls_of(org_a)] == [("failed", "conflict")]
    assert counted(org_a) == []


def test_an_action_is_declared_by_its_app() -> None:
    assert set(actions()) == {"support_message", "template_run", "usage_event"}
    assert actions()["template_run"].takes("variables.name")
    assert not actions()["template_run"].takes("variables.")
    assert not actions()["usage_event"].takes("variables.name")
