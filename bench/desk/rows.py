"""A desk whose bot is the demo bank's: `python -m bench.desk.rows VISITORS` prints its key, inbox and visitors.

The bot's model is trained from the demo's utterances, as workers do it. Each visitor has a conversation, and what opens
it. `python -m bench.desk.rows --quiet SECONDS` sets after how long a pause the bot takes a burst for over.
"""

from __future__ import annotations

import json
import sys
from typing import Any

SLUG = "bench"


def main() -> int:
    import django

    django.setup()
    if sys.argv[1] == "--quiet":
        from apps.support.services import flows

        flows.change_bot(_owner(), flows.BotChange(quiet_seconds=float(sys.argv[2])))
        return 0
    key = _organization()
    _bot()
    print(json.dumps({"key": key} | _visitors(int(sys.argv[1]))))
    return 0


def _organization() -> str:
    from apps.accounts import services as accounts
    from apps.accounts.access import actor_of_membership, memberships_of
    from apps.accounts.models import User
    from apps.billing.models import Plan
    from bench.throughput.prepare import UNLIMITED

    user = User.objects.create_user("bank@bench.example", "a password of a benchmark")
    accounts.create_organization(user, "Bench", slug=SLUG)
    limits = [
        field.name for field in Plan._meta.fields if field.name.startswith(("max_", "monthly_", "requests_", "tokens_"))
    ]
    Plan.objects.update(**dict.fromkeys(limits, UNLIMITED))
    actor = actor_of_membership(memberships_of(user)[0], user)
    _, secret = accounts.create_api_key(actor, "bench", ["support:read", "support:write"])
    return str(secret)


def _owner() -> Any:
    from apps.accounts.access import actor_of_membership, memberships_of
    from apps.accounts.models import User

    user = User.objects.get(email="bank@bench.example")
    return actor_of_membership(memberships_of(user)[0], user)


def _bot() -> None:
    from django.core.management import call_command

    from apps.core import tenancy
    from apps.support.services import flows
    from workers import support

    call_command("seed_bot", SLUG)
    support.train()
    actor = _owner()
    with tenancy.scope(actor.organization_id):
        assert flows.settings_of(actor.organization_id).model is not None, "no model was trained"


def _visitors(count: int) -> dict[str, Any]:
    from apps.core import tenancy
    from apps.support.models import Inbox
    from apps.support.services import visiting, visitors
    from apps.support.services.chatwoot import pubsub

    with tenancy.scope(_owner().organization_id):
        token = Inbox.objects.get(bot_enabled=True).token
    made = []
    for number in range(count):
        # Each from an address of their own, of which only so many may come in a minute.
        visitor, secret = visitors.arrive(token, f"10.0.{number // 250}.{number % 250}", {})
        talk = visiting.begin(visitor, {})
        token_of_socket = pubsub.token_of_browser(visitor.session)
        made.append({"secret": secret, "id": str(talk.pk), "number": talk.number, "pubsub_token": token_of_socket})
    return {"token": token, "visitors": made}


if __name__ == "__main__":
    raise SystemExit(main())
