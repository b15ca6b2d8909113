"""Looks through audit chains and names what was edited, deleted, inserted or cut off."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.audit.verification import verify, verify_installation
from apps.accounts.models import Organization
from apps.core.tenancy import Across, across_tenants


class Command(BaseCommand):
    help = "Verifies the audit chain of every organization, or of one; fails when something is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this organization's")

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        for organization in self._wanted(options["organization"]):
            result = verify(organization.pk)
            broken += bool(result.findings)
            span = (
                f"entries {result.first_sequence} to {result.last_sequence}" if result.last_sequence else "no entries"
            )
            state = "BROKEN" if result.findings else "whole"
            self.stdout.write(
                f"{organization.slug}: {state}, {span}, verified at {result.created_at:%Y-%m-%d %H:%M:%SZ}"
            )
            for finding in result.findings:
                self.stdout.write(f"  {finding}")
        if not options["organization"]:
            broken += self._installation()
        if broken:
            raise CommandError(f"{broken} audit chain(s) are broken.")

    def _installation(self) -> bool:
        """The chain of plans and staff flags, which belongs to no organization."""
        findings = verify_installation()
        self.stdout.write(f"(installation): {'BROKEN' if findings else 'whole'}")
        for finding in findings:
            self.stdout.write(f"  {finding}")
        return bool(findings)

    def _wanted(self, slug: str | None) -> list[Organization]:
        with across_tenants(Across.OPERATE):
            rows = Organization.objects.order_by("slug")
            found = list(rows.filter(slug=slug) if slug else rows)
        if slug and not found:
            raise CommandError(f"There is no organization {slug}.")
        return found
