"""An organization without limits, and the model: `python -m bench.throughput.prepare [FOLDER]` prints the key.

Prints the name of the model and the engine's request for it as well, so that both sides are given the same.
"""

from __future__ import annotations

import json
import sys

UNLIMITED = 100_000_000


def main() -> int:
    import django

    django.setup()
    from apps.accounts import services as accounts
    from apps.accounts.access import actor_of_membership, memberships_of
    from apps.accounts.models import User
    from apps.billing.models import Plan
    from apps.registry import services as registry

    user = User.objects.create_user("writer@bench.example", "a password of a benchmark")
    accounts.create_organization(user, "Bench", slug="bench")
    _, secret = accounts.create_api_key(actor_of_membership(memberships_of(user)[0], user), "bench")
    limits = [
        field.name for field in Plan._meta.fields if field.name.startswith(("max_", "monthly_", "requests_", "tokens_"))
    ]
    Plan.objects.update(**dict.fromkeys(limits, UNLIMITED))
    model = registry.ensure_default_model()
    if sys.argv[1:]:
        model = registry.register_model(registry.ModelDefinition(name="bench", source=sys.argv[1]))
        registry.move_alias(registry.DEFAULT_ALIAS, model.name)
    print(json.dumps({"key": secret, "folder": str(registry.local_folder(model)), "context": model.context_length}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
