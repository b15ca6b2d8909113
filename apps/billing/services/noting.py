"""What is noted of an organization as a customer by the product itself, with an entry in the audit log.

Without one the log would say that the row was changed outside the application.
"""

from __future__ import annotations

from typing import Any

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.billing.models import BillingAccount


def note_customer(account: BillingAccount, **values: Any) -> None:
    """Saves these values where they are others; the account's row is held, in scope."""
    before = {name: getattr(account, name) for name in values}
    changed = [name for name in values if before[name] != values[name]]
    if not changed:
        return
    for name in changed:
        setattr(account, name, values[name])
    account.save(update_fields=changed)
    was, became = ({name: _plain(facts[name]) for name in changed} for facts in (before, values))
    audit.record(system(account.organization_id), "billing.customer_noted", account, before=was, after=became)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool | int) else str(value)
