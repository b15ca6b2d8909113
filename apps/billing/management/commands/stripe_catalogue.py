"""`manage.py stripe_catalogue [--apply]`: where Stripe's products and prices differ from our plans, and mending it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.billing import gateway
from apps.billing.services import publishing
from apps.billing.services.publishing import Need
from apps.core.errors import MillraceError


class Command(BaseCommand):
    help = "Compares the plans with the products and prices at Stripe; with --apply makes and mends what differs there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="write to Stripe; without it nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        where = {gateway.Mode.STRIPE: "Stripe", gateway.Mode.SIMULATOR: "the simulator"}.get(gateway.mode())
        if where is None:
            raise CommandError("Payments are off: set STRIPE_SECRET_KEY.")
        live = " (live)" if gateway.is_live() else ""
        try:
            found = publishing.publish() if options["apply"] else publishing.differences()
        except MillraceError as error:
            raise CommandError(error.message) from error
        for one in found:
            self.stdout.write(str(one))
        if not found:
            self.stdout.write(f"{where}{live} has what our plans say.")
        elif not options["apply"]:
            self.stdout.write(f"{len(found)} differences at {where}{live}; nothing was changed. --apply mends them.")
        if conflicts := sum(one.need == Need.CONFLICT for one in found):
            raise CommandError(f"{conflicts} prices differ in what cannot be changed at Stripe: sell them anew.")
