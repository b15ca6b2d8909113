"""`manage.py credits SLUG [--give 10.00 --currency USD --reference TICKET --note WHY]`: shows and gives credits."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import Organization
from apps.billing.models import CreditEntry
from apps.billing.services import credits
from apps.core import tenancy
from apps.core.currencies import figure


class Command(BaseCommand):
    help = "Shows an organization's prepaid credits, after giving those that are named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--give", metavar="AMOUNT", help="in units of the currency, such as 10.00")
        parser.add_argument("--currency", default="USD")
        parser.add_argument("--reference", help="what it is for; the same reference gives nothing a second time")
        parser.add_argument("--note", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        with tenancy.across_tenants(tenancy.Across.OPERATE):
            organization = Organization.objects.filter(slug=options["slug"]).first()
        if organization is None:
            raise CommandError(f"There is no organization {options['slug']!r}.")
        if options["give"]:
            self._give(organization, options)
        with tenancy.scope(organization.pk):
            for entry in CreditEntry.objects.order_by("id"):
                sign = "+" * (entry.amount_micros > 0)
                amount = f"{sign}{figure(entry.amount_micros, entry.currency)} {entry.currency}"
                self.stdout.write(f"{entry.created_at:%Y-%m-%d} {entry.kind}: {amount} {entry.note}".rstrip())
            for currency in sorted(set(CreditEntry.objects.values_list("currency", flat=True))):
                self.stdout.write(f"left: {figure(credits.balance(currency), currency)} {currency}")

    def _give(self, organization: Organization, options: dict[str, Any]) -> None:
        if not options["reference"]:
            raise CommandError("Name a --reference, so that the same is not given twice.")
        try:
            amount = Decimal(options["give"])
        except InvalidOperation:
            raise CommandError(f"{options['give']!r} is not an amount.") from None
        if amount <= 0:
            raise CommandError("Give an amount above 0.")
        known = {"reference": options["reference"], "note": options["note"]}
        if not credits.grant(organization.pk, options["currency"].upper(), int(amount * 1_000_000), **known):
            self.stdout.write("Given before under this reference: nothing was added.")
