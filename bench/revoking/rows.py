"""An organization for the benchmark: `python -m bench.revoking.rows COUNT` prints its owner, members and generation.

Each person comes with the cookie of a session, as if they had signed in.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> int:
    import django

    django.setup()
    from apps.accounts import services as accounts
    from apps.accounts.access import memberships_of
    from apps.accounts.models import Membership, User
    from apps.core import tenancy
    from apps.registry import services as registry
    from apps.studio.models import Generation, Kind

    owner = User.objects.create_user("owner@bench.example", "a password of a benchmark")
    organization = accounts.create_organization(owner, "Bench", slug="bench")
    people = [User.objects.create_user(f"member{n}@bench.example", "the same") for n in range(int(sys.argv[1]))]
    model = registry.ensure_default_model()
    with tenancy.scope(organization.pk):
        Membership.objects.bulk_create([Membership(organization=organization, user=user) for user in people])
        generation = Generation.objects.create(
            organization_id=organization.pk,
            kind=Kind.CHAT,
            model=model,
            model_name="default",
            messages=[{"role": "user", "content": "Tea."}],
            status="running",
            attempt=1,
            max_tokens=1000,
            held_tokens=1000,
            temperature=1.0,
            top_p=1.0,
            seed=1,
        )
    members = [{"id": str(memberships_of(user)[0].pk), "cookie": cookie_of(user)} for user in people]
    print(json.dumps({"owner": cookie_of(owner), "members": members, "generation": str(generation.pk)}))
    return 0


def cookie_of(user: Any) -> str:
    """The key of a new session of theirs."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from apps.accounts.sessions import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "apps.accounts.backends.EmailBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


if __name__ == "__main__":
    raise SystemExit(main())
