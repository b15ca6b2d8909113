"""Erases again whom a restored backup has brought back."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.privacy import services


class Command(BaseCommand):
    help = "After a restore: erase again everybody in the register of erasures. Does nothing where nobody is back."

    def handle(self, *args: Any, **options: Any) -> None:
        count = services.reapply(told=lambda pseudonym: self.stdout.write(f"erased again: {pseudonym}"))
        if count or options["verbosity"] > 1:
            self.stdout.write(f"{count} people were back and have been erased again")
