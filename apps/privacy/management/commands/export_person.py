"""Writes a person's own export to a file, for somebody who belongs to no organization and so has no page for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import User
from apps.privacy import exporting
from apps.privacy.models import Export, Scope


class Command(BaseCommand):
    help = "Write everything about a person's account to a ZIP."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email__iexact=options["email"]).first()
        if person is None:
            raise CommandError("There is nobody with this address.")
        if options["file"].exists():
            raise CommandError("The file is there already.")
        written = exporting.write(Export(scope=Scope.ACCOUNT, person=person), options["file"], lambda: None)
        self.stdout.write(f"{written.rows} rows, {written.size} bytes, SHA-256 {written.sha256}")
