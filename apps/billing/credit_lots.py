"""Which prepaid credit is used first, and what is left of each piece that came: pure functions, without database.

Credit comes in lots, a purchase or a gift each. What ends first is used first, and what never ends last. Entries are
never changed, so what is left of a lot is computed from all of them in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an organization in one currency; `amount` in micros, below 0 for what went."""

    id: str
    kind: str
    amount: int
    reference: str
    note: str = ""
    expires_at: datetime | None = None


@dataclass(slots=True)
class Lot:
    """Credit that came at once; `left` in micros, and `ended` how much of it has expired."""

    id: str
    reference: str
    note: str
    expires_at: datetime | None
    received: int
    left: int
    ended: int = 0

    def has_ended(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def lots_of(entries: Iterable[Entry], owed: int = 0) -> list[Lot]:
    """The lots in the order in which they are used; `owed` is what open months will draw, which is used as well.

    A reference `ID:n` names the lot that it is about: by the order that was bought, for what is taken back with its
    payment and given back again, or by the entry that brought it, for what expires. What is taken back and was spent
    already is made up for by the other lots.
    """
    lots: dict[str, Lot] = {}
    short = 0
    for entry in entries:
        of = lots.get(entry.reference.rpartition(":")[0])
        if entry.kind == "draw":
            short += _use(lots.values(), -entry.amount)
        elif of is not None:
            of.left += entry.amount
            of.ended -= entry.amount if entry.kind == "expiry" else 0
        else:
            lot = Lot(entry.id, entry.reference, entry.note, entry.expires_at, entry.amount, entry.amount)
            lots[entry.id] = lots[entry.reference] = lot
    found = _in_order(lots.values())
    for lot in found:
        short -= min(0, lot.left)
        lot.left = max(0, lot.left)
    _use(found, short + owed)
    return found


def _use(lots: Iterable[Lot], amount: int) -> int:
    """Takes an amount from the lots; returns what they had not."""
    for lot in _in_order(lots):
        part = min(amount, max(0, lot.left))
        lot.left -= part
        amount -= part
    return amount


def _in_order(lots: Iterable[Lot]) -> list[Lot]:
    unique = list({lot.id: lot for lot in lots}.values())
    return sorted(unique, key=lambda lot: lot.expires_at or _NEVER)
