"""Programs that were written for Chatwoot's account API, calling with a key of the dashboard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts import services as accounts
from tests.helpers.agent_bots import account_number
from tests.helpers.desk import Desk

SCOPES = ("support:read", "support:write", "support:manage", "webhooks:manage", "members:read")


class Program:
    """One that knows the account by its number, and sends its key as Chatwoot's clients do."""

    def __init__(self, desk: Desk, scopes: Iterable[str] = SCOPES) -> None:
        _row, self.key = accounts.create_api_key(desk.tenant.actor, "A program", scopes)
        self.desk, self.client, self.number = desk, Client(), account_number(desk)

    def __call__(self, method: str, path: str, body: Any = None, *, account: Any = None) -> Any:
        place = f"/api/v1/accounts/{account or self.number}{path}"
        headers = {"api_access_token": self.key}
        if method == "GET":
            return self.client.get(place, body or {}, headers=headers)
        call = getattr(self.client, method.lower())
        return call(place, body or {}, content_type="application/json", headers=headers)

    def said(self, method: str, path: str, body: Any = None) -> Any:
        """What is answered, where it went well."""
        answer = self(method, path, body)
        assert answer.status_code == 200, (method, path, answer.content)
        return answer.json()

    def asked(self, path: str, **query: Any) -> Any:
        """Of reports, which have a version of their own."""
        place = f"/api/v2/accounts/{self.number}{path}"
        return self.client.get(place, query, headers={"api_access_token": self.key})

    def reports(self, path: str, **query: Any) -> Any:
        """The same where it went well."""
        answer = self.asked(path, **query)
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def sends(self, path: str, name: str, data: bytes, **more: Any) -> Any:
        form = {"attachments[]": SimpleUploadedFile(name, data), **more}
        return self.client.post(f"/api/v1/accounts/{self.number}{path}", form, headers={"api_access_token": self.key})
