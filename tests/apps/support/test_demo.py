"""The demo bank: what `make run` shows, with the model that it trains."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.core import tenancy
from apps.support.models import BotAction, FlowVersion, Inbox
from apps.support.services import bot, flows
from deploy.local.bank import Bank
from tests.helpers import bots
from tests.helpers.knowledge import answering
from tests.helpers.people import Tenant
from workers import dialogue
from workers import support as worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The bank's address and the file with its secrets; it really answers."""
    secrets = tmp_path / "secrets.json"
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Bank,), {"secrets": secrets}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)
    yield f"http://127.0.0.1:{server.server_address[1]}", secrets
    server.shutdown()
    thread.join()
    server.server_close()


def say(tenant: Tenant, conversation: Any, text: str) -> str:
    bots.write(tenant, conversation, text)
    [(turn, prepared, read)] = dialogue.read_together(bot.claim_turns("by-hand", 5))
    return dialogue.carry_out(turn, prepared, read)


def test_the_demo_answers_asks_calls_cites_and_passes_on(org_a: Tenant, bank: tuple[str, Path]) -> None:
    url, secrets = bank
    slug = org_a.organization.slug
    call_command("seed_bot", slug, bank=url, secrets=str(secrets))
    flows.change_bot(org_a.actor, flows.BotChange(quiet_seconds=0.0))
    worker.train()
    with tenancy.scope(org_a.id):
        in_force = flows.settings_of(org_a.id)
        inbox = Inbox.objects.get(bot_enabled=True)
    assert in_force.is_on and in_force.model is not None and in_force.flows is not None
    with answering():
        worker.index()
        first = bots.visit(org_a, inbox)
        assert say(org_a, first, "I think somebody took my debit card") == "replied"
        assert say(org_a, first, "4242") == "replied"
        assert say(org_a, first, "yes") == "replied"
        assert any("is blocked. Your reference is B-" in text for text in bots.said(org_a, first))
        assert say(org_a, first, "no thanks") == "replied"
        second = bots.visit(org_a, inbox)
        assert say(org_a, second, "what does a withdrawal cost in another country?") == "cited"
        record = bots.last_record(org_a, second)
        assert record.article is not None and record.article.title == "Fees abroad"
        assert say(org_a, second, "I want to speak to a real person") == "handed_over"
        third = bots.visit(org_a, inbox)
        assert say(org_a, third, "which guitar should a beginner buy?") in {"unknown", "handed_over"}


def test_a_second_start_changes_nothing_and_a_bank_that_moved_gets_new_secrets(
    org_a: Tenant, bank: tuple[str, Path]
) -> None:
    url, secrets = bank
    slug = org_a.organization.slug
    call_command("seed_bot", slug, bank=url, secrets=str(secrets))
    before = json.loads(secrets.read_text())
    call_command("seed_bot", slug, bank=url, secrets=str(secrets))
    assert json.loads(secrets.read_text()) == before
    call_command("seed_bot", slug, bank=f"{url}/moved", secrets=str(secrets))
    assert json.loads(secrets.read_text()) != before
    with tenancy.scope(org_a.id):
        assert FlowVersion.objects.count() == 1 and BotAction.objects.count() == 3


def test_the_bank_refuses_what_the_bot_has_not_signed(org_a: Tenant, bank: tuple[str, Path]) -> None:
    url, secrets = bank
    call_command("seed_bot", org_a.organization.slug, bank=url, secrets=str(secrets))
    assert flows.call_action(org_a.id, "order_card", {"card": "4242"}, {}, "msg_1").succeeded
    secrets.write_text(json.dumps({"order_card": "whsec_" + "A" * 43 + "="}))
    answer = flows.call_action(org_a.id, "order_card", {"card": "4242"}, {}, "msg_2")
    assert not answer.succeeded and answer.error == "status_401"
