"""Programs that answer at a desk, for tests: connected, calling with their token, and told what is due by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from apps.core import tenancy
from apps.support.models import BotCall, Conversation
from apps.support.services.agent_bots import setting, telling
from apps.support.services.agent_bots.setting import Shown
from apps.support.services.numbers import Numbers
from tests.helpers.desk import Desk


class Bot:
    """A program that was written for Chatwoot."""

    def __init__(self, desk: Desk, shown: Shown) -> None:
        self.desk, self.shown, self.client = desk, shown, Client()
        self.account = str(desk.tenant.id)

    def __call__(self, conversation: Conversation, path: str, body: Any = None, **more: Any) -> Any:
        token, account = more.get("token", self.shown.token), more.get("account", self.account)
        place = f"/api/v1/accounts/{account}/conversations/{conversation.number}{path}"
        headers = {"api_access_token": token}
        if body is None:
            return self.client.get(place, headers=headers)
        return self.client.post(place, body, content_type="application/json", headers=headers)


def account_number(desk: Desk) -> int:
    with tenancy.scope(desk.tenant.id):
        return Numbers(desk.tenant.id).account


def connect(desk: Desk, url: str = "https://bot.example/hook", **values: Any) -> Bot:
    wanted = {"name": "Helper", "url": url, "inboxes": [desk.inbox.pk]} | values
    return Bot(desk, setting.create(desk.tenant.actor, wanted))


def work(rounds: int = 20) -> int:
    """Tells what is due, and what is due after that."""
    count = 0
    for _ in range(rounds):
        for each in telling.claim("test", 10):
            telling.note(telling.send(each))
            count += 1
    return count


def soon(desk: Desk, *, begun: timedelta | None = None) -> None:
    with tenancy.scope(desk.tenant.id):
        rows = BotCall.objects.filter(state="waiting")
        rows.update(next_at=timezone.now() - timedelta(seconds=1))
        if begun:
            rows.exclude(first_at=None).update(first_at=timezone.now() - begun)
