"""The demo's first organization takes a plan at the Stripe simulator and uses something; done once, ever."""

from __future__ import annotations

import json
import urllib.request
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Membership, Organization, Role
from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.cloudevents import UsageEvent
from apps.billing.models import BillingAccount, Meter, PlanCheckout
from apps.billing.services.accounts import lock_account
from apps.billing.services.renewals import preview_renewals
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants

# The number that Stripe gives to everybody for tests.
CARD = "4242424242424242"
SOURCE = "demo"
PLAN, SEATS = "pro", 5
# What a day brings, told as another program would; more than the plan includes of one, so that a charge is seen.
DAILY = ((Meter.IMAGES, 40), (Meter.CAMERA_MINUTES, 720), (Meter.BOT_RESOLUTIONS, 9))
DAYS = 20


class Command(BaseCommand):
    help = "Subscribes a demo organization at the Stripe simulator, on a developer's machine only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL or gateway.mode() is not gateway.Mode.SIMULATOR:
            raise CommandError("This is for a developer's machine whose payments go to the simulator.")
        with across_tenants(Across.OPERATE):
            organization = Organization.objects.filter(slug=options["slug"]).first()
        if organization is None:
            raise CommandError(f"There is no organization {options['slug']!r}.")
        with tenancy.scope(organization.pk):
            has_paid = PlanCheckout.objects.filter(state="complete").exists()
            owners = Membership.objects.select_related("user", "organization").filter(role=Role.OWNER)
            owner = owners.order_by("id").first()
        if has_paid or owner is None:
            return
        actor = actor_of_membership(owner, owner.user)
        self._subscribe(actor, owner.user.email)
        self._use(actor)
        preview_renewals()
        self.stdout.write(f"{organization.name} is subscribed to {PLAN} at the Stripe simulator.")

    @staticmethod
    def _subscribe(actor: Actor, email: str) -> None:
        """As a person does: by Checkout, paid with a card, and back; the trial is over, so that something is paid."""
        with tenancy.scope(actor.organization_id):
            account = lock_account(actor.organization_id)
            BillingAccount.objects.filter(pk=account.pk, trial_used_at=None).update(trial_used_at=timezone.now())
        row = billing.start_checkout(actor, plan=PLAN, interval="month", currency="USD", seats=SEATS)
        _tell_simulator("checkout/complete", session=row.stripe_id, number=CARD, email=email)
        billing.settle_checkout(actor.organization_id, row.pk)

    @staticmethod
    def _use(actor: Actor) -> None:
        now = timezone.now()
        days = [now - timedelta(days=ago, minutes=7) for ago in range(DAYS)]
        with tenancy.scope(actor.organization_id):
            billing.write_usage([event for day in days for event in _of_day(day)])


def _of_day(moment: datetime) -> list[UsageEvent]:
    """The events of a day, whose amounts go up and down as those of a shop do, and are the same on each start."""
    swing = 60 + (moment.toordinal() * 37) % 80
    return [
        UsageEvent(SOURCE, f"{moment:%Y-%m-%d}-{meter}", meter, daily * swing // 100, moment) for meter, daily in DAILY
    ]


def _tell_simulator(act: str, **values: str) -> None:
    """One act of the simulator's control API: what a person would do on its pages."""
    request = urllib.request.Request(  # noqa: S310 - the simulator of this machine, whose address the settings check
        f"{settings.STRIPE_API_BASE}/simulator/api/{act}",
        data=json.dumps(values).encode(),
        headers={"content-type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        answer.read()
