"""Which organization the current code works for, in Python and, for the transaction only, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from uuid import UUID

from django.db import connection, transaction


class ScopeMissing(RuntimeError):
    """Tenant data was touched outside `scope` and `across_tenants`: a bug, never the user's fault."""


class Across(StrEnum):
    """Every reason for which code may look across organizations; tests list where each is used."""

    SIGN_IN = "which key or membership belongs to whom"
    CLAIM_WORK = "the fairest waiting row of all organizations"
    COUNT_WORK = "how much of all organizations' work waits and runs, as numbers"
    REAP = "work whose worker is gone"
    HOUSEKEEPING = "removing what has expired"
    PRIVACY = "in which organizations something is stored about one person"
    MARKET = "what one organization publishes and another buys"
    LICENCES = "a licence that one organization has granted another"
    SHARED = "which document a link shows to whoever has it"
    STRIPE = "whose customer one of Stripe's events is about, and what is to be sent there"
    STAFF = "the staff console, behind its own door"
    OPERATE = "a command run by the operator of the installation"


_current: ContextVar[UUID | Across | None] = ContextVar("tenant_scope", default=None)


def current_organization() -> UUID:
    """The organization in scope; raises ScopeMissing outside a scope or across tenants."""
    value = _current.get()
    if not isinstance(value, UUID):
        raise ScopeMissing("This needs `with tenancy.scope(organization_id)`.")
    return value


def current() -> UUID | Across | None:
    return _current.get()


def _tell_postgres(value: UUID | Across | None) -> None:
    """Transaction-local settings, so that nothing leaks to the next user of a pooled connection."""
    organization = str(value) if isinstance(value, UUID) else ""
    across = "on" if isinstance(value, Across) else "off"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.org', %s, true), set_config('app.across', %s, true)", [organization, across]
        )


@contextmanager
def _enter(value: UUID | Across) -> Iterator[None]:
    before = _current.get()
    # In a transaction that was told already; should it not have been, PostgreSQL shows no rows rather than others'.
    again = before == value and connection.in_atomic_block
    with transaction.atomic():
        if not again:
            _tell_postgres(value)
        token = _current.set(value)
        try:
            yield
        finally:
            _current.reset(token)
    # A rolled-back savepoint restores the settings by itself; a released one keeps ours.
    if connection.in_atomic_block and not again:
        _tell_postgres(before)


@contextmanager
def scope(organization_id: UUID) -> Iterator[None]:
    """A transaction that sees and writes the rows of one organization only.

    May be entered again for the same organization (a savepoint). Entering another organization's scope inside is
    refused: data of two organizations in one transaction is always a mistake.
    """
    before = _current.get()
    if isinstance(before, UUID) and before != organization_id:
        raise ScopeMissing("A scope of one organization was entered inside that of another.")
    with _enter(organization_id):
        yield


@contextmanager
def reading(organization_id: UUID) -> Iterator[None]:
    """The same for what only reads: where the scope is this one already, there is nothing to undo, and no savepoint."""
    if current() == organization_id and connection.in_atomic_block:
        yield
        return
    with scope(organization_id):
        yield


@contextmanager
def across_tenants(reason: Across) -> Iterator[None]:
    """The one way to see rows of all organizations; `reason` is greppable and listed by a test."""
    with _enter(reason):
        yield
