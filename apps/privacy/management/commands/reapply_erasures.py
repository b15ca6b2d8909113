"""Erases again whom a restored backup has brought back, and removes organizations again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.privacy import services


class Command(BaseCommand):
    help = "After a restore: erase everybody in the register again, and have its organizations removed again."

    def handle(self, *args: Any, **options: Any) -> None:
        count = services.reapply(told=lambda pseudonym: self.stdout.write(f"erased again: {pseudonym}"))
        if count or options["verbosity"] > 1:
            self.stdout.write(f"{count} people were back and have been erased again")
        removed = services.reapply_removals(told=lambda id: self.stdout.write(f"will be removed again: {id}"))
        if removed:
            self.stdout.write(f"{removed} organizations were back; the worker removes them within minutes")
