"""Which organization the current code works for, in Python and, for the transaction only, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast
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


Settings = Mapping[str, str]


def _told(value: UUID | Across | None, besides: Settings) -> str:
    """Transaction-local settings, so that nothing leaks to the next user of a pooled connection."""
    told = {
        "app.org": str(value) if isinstance(value, UUID) else "",
        "app.across": "on" if isinstance(value, Across) else "off",
    }
    return "SELECT " + ", ".join(f"set_config('{name}', '{to}', true)" for name, to in {**told, **besides}.items())


def _tell_postgres(value: UUID | Across | None, besides: Settings = MappingProxyType({})) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_told(value, besides))


@contextmanager
def _beginning_with(value: UUID | Across, besides: Settings) -> Iterator[None]:
    """A transaction that begins with telling PostgreSQL of the scope: one way to the database for both.

    psycopg would send its own BEGIN first, so it is told for the moment that it need not; by what it keeps for itself,
    since its setter refuses within a transaction.
    """
    with transaction.atomic():
        session = cast(Any, connection.connection)
        session._autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"BEGIN; {_told(value, besides)}")
        finally:
            session._autocommit = False
        yield


@contextmanager
def _told_within(value: UUID | Across, besides: Settings, again: bool) -> Iterator[None]:
    """A savepoint of the transaction that is open; `again` if that was told of this scope already."""
    with transaction.atomic():
        if besides:
            _tell_postgres(value, besides)
        elif not again:
            _tell_postgres(value)
        yield


@contextmanager
def _enter(value: UUID | Across, besides: Settings = MappingProxyType({})) -> Iterator[None]:
    before = _current.get()
    # In a transaction that was told already; should it not have been, PostgreSQL shows no rows rather than others'.
    again = before == value and connection.in_atomic_block
    with _told_within(value, besides, again) if connection.in_atomic_block else _beginning_with(value, besides):
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
def across_tenants(reason: Across, besides: Settings = MappingProxyType({})) -> Iterator[None]:
    """The one way to see rows of all organizations; `reason` is greppable and listed by a test.

    `besides` are settings of the code's own that shall hold for the rest of the transaction.
    """
    with _enter(reason, besides):
        yield
