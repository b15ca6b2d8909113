"""Whom the registry gives data to: the servers of remote models."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import Recipient
from apps.registry.models import Backend, ModelVersion


def recipients() -> list[Recipient]:
    """The servers of enabled remote models; models that run here are given to nobody."""
    remote = ModelVersion.objects.filter(backend=Backend.REMOTE, enabled=True).order_by("name")
    return [
        Recipient(version.name, urlsplit(version.remote_url).hostname or "", _("prompts, and the texts made of them"))
        for version in remote
    ]
