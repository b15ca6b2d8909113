"""Watches in which order a connection locks rows of money, and says where that is not the order of decision 30."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import connection
from psycopg.pq import TransactionStatus

# The steps of docs/decisions/0030-locks-of-money.md; what stands in one step is locked in any order.
STEPS: Final = {
    "accounts_organization": 1,
    "billing_billingaccount": 2,
    "billing_subscription": 3,
    "billing_order": 3,
    "billing_stripeoperation": 3,
    "billing_usageperiod": 4,
    "billing_meterperiod": 5,
    "billing_budgetperiod": 5,
    "billing_usagehour": 5,
    "accounts_audithead": 6,
    "accounts_auditentry": 6,
    "core_eventcounter": 7,
    "core_event": 7,
}
ACCOUNT: Final = 2
_WRITES: Final = re.compile(r'\b(?:UPDATE|INSERT INTO)\s+"?([a-z_]+)"?')
_READS: Final = re.compile(r'\bFROM\s+"?([a-z_]+)"?')
_LOCKS: Final = re.compile(r"\bFOR (?:NO KEY )?UPDATE\b(?! SKIP)")


class Order:
    """The tables that the transaction has locked rows of, and what was locked too late."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.problems: list[str] = []
        self.transactions = 0

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        text = str(sql)
        if connection.connection is None or connection.connection.info.transaction_status == TransactionStatus.IDLE:
            self.held, self.transactions = {}, self.transactions + 1
        for table in locked_by(text):
            self._lock(table, text)
        return execute(sql, params, many, context)

    def _lock(self, table: str, sql: str) -> None:
        step = STEPS[table]
        # Rows of the account's own are locked by nobody else while the account is: any order will do for them.
        guarded = step == ACCOUNT + 1 and ACCOUNT in self.held.values()
        later = [name for name, other in self.held.items() if other > step]
        if later and table not in self.held and not guarded:
            self.problems.append(f"{table} after {', '.join(later)}: {sql[:200]}")
        self.held.setdefault(table, step)


def locked_by(sql: str) -> list[str]:
    """The tables of money of which a statement locks rows, in the order of their steps."""
    found = set(_WRITES.findall(sql))
    if _LOCKS.search(sql):
        found |= set(_READS.findall(sql)[:1])
    return sorted(found & STEPS.keys(), key=STEPS.__getitem__)


@contextmanager
def in_order() -> Iterator[Order]:
    """Within it, every lock is taken in the order of the decision."""
    order = Order()
    with connection.execute_wrapper(order):
        yield order
    assert not order.problems, "\n".join(order.problems)
