"""The one place where a market looks across organizations: published listings, and the other side of a purchase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from apps.accounts import audit
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants
from apps.market.models import Listing

T = TypeVar("T")


def published(read: Callable[[Any], T]) -> T:
    """What `read` makes of all open listings; it must return plain rows, for nothing is read after it."""
    with across_tenants(Across.MARKET):
        return read(Listing.objects.filter(is_open=True))


@contextmanager
def at_other_side(organization_id: UUID) -> Iterator[None]:
    """The scope of the other organization of a purchase, within the transaction of the first.

    A sale is one fact that both must have or neither. Inside, the wall of the other organization stands as always.
    """
    with across_tenants(Across.MARKET), tenancy.scope(organization_id):
        yield


@contextmanager
def at(organization_id: UUID) -> Iterator[None]:
    """The scope of either organization of a purchase, from within one of them."""
    if organization_id == tenancy.current_organization():
        yield
        return
    with at_other_side(organization_id):
        yield


def on_both_sides(acts: Mapping[UUID, Callable[[], object]]) -> None:
    """Does each organization's part in its own scope, in the order of their ids.

    Each part locks its organization's audit chain and events until commit. The chains are locked first, and also one's
    own where only the other side has a part, for whoever called records there next: so no two such acts wait for each
    other. Rows that both sides change are locked before (`requests.lock_thread`): the purchase, then the sale.
    """
    mine = tenancy.current_organization()
    with across_tenants(Across.MARKET):
        audit.lock_heads([mine, *acts])
    for id in sorted(acts):
        with at(id):
            acts[id]()
