"""Connections: making, changing, switching and removing them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Role
from apps.accounts.permissions import ROLE_PERMISSIONS
from apps.accounts.services import security
from apps.accounts.services.organizations import locked
from apps.core import events, outbound, tenancy
from apps.core.crypto import seal_into
from apps.core.errors import Conflict, InvalidRequest, MillraceError, NotFound, PermissionDenied
from apps.core.tenancy import Across, across_tenants
from apps.sso import oidc, saml
from apps.sso.models import Connection, Kind

MANAGE = "sso:manage"
MOST_CONNECTIONS = 20
NONE = gettext_noop("There is no connection with this id.")
# A provider makes members; owners and people with custom roles are made by people.
GIVEN_ROLES = (Role.MEMBER, Role.AGENT, Role.AUDITOR, Role.BILLING, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Mapping:
    """How what a provider says becomes a member; an empty attribute takes the usual names."""

    name: str
    email_attribute: str = ""
    name_attribute: str = ""
    groups_attribute: str = ""
    creates_members: bool = True
    default_role: str = Role.MEMBER
    trusts_mfa: bool = False
    allow_idp_initiated: bool = False


def create_oidc(actor: Actor, mapping: Mapping, issuer: str, client_id: str, client_secret: str) -> Connection:
    """A connection to the OpenID Connect provider at `issuer`, which is asked for its description first."""
    actor.require(MANAGE)
    _check(actor, mapping)
    issuer, client_id = issuer.strip(), client_id.strip()
    if not client_id:
        raise InvalidRequest("Enter the client id.", param="client_id")
    try:
        oidc.discover(issuer)
    except MillraceError as error:
        error.param = "issuer"
        raise
    connection = Connection(
        organization_id=actor.organization_id, kind=Kind.OIDC, issuer=issuer, client_id=client_id, **asdict(mapping)
    )
    seal_into(connection, "client_secret", client_secret.strip())
    return _create(actor, connection)


def create_saml(actor: Actor, mapping: Mapping, metadata: bytes, metadata_url: str = "") -> Connection:
    """A connection to the provider that the metadata describes; from `metadata_url` where it is given."""
    actor.require(MANAGE)
    _check(actor, mapping)
    found = _metadata(metadata, metadata_url)
    return _create(
        actor,
        Connection(
            organization_id=actor.organization_id,
            kind=Kind.SAML,
            issuer=found.entity_id,
            sso_url=found.sso_url,
            certificates=list(found.certificates),
            metadata_url=metadata_url,
            **asdict(mapping),
        ),
    )


def _metadata(document: bytes, url: str) -> saml.Metadata:
    if url:
        answer = outbound.fetch("GET", url, allow_private=settings.OUTBOUND_ALLOW_PRIVATE, limit_bytes=saml.MOST_BYTES)
        if answer.status != 200:
            raise InvalidRequest("There is no metadata at this address.", param="metadata_url")
        document = answer.body
    found = saml.read_metadata(document)
    # The browser is sent there, so it must be a page of the web and no script.
    outbound.target_of(found.sso_url, settings.OUTBOUND_ALLOW_PRIVATE)
    return found


def _check(actor: Actor, mapping: Mapping) -> None:
    if not 1 <= len(mapping.name.strip()) <= 80:
        raise InvalidRequest("Give the connection a name of 1 to 80 characters.", param="name")
    if mapping.default_role not in GIVEN_ROLES:
        raise InvalidRequest("Choose another role for new members.", param="default_role")
    require_may_give(actor, mapping.default_role)


def require_may_give(actor: Actor, role: str) -> None:
    """Raises PermissionDenied for a role that may do more than the actor."""
    if not ROLE_PERMISSIONS[role] <= actor.permissions:
        raise PermissionDenied("You cannot give a role that may do more than yours.")


def _create(actor: Actor, connection: Connection) -> Connection:
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        if Connection.objects.count() >= MOST_CONNECTIONS:
            raise Conflict("An organization can have %(most)s connections.", values={"most": MOST_CONNECTIONS})
        connection.save(force_insert=True)
        audit.record(actor, "sso.connection_created", connection, after=facts(connection))
        events.record("sso.connection_created", connection.pk, {"name": connection.name, "kind": connection.kind})
    return connection


def change_connection(
    actor: Actor,
    id: UUID,
    mapping: Mapping,
    *,
    client_id: str = "",
    client_secret: str = "",
    metadata: bytes = b"",
    metadata_url: str = "",
) -> Connection:
    """Changes a connection; an empty secret or metadata keeps what there is. The issuer stays what it was."""
    actor.require(MANAGE)
    _check(actor, mapping)
    fresh = _metadata(metadata, metadata_url) if metadata or metadata_url else None
    with tenancy.scope(actor.organization_id):
        connection = _locked(id)
        before = facts(connection)
        for name, value in asdict(mapping).items():
            setattr(connection, name, value)
        if connection.kind == Kind.OIDC:
            connection.client_id = client_id.strip() or connection.client_id
            if client_secret.strip():
                seal_into(connection, "client_secret", client_secret.strip())
        elif fresh is not None:
            if fresh.entity_id != connection.issuer:
                raise InvalidRequest("This is another provider's metadata: make a new connection.", param="metadata")
            connection.sso_url, connection.certificates = fresh.sso_url, list(fresh.certificates)
            connection.metadata_url = metadata_url
        connection.save()
        after = facts(connection)
        audit.record(
            actor,
            "sso.connection_changed",
            connection,
            before={name: value for name, value in before.items() if after[name] != value},
            after={name: value for name, value in after.items() if before[name] != value},
            new_secret=bool(client_secret.strip()),
        )
        events.record("sso.connection_changed", connection.pk, {"name": connection.name})
    cache.delete(f"sso:provider:{connection.pk}:{connection.issuer}")
    return connection


def switch_connection(actor: Actor, id: UUID, enabled: bool) -> Connection:
    """Switches a connection on or off; sessions that it made count for nothing while it is off."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        connection = _locked(id)
        if connection.enabled != enabled:
            connection.enabled = enabled
            connection.save(update_fields=["enabled"])
            _publish(actor.organization_id)
            action = "sso.connection_enabled" if enabled else "sso.connection_disabled"
            audit.record(actor, "sso.connection_enabled" if enabled else "sso.connection_disabled", connection)
            events.record(action, connection.pk, {"name": connection.name})
    return connection


def delete_connection(actor: Actor, id: UUID) -> None:
    """Removes a connection with what it knew of people; they stay members."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        connection = _locked(id)
        audit.record(actor, "sso.connection_deleted", connection, before=facts(connection), after={})
        connection.delete()
        _publish(actor.organization_id)
        events.record("sso.connection_deleted", id, {"name": connection.name})


def _publish(organization_id: UUID) -> None:
    """Tells the security policy which connections count; refuses to leave nobody a way in."""
    enabled = list(Connection.objects.enabled().values_list("pk", flat=True))
    policy = security.locked_policy(organization_id)
    if not enabled and policy.sso_required_from is not None:
        raise Conflict("Single sign-on is required: no longer demand it before the last connection goes.")
    security.set_connections(organization_id, enabled)


def note_tested(connection: Connection) -> None:
    """Remembers that a test went through."""
    with tenancy.scope(connection.organization_id):
        Connection.objects.filter(pk=connection.pk).update(tested_at=timezone.now())


def get_connection(actor: Actor, id: UUID) -> Connection:
    with tenancy.scope(actor.organization_id):
        connection: Connection | None = Connection.objects.filter(pk=id).first()
    if connection is None:
        raise NotFound(NONE)
    return connection


def find_connection(id: UUID) -> Connection:
    """A connection by its id alone, for people who are not signed in yet; those switched off too, for tests of them."""
    with across_tenants(Across.SIGN_IN):
        connection: Connection | None = Connection.objects.select_related("organization").filter(pk=id).first()
    if connection is None:
        raise NotFound(NONE)
    return connection


def _locked(id: UUID) -> Connection:
    connection: Connection | None = Connection.objects.select_for_update().filter(pk=id).first()
    if connection is None:
        raise NotFound(NONE)
    return connection


def facts(connection: Connection) -> dict[str, Any]:
    """A connection as the audit trail tells it: everything but its secret."""
    names = "kind name issuer client_id sso_url metadata_url email_attribute name_attribute groups_attribute "
    names += "creates_members default_role trusts_mfa allow_idp_initiated"
    values = {name: getattr(connection, name) for name in names.split()}
    return values | {"certificates": [certificate[:24] for certificate in connection.certificates]}
