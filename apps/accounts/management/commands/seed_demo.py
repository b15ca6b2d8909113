"""Two organizations to try the product with, each with an owner and a key; found again on the next start."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from apps.accounts import services
from apps.accounts.access import actor_of_membership, memberships_of
from apps.accounts.models import Organization, User
from apps.accounts.permissions import MEMBER_SCOPES
from apps.core.tenancy import Across, across_tenants

DEMO = (("acme", "Acme Outfitters", "owner@acme.example"), ("borealis", "Borealis Books", "owner@borealis.example"))
# What a member may do, and what shows the support desk and its bot to a program.
DEMO_SCOPES = (*MEMBER_SCOPES, "bots:read", "events:read", "support:read", "support:write")


class Command(BaseCommand):
    help = "Creates the demo organizations; their secrets are kept in the var folder."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", type=Path, help="where to write the organizations as JSON")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        state = Path(settings.VAR) / "demo-secrets.json"
        known = json.loads(state.read_text()) if state.is_file() else {}
        organizations = [self._seed(*demo, known=known.get(demo[0], {})) for demo in DEMO]
        state.parent.mkdir(parents=True, exist_ok=True)
        state.touch(mode=0o600)
        state.write_text(json.dumps({item["slug"]: item for item in organizations}, indent=2))
        target: Path | None = options["write"]
        if target:
            target.write_text(json.dumps({"organizations": organizations}, indent=2))

    def _seed(self, slug: str, name: str, email: str, known: dict[str, str]) -> dict[str, str]:
        user = User.objects.filter(email=email).first() or User.objects.create_user(email)
        EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
        password = known.get("owner_password") or secrets.token_urlsafe(12)
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
        with across_tenants(Across.OPERATE):
            organization = Organization.objects.filter(slug=slug).first()
        if organization is None:
            organization = services.create_organization(user, name, slug)
        return {
            "slug": slug,
            "name": name,
            "owner_email": email,
            "owner_password": password,
            "api_key": self._key(user, organization, known.get("api_key", "")),
        }

    @staticmethod
    def _key(user: User, organization: Organization, known: str) -> str:
        key = services.find_api_key(known) if known else None
        if key is not None and key.organization_id == organization.pk:
            return known
        membership = next(m for m in memberships_of(user) if m.organization_id == organization.pk)
        return services.create_api_key(actor_of_membership(membership, user), "Demo key", DEMO_SCOPES)[1]
