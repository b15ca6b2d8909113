"""A vendor with a product, a policy and the signer's keys, for tests of licences."""

from __future__ import annotations

from typing import Any

from apps.core import jobs, tenancy
from apps.licensing import services as licensing
from apps.licensing.models import Licence, Policy, SigningJob
from ml.licensing import SigningKeys, TrustAnchors, Verdict, verify
from tests.helpers.people import Tenant

KEYS = SigningKeys("2026", {"2026": bytes(range(32))})
MACHINE, OTHER_MACHINE = "a" * 64, "b" * 64


def make_policy(tenant: Tenant, code: str = "writer-7b", **terms: Any) -> Policy:
    product = licensing.create_product(tenant.actor, "Writer 7B", code)
    sale = licensing.Sale(
        **{name: terms.pop(name) for name in ("price_minor", "currency", "is_published") if name in terms}
    )
    days = terms.pop("days", 365)
    grant = licensing.Grant(**{"seats": 25, "most_machines": 2, "entitlements": ["fine_tuning"]} | terms)
    return licensing.create_policy(tenant.actor, product.pk, "Team", grant, sale, days)


def issue(tenant: Tenant, policy: Policy | None = None, **changes: Any) -> tuple[Licence, str]:
    policy = policy or make_policy(tenant)
    return licensing.issue_licence(tenant.actor, policy.pk, "Contoso", "it@contoso.example", changes)


def sign(keys: SigningKeys = KEYS) -> list[SigningJob]:
    """What the signer does when its bell rings."""
    licensing.announce(keys.public())
    done = []
    while claimed := jobs.claim(SigningJob, "signer", 20):
        done += [job for job in claimed if licensing.carry_out(job, keys)]
    return done


def fresh(licence: Licence) -> Licence:
    with tenancy.scope(licence.organization_id):
        found: Licence = Licence.objects.for_pages().get(pk=licence.pk)
    return found


def verdict_of(tenant: Tenant, licence: Licence, revocations: str = "", **options: Any) -> Verdict:
    """What the licensee's program finds, with the anchors that the vendor was given."""
    anchors = TrustAnchors.parse(licensing.anchors_of(tenant.id))
    listed = revocations.encode() if revocations else None
    return verify(fresh(licence).file.encode(), anchors, revocations=listed, **options)
