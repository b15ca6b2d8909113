"""`manage.py pack CODE [--name … --currency USD --price 1000 --credit 1100 --valid-days 365]`: a pack of credits."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.billing.management.commands.plan import change, require_chargeable
from apps.billing.models import CreditPack


class Command(BaseCommand):
    help = "Shows packs of prepaid credits, or makes and changes one; amounts are in minor units of its currency."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", nargs="?")
        parser.add_argument("--name")
        parser.add_argument("--currency", type=str.upper)
        parser.add_argument("--price", type=int, dest="price_minor", metavar="MINOR")
        parser.add_argument("--credit", type=int, dest="credit_minor", metavar="MINOR")
        parser.add_argument(
            "--valid-days", type=int, metavar="N", help="0: for ever; holds for what is bought from now"
        )
        parser.add_argument("--sold", choices=["yes", "no"], help="whether it can be bought")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("name", "currency", "price_minor", "credit_minor", "valid_days")
        wanted = {name: options[name] for name in names if options[name] is not None}
        if "valid_days" in wanted:
            wanted["valid_days"] = wanted["valid_days"] or None
        if options["sold"]:
            wanted["is_active"] = options["sold"] == "yes"
        if wanted and not options["code"]:
            raise CommandError("Name the pack.")
        if wanted:
            with transaction.atomic():
                row = CreditPack.objects.select_for_update().filter(code=options["code"]).first()
                if row is None:
                    missing = sorted({"name", "currency", "price_minor", "credit_minor"} - set(wanted))
                    if missing:
                        raise CommandError(f"A new pack needs {', '.join(missing)}.")
                    row = CreditPack(code=options["code"])
                amounts = {name: wanted.get(name, getattr(row, name)) for name in ("price_minor", "credit_minor")}
                require_chargeable(amounts, wanted.get("currency", row.currency))
                change(row, wanted, by=f"manage.py pack {row.code}")
        for pack in CreditPack.objects.order_by("currency", "price_minor"):
            if options["code"] in (None, pack.code):
                self.stdout.write(_told(pack))


def _told(pack: CreditPack) -> str:
    valid = f"for {pack.valid_days} days" if pack.valid_days else "for ever"
    sold = "" if pack.is_active else ", not sold"
    return f"{pack.code}: {pack.credit_minor} for {pack.price_minor} minor units of {pack.currency}, {valid}{sold}"
