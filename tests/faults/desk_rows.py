"""A desk for fault tests: `python -m tests.faults.desk_rows SLUG AGENTS` prints its inbox and its agents as JSON.

Each agent comes with the cookie of a session, as if they had signed in, and the inbox with the secret that a customer's
server signs its visitors with. The inbox's conversations begin with a bot that knows nothing, and calls a person.
"""

from __future__ import annotations

import json
import sys

import django


def main() -> int:
    django.setup()
    from apps.accounts.access import actor_of_membership
    from apps.accounts.models import Membership, Organization, Role, User
    from apps.core import tenancy
    from apps.core.crypto import unseal_from
    from apps.core.tenancy import Across, across_tenants
    from apps.support.models import Inbox
    from apps.support.services import inboxes
    from bench.revoking.rows import cookie_of

    slug, count = sys.argv[1], int(sys.argv[2])
    with across_tenants(Across.OPERATE):
        organization = Organization.objects.get(slug=slug)
        rows = Membership.objects.filter(organization=organization, role=Role.OWNER)
        owner = rows.select_related("user", "organization").first()
    assert owner is not None
    inbox = inboxes.create(actor_of_membership(owner, owner.user), "Faults", bot_enabled=True, csat_enabled=False)
    agents = []
    for number in range(count):
        user = User.objects.create_user(f"{inbox.token.lower()}-{number}@desk.example", "a password of a fault test")
        with tenancy.scope(organization.pk):
            Membership.objects.create(organization=organization, user=user, role=Role.AGENT)
        agents.append(cookie_of(user))
    with tenancy.scope(organization.pk):
        secret = unseal_from(Inbox.objects.get(pk=inbox.pk), "hmac_secret")
    print(json.dumps({"token": inbox.token, "secret": secret, "agents": agents}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
