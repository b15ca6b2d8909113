"""What the app listens to."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        from allauth.account.signals import authentication_step_completed

        authentication_step_completed.connect(_change_key, dispatch_uid="accounts.change_key")


def _change_key(request: Any, **step: Any) -> None:
    """A session that was confirmed goes on under a new key: one that was taken before it is worth nothing."""
    if step.get("reauthenticated"):
        request.session.cycle_key()
