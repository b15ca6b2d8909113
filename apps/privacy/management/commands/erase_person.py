"""Erases an account that belongs to no organization, and so has no page of its own for it."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.accounts.models import User
from apps.core.datakinds import Texts
from apps.core.errors import MillraceError
from apps.privacy import services


class Command(BaseCommand):
    help = "Erase a person's account everywhere, at once; it cannot be taken back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--erase-texts", action="store_true", help="also what the person has written")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email__iexact=options["email"]).first()
        if person is None:
            raise CommandError("There is nobody with this address.")
        texts = Texts.ERASE if options["erase_texts"] else Texts.KEEP
        pseudonym = f"erased-{secrets.token_hex(6)}"
        try:
            counts = services.erase_account(person.pk, texts, pseudonym, timezone.now())
        except MillraceError as error:
            raise CommandError(error.message) from error
        for name, count in counts.items():
            if count:
                self.stdout.write(f"{name}: {count}")
        self.stdout.write(f"erased as {pseudonym}")
