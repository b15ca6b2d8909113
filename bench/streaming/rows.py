"""An organization with running generations: `python -m bench.streaming.rows COUNT` prints its key and their ids."""

from __future__ import annotations

import json
import sys


def main() -> int:
    import django

    django.setup()
    from apps.accounts import services as accounts
    from apps.accounts.access import actor_of_membership, memberships_of
    from apps.accounts.models import User
    from apps.core import tenancy
    from apps.registry import services as registry
    from apps.studio.models import Generation, Kind

    user = User.objects.create_user("reader@bench.example", "a password of a benchmark")
    organization = accounts.create_organization(user, "Bench", slug="bench")
    actor = actor_of_membership(memberships_of(user)[0], user)
    _, secret = accounts.create_api_key(actor, "bench")
    model = registry.ensure_default_model()
    with tenancy.scope(organization.pk):
        rows = [
            Generation(
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
            for _ in range(int(sys.argv[1]))
        ]
        Generation.objects.bulk_create(rows)
    print(json.dumps({"key": secret, "ids": [str(row.pk) for row in rows]}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
