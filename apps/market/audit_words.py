"""What sentences of the audit log say in place of the codes of purchases and sales."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from apps.market.models import PurchaseState


def _state(values: Mapping[str, Any]) -> dict[str, str]:
    words = dict(PurchaseState.choices)
    return {"state": str(words.get(values["state"], values["state"]))} if values.get("state") else {}


SAYS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, str]]]] = {
    "purchase.given_back": _state,
    "purchase.moved": _state,
    "sale.moved": _state,
}
