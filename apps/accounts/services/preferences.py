"""What people choose for themselves of how pages behave; nothing of it concerns an organization."""

from __future__ import annotations

from django.db.models.functions import Now

from apps.accounts.models import User


def choose_single_keys(user: User, on: bool) -> None:
    """Whether keys without Ctrl or ⌘ do anything."""
    User.objects.filter(pk=user.pk).update(single_keys=on)


def hide_guide(user: User, hidden: bool = True) -> None:
    """Whether the dashboard goes on to show the first steps."""
    User.objects.filter(pk=user.pk).update(guide_hidden_at=Now() if hidden else None)
