"""Receivers of these tests are on this machine, which only an operator may allow."""

import pytest
from django.conf import settings


@pytest.fixture(autouse=True)
def _receivers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)
