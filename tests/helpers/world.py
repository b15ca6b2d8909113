"""Two organizations in which there is something of every kind, for tests that try to carry it from one to the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import Invitation, Membership, User
from apps.billing import services as billing
from apps.billing.models import BudgetKind
from apps.billing.services.budgets import BudgetFor
from apps.core import tenancy
from apps.core.jobs import Status
from apps.privacy.models import Erasure, Export, Scope
from apps.registry.services import ensure_default_model
from apps.sso import services as sso
from apps.sso.models import Connection, DirectoryGroup, DirectoryUser, Domain
from apps.sso.services.tokens import create_token
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant, add_person, make_tenant, member_of
from tests.helpers.studio import ask, finish, start
from tests.helpers.tenancy import tenant_models

# What may stand in an address and belongs to no organization.
NOBODYS = {
    "a signed link": "x",
    "a secret": "x" * 43,
    "a user": "1",
    "a passkey": 1,
    "a model": "default",
    "a name of the standard": "User",
    "a schema of the standard": "urn:ietf:params:scim:schemas:core:2.0:User",
    "a connection": "01976f1e-0000-7000-8000-000000000000",
    "a kind of data": "generations",
    "oidc or saml": "oidc",
}


@dataclass
class Side:
    """One of the two: `mark` is in every text of its own, `ids` has one row of each kind that addresses name."""

    tenant: Tenant
    mark: str
    target: User
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return self.tenant.id

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be read anywhere outside the organization."""
        return (self.mark, self.mark.lower(), str(self.id), *(str(id) for id in self.ids.values()))


def nobodys_ids(side: Side) -> dict[str, Any]:
    """For each kind an id that no row has."""
    return {name: uuid4() for name in side.ids}


def make_side(mark: str) -> Side:
    """An organization named after its mark, with work, people, keys, rules and requests."""
    tenant = make_tenant(mark.lower())
    ensure_default_model()
    side = Side(tenant, mark, add_person(tenant, "target"))
    _work(side)
    _people(side)
    _rules(side)
    _requests(side)
    fill(side)
    return side


def _work(side: Side) -> None:
    text = f"The secret of {side.mark}."
    ask(side.tenant, text)
    written = start()
    assert finish(written, Outcome(Status.SUCCEEDED, text, "stop", 10, 5))
    waiting = ask(side.tenant, text)
    # Whoever claims work next must find none of this.
    with tenancy.scope(side.id):
        lease = timezone.now() + timedelta(hours=1)
        Generation.objects.filter(pk=waiting.pk).update(status=Status.RUNNING, attempt=1, lease_until=lease)
    side.ids |= {"generation": waiting.pk, "written generation": written.pk}
    account = accounts.create_service_account(side.tenant.actor, f"{side.mark} robot", "member")
    limits = accounts.KeyLimits(service_account_id=account.pk)
    key, _secret = accounts.create_api_key(side.tenant.actor, f"{side.mark} key", limits=limits)
    side.ids |= {"service account": account.pk, "key": key.pk}


def _people(side: Side) -> None:
    actor, mark = side.tenant.actor, side.mark
    membership = member_of(side.tenant, side.target)
    team = accounts.create_team(actor, f"{mark} team")
    accounts.add_to_team(actor, team.pk, membership.pk)
    accounts.invite(actor, f"{mark}@example.com", "member")
    owner = BudgetFor(BudgetKind.TEAM, team.pk)
    side.ids |= {
        "budget": billing.create_budget(actor, owner, 10_000_000).pk,
        "member": membership.pk,
        "person": side.target.pk,
        "team": team.pk,
        "role": accounts.create_role(actor, f"{mark} role", ["models:read"]).pk,
    }
    with tenancy.scope(side.id):
        side.ids["invitation"] = Invitation.objects.get().pk
        # Otherwise it could not be sent again.
        Invitation.objects.update(sent_at=timezone.now() - timedelta(hours=1))


def _rules(side: Side) -> None:
    actor, mark = side.tenant.actor, side.mark
    stream, _secret = accounts.add_audit_stream(actor, f"https://{mark}.example/".lower())
    side.ids |= {
        "audit stream": stream.pk,
        "domain": sso.claim_domain(actor, f"{mark}.example").pk,
        "rule": sso.create_rule(actor, f"{mark} group", "member").pk,
    }
    with tenancy.scope(side.id):
        connection = Connection.objects.create(
            organization_id=side.id,
            kind="saml",
            name=mark,
            issuer=mark,
            sso_url=f"https://{mark}.example/sso",
            certificates=["MIIB"],
        )
        Domain.objects.update(verified_at=timezone.now())
        person = DirectoryUser.objects.create(organization_id=side.id, user=side.target, user_name=mark)
        group = DirectoryGroup.objects.create(organization_id=side.id, name=mark)
    side.ids |= {"connection": connection.pk, "directory's person": person.pk, "directory's group": group.pk}
    side.ids["directory's token"] = create_token(actor)[0].pk


def _requests(side: Side) -> None:
    about = {"organization_id": side.id, "requested_by": side.tenant.owner, "status": Status.SUCCEEDED}
    with tenancy.scope(side.id):
        side.ids["export"] = Export.objects.create(**about, scope=Scope.ORGANIZATION, path="exports/none.zip").pk
        side.ids["erasure"] = Erasure.objects.create(**about, scope=Scope.MEMBER, pseudonym=side.mark).pk


# ---------------------------------------------------------------- the rest


def fill(side: Side) -> None:
    """A row of the organization in every tenant table that has none yet, with its mark where text goes."""
    with tenancy.scope(side.id):
        for model in tenant_models():
            if not model.objects.exists():  # type: ignore[attr-defined]
                _insert(side, model)


def _insert(side: Side, model: type[models.Model]) -> None:
    """By SQL, which knows no service: what a table needs so that there is something to steal in it."""
    fields = [f for f in model._meta.concrete_fields if not f.null and f.db_default is models.NOT_PROVIDED]
    values = {f.column: f.get_db_prep_save(_value(side, f), connection) for f in fields}
    columns, places = ", ".join(f'"{name}"' for name in values), ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({places})", list(values.values()))


def _value(side: Side, field: Any) -> Any:
    if field.column == "organization_id":
        return side.id
    if isinstance(field, models.ForeignKey):
        rows = Membership.objects.all() if field.related_model is Membership else field.related_model.objects.all()
        return side.target.pk if field.related_model is User else rows.values_list("pk", flat=True).first() or uuid4()
    if field.has_default():
        return field.get_default()
    return _plain_value(side, field)


def _plain_value(side: Side, field: Any) -> Any:
    match field:
        case models.UUIDField():
            return uuid4()
        case models.BooleanField():
            return False
        case models.DateTimeField():
            return timezone.now()
        case models.DateField():
            return timezone.now().date()
        case ArrayField():
            return []
        case models.JSONField():
            return {"mark": side.mark}
        case models.BinaryField():
            return side.mark.encode()
        case models.GenericIPAddressField():
            return "192.0.2.1"
        case models.PositiveBigIntegerField():
            # Also what limits something: enough to go on working.
            return 10_000_000
        case models.IntegerField() | models.DecimalField():
            return 1
    if field.choices:
        return field.choices[0][0]
    return f"{side.mark} {uuid4().hex}"[: field.max_length or 200]
