"""A bulk run and a schedule for the demo organization, set like any other and written by its workers."""

from __future__ import annotations

from datetime import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Membership, Organization, Role
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import BulkRun, Schedule
from apps.studio.services import bulk, schedules
from ml.text.tables import Row

COLUMNS = ("product", "audience", "detail")
PRODUCTS = (
    ("Waxed canvas rucksack", "students", "rainproof"),
    ("Enamel kettle", "campers", "sings when it boils"),
    ("Wool blanket", "families", "woven in one piece"),
    ("Trail lantern", "hikers", "lasts three nights"),
    ("Folding stool", "anglers", "fits a coat pocket"),
    ("Tin mug", "commuters", ""),
)
PROMPT = "Write a product description for {{ product }} for {{ audience }}. Mention: {{ detail }}."
DIGEST = "Write a short greeting for the team of an outdoor shop on {{ date }}, and wish them a good day."


class Command(BaseCommand):
    help = "Starts a bulk run and sets a schedule in an organization that has none, so that its pages show something."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="the organization's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = _owner(options["organization"])
        with tenancy.scope(actor.organization_id):
            ran, set_ = BulkRun.objects.exists(), Schedule.objects.exists()
        if not ran:
            self._run(actor)
        if not set_:
            schedules.create_schedule(
                actor,
                schedules.Plan(
                    name="Good morning", at=time(7, 30), prompt=DIGEST, max_tokens=80, frequency="weekdays", zone="UTC"
                ),
            )

    @staticmethod
    def _run(actor: Actor) -> None:
        """One of its rows lacks a cell, so that the page shows what becomes of such."""
        rows = [Row(dict(zip(COLUMNS, cells, strict=True))) for cells in PRODUCTS]
        run = bulk.create_run(actor, "autumn-collection.csv", COLUMNS, rows, format="csv")
        bulk.configure_run(actor, run.pk, bulk.Draft(prompt=PROMPT, max_tokens=80))
        bulk.start_run(actor, run.pk)


def _owner(slug: str) -> Actor:
    with across_tenants(Across.OPERATE):
        organization = Organization.objects.filter(slug=slug).first()
    if organization is None:
        raise CommandError(f"There is no organization {slug}.")
    with tenancy.scope(organization.pk):
        rows = Membership.objects.filter(role=Role.OWNER).select_related("organization", "user", "custom_role")
        membership = rows.order_by("created_at").first()
    if membership is None:
        raise CommandError(f"{slug} has no owner.")
    return actor_of_membership(membership, membership.user)
