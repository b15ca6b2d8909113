"""`manage.py create_staff E-MAIL [--role support|operator|superuser]`: makes somebody a member of staff."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.staff.abilities import OPERATOR, SUPPORT

SUPERUSER = "superuser"


class Command(BaseCommand):
    help = "Makes an account a member of staff, or creates one with a password that is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", choices=[SUPPORT, OPERATOR, SUPERUSER], default=SUPPORT)
        parser.add_argument("--remove", action="store_true", help="takes it away again")

    def handle(self, *args: Any, **options: Any) -> None:
        email, role = options["email"].strip().lower(), options["role"]
        if "@" not in email:
            raise CommandError("Give an e-mail address.")
        with transaction.atomic():
            person = User.objects.select_for_update().filter(email=email).first()
            if options["remove"]:
                self._remove(person, email)
                return
            password = secrets.token_urlsafe(15) if person is None else ""
            person = person or User.objects.create_user(email, password)
            _give(person, role)
        self.stdout.write(f"{email} is staff now ({role}).")
        if password:
            self.stdout.write(f"Password, shown this once: {password}")
        self.stdout.write("The console asks for a second factor, which they set up after signing in.")

    def _remove(self, person: User | None, email: str) -> None:
        if person is None or not person.is_staff:
            raise CommandError(f"{email} is not staff.")
        _give(person, "")
        self.stdout.write(f"{email} is not staff any more.")


def _give(person: User, role: str) -> None:
    """Sets flags and group, and writes it into the installation's own chain."""
    before = {"is_staff": person.is_staff, "is_superuser": person.is_superuser}
    person.is_staff, person.is_superuser = bool(role), role == SUPERUSER
    person.save(update_fields=["is_staff", "is_superuser"])
    person.groups.set(Group.objects.filter(name=role) if role in {SUPPORT, OPERATOR} else [])
    after = {"is_staff": person.is_staff, "is_superuser": person.is_superuser, "role": role}
    audit.record_installation("person.staff_changed", person, before=before, after=after, by="manage.py create_staff")
