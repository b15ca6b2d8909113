"""`manage.py ensure_models`: registers what DEFAULT_MODEL names; part of every start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import MillraceError
from apps.registry.services import ensure_default_model


class Command(BaseCommand):
    help = "Registers the house model and the model that DEFAULT_MODEL names."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = ensure_default_model()
        except MillraceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"default model: {version.name}")
