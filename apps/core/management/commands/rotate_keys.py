"""Brings every sealed value under the first key of FIELD_KEYS, while the product runs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core import rotation


class Command(BaseCommand):
    help = "Reseal stored secrets with the first key of FIELD_KEYS; with --status only show which keys are in use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", action="store_true", help="change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["status"]:
            done = rotation.rotate(told=self._tell)
            self.stdout.write(f"resealed {done.resealed}, contested {done.contested}, unreadable {done.unreadable}")
        standing = rotation.standing()
        for each in standing:
            counts = ", ".join(f"{key}: {count}" for key, count in sorted(each.by_key.items())) or "empty"
            self.stdout.write(f"{each.column}  {counts}")
        left = sum(each.old for each in standing)
        if left and not options["status"]:
            raise CommandError(f"{left} values are still under another key; run it again, or see the log.")

    def _tell(self, column: str, done: rotation.Outcome) -> None:
        self.stdout.write(f"{column}: {done.resealed} resealed")
