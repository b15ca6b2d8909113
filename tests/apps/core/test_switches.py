"""Asking for a switch never breaks what asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from apps.accounts.models import Organization
from apps.core import switches, tenancy
from tests.helpers.people import Tenant


def test_a_table_that_cannot_be_read_leaves_the_transaction_that_asked_usable(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "_kept", None)

    def broken(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(sql.replace("core_featureswitch", "core_gone"), params, many, context)

    with transaction.atomic(), tenancy.scope(org_a.id):
        with connection.execute_wrapper(broken):
            assert switches.is_on("sign_up")
        assert Organization.objects.get(pk=org_a.id)
