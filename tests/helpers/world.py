"""Two organizations in which there is something of every kind, for tests that try to carry it from one to the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.postgres.fields import ArrayField
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import Invitation, Membership, User
from apps.billing import services as billing
from apps.billing.models import FREE_PLAN, BudgetKind, CreditNote, Invoice, Order, Plan, PlanCheckout, PlanPrice
from apps.billing.services.budgets import BudgetFor
from apps.core import tenancy
from apps.core.jobs import Status
from apps.licensing import services as licensing
from apps.licensing.models import HeldLicence, Licence, SigningJob
from apps.privacy.models import Erasure, Export, Scope
from apps.registry.services import ModelDefinition, ensure_default_model, register_model
from apps.sso import services as sso
from apps.sso.models import Connection, DirectoryGroup, DirectoryUser, Domain
from apps.sso.services.tokens import create_token
from apps.studio import services as studio
from apps.studio import throttle
from apps.studio.models import Generation, RunKind, RunVote, Verdict
from apps.studio.requests import GenerationSpec
from apps.studio.services import (
    Outcome,
    batches,
    bulk,
    conversations,
    documents,
    files,
    runs,
    schedules,
    templates,
    voices,
)
from apps.studio.services.conversations import ChatSettings, Draft, File
from apps.studio.services.runs import RunRequest
from ml.text.tables import Row
from ml.types import Message
from tests.helpers import bots
from tests.helpers.desk import PLACES, support
from tests.helpers.knowledge import library
from tests.helpers.market import trade
from tests.helpers.money import make_event
from tests.helpers.people import Tenant, add_person, make_tenant, member_of
from tests.helpers.studio import ask, finish, start
from tests.helpers.tenancy import tenant_models
from tests.helpers.webhooks import hooks

# What may stand in an address and belongs to no organization.
NOBODYS = {
    "a signed link": "x",
    "a secret": "x" * 43,
    "a user": "1",
    "an example": "x",
    "a passkey": 1,
    "a model": "default",
    "a name of the standard": "User",
    "a schema of the standard": "urn:ietf:params:scim:schemas:core:2.0:User",
    "a connection": "01976f1e-0000-7000-8000-000000000000",
    "an offer": "01976f1e-0000-7000-8000-000000000001",
    "a kind of data": "generations",
    "oidc or saml": "oidc",
    "a listing": "01976f1e-0000-7000-8000-000000000001",
    "a notice": "01976f1e-0000-7000-8000-000000000002",
    "a number": 0,
    "an act of a message": "again",
    "an act of a variant": "again",
    "an act of a conversation": "pin",
    "a content type": "faq",
    "a version": 1,
    "a label": "spring",
    "an act of a purchase": "note",
    "an act of an offer": "submit",
    "an act of a sale": "note",
    "an act of a collection": "change",
    "an act of a document": "retry",
    "an act of a folder": "new",
    "an act of a suggestion": "reject",
    "an act of a comment": "resolve",
    "an act of a version": "restore",
    "an act of a written document": "duplicate",
    "a first version": 1,
    "a format": "md",
    "an act of a run": "pause",
    "a table format": "csv",
    "a file of a batch": "input",
    "an act of a schedule": "pause",
    "an act of an endpoint": "change",
    "an act of an inbound hook": "change",
    "a call in": "01976f1e-0000-7000-8000-000000000003",
    **bots.PLACES,
    **PLACES,
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


def make_side(mark: str) -> Side:
    """An organization named after its mark, with work, people, keys, rules and requests."""
    tenant = make_tenant(mark.lower())
    ensure_default_model()
    side = Side(tenant, mark, add_person(tenant, "target"))
    for write in (_work, _bulk, _people, _templates, _rules, _requests, _money):
        write(side)
    make_event()
    _licences(side)
    _documents(side)
    for found in (trade, library, hooks, support, bots.everything):
        side.ids |= found(side.tenant, side.mark)
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
    side.ids |= _conversation(side, text) | _run(side, text)
    examples = [(f"{side.mark} example {n}", n % 2 == 0) for n in range(40)]
    side.ids |= {"safety classifier": studio.safety.train_classifier(side.tenant.actor, side.mark, examples).pk}
    account = accounts.create_service_account(side.tenant.actor, f"{side.mark} robot", "member")
    limits = accounts.KeyLimits(service_account_id=account.pk)
    key, _secret = accounts.create_api_key(side.tenant.actor, f"{side.mark} key", limits=limits)
    side.ids |= {"service account": account.pk, "key": key.pk}


def _conversation(side: Side, text: str) -> dict[str, Any]:
    """A message with an answer that was stopped, so that it can be gone on with."""
    actor = side.tenant.actor
    conversation = conversations.create_conversation(actor, ChatSettings(), side.mark)
    draft = Draft(text, files=(File("notes.txt", text.encode()),))
    answer, _ = conversations.accept_question(actor, conversations.prepare_message(actor, conversation.pk, draft))
    assert finish(start(), Outcome(Status.CANCELLED, text, "cancelled", 10, 5))
    return {"conversation": conversation.pk, "answer": answer.pk}


def _run(side: Side, text: str) -> dict[str, Any]:
    """Two models' texts that wait for votes, and a run of one text."""
    actor = side.tenant.actor
    register_model(ModelDefinition(name="rival", source="ml/house/text"))
    spec = GenerationSpec(messages=(Message("user", text),))
    blind = throttle.request_run(actor, RunRequest(spec, RunKind.MODELS, models=("default", "rival")))
    single = throttle.request_run(actor, RunRequest(spec, count=1))
    for _ in range(3):
        assert finish(start(), Outcome(Status.SUCCEEDED, text, "stop", 10, 5))
    return {"run": blind.pk, "variant": runs.get_run(actor, single.pk).texts[0].variant.pk}


def _documents(side: Side) -> None:
    """A document in a folder, with a version before the present one, a suggestion, a comment and a link."""
    actor, mark = side.tenant.actor, side.mark
    folder = documents.create_folder(actor, f"{mark} folder")
    empty = documents.create_folder(actor, f"{mark} empty folder")
    text = f"The document of {mark}."
    document = documents.create(actor, f"{mark} document", text, folder.pk, tags=[f"{mark} tag"])
    chosen = documents.Selection(1, 0, len(text), text)
    suggestion = documents.suggest(actor, document.pk, chosen, documents.Wish("shorten"))
    comment = documents.comment(actor, document.pk, chosen, f"The comment of {mark}.")
    shared, _secret = documents.share(actor, document.pk, 7)
    side.ids |= {
        "written document": document.pk,
        "folder": folder.pk,
        "empty folder": empty.pk,
        "suggestion": suggestion.pk,
        "comment": comment.pk,
        "share": shared.pk,
    }
    with tenancy.scope(side.id):
        Generation.objects.filter(pk=suggestion.generation_id).update(
            status=Status.SUCCEEDED, text=f"Other words of {mark}.", finished_at=timezone.now()
        )


def _bulk(side: Side) -> None:
    """A table with a row of each side's secret, set and not started."""
    actor, mark = side.tenant.actor, side.mark
    run = bulk.create_run(actor, f"{mark}.csv", (mark,), [Row({mark: f"The secret of {mark}."})])
    bulk.configure_run(actor, run.pk, bulk.Draft(prompt=f"{mark}: {{{{ {mark} }}}}"))
    side.ids["bulk run"] = run.pk
    file = files.upload_file(actor, SimpleUploadedFile(f"{mark}.jsonl", mark.encode()), "batch")
    batch = batches.create_batch(actor, file.pk, "/v1/completions", "24h", {mark: mark})
    schedule = schedules.create_schedule(actor, schedules.Plan(name=mark, at=time(8), prompt=f"About {mark}."))
    side.ids["schedule"] = schedule.pk
    side.ids |= {"file": file.public_id, "batch": batch.public_id}


def _templates(side: Side) -> None:
    """A template with an approved version under two labels, and a brand voice."""
    actor, mark = side.tenant.actor, side.mark
    voice = voices.create(actor, f"{mark} voice", {"banned": [f"{mark} term"]}).voice
    facts = templates.TemplateFacts(prompt=f"The words of {mark}.", voice=voice.slug)
    template = templates.create(actor, f"{mark} template", facts).template
    templates.approve(actor, template.slug, 1)
    for label in ("production", "spring"):
        templates.move_label(actor, template.slug, label, 1)
    templates.change_settings(actor, four_eyes=False)
    side.ids |= {"template": template.slug, "voice": voice.slug}


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


def _money(side: Side) -> None:
    """An invoice with what corrects it, an order, and a checkout that was given up."""
    mark, now = side.mark, timezone.now()
    # Whoever may invite has a seat for those they invite.
    Plan.objects.filter(code=FREE_PLAN).update(included_seats=100, max_seats=100)
    money = {"organization_id": side.id, "currency": "USD", "total_minor": 100, "issued_at": now, "status": "paid"}
    with tenancy.scope(side.id):
        invoice = Invoice.objects.create(**money, stripe_id=f"in_{mark}", number=mark, subtotal_minor=100)
        note = CreditNote.objects.create(**money, stripe_id=f"cn_{mark}", number=mark, invoice=invoice)
        order = Order.objects.create(
            organization_id=side.id, kind="credits", item_id=uuid4(), name=mark, currency="USD", amount_minor=100
        )
        price = PlanPrice.objects.filter(plan__code="pro").first()
        checkout = PlanCheckout.objects.create(organization_id=side.id, price=price, seats=3, state="expired")
    side.ids |= {"invoice": invoice.pk, "credit note": note.pk, "order": order.pk, "checkout": checkout.pk}


def _licences(side: Side) -> None:
    actor, mark = side.tenant.actor, side.mark
    product = licensing.create_product(actor, f"{mark} model", mark.lower())
    policy = licensing.create_policy(actor, product.pk, mark, licensing.Grant(), licensing.Sale(), 365)
    licence, suspended = (
        licensing.issue_licence(actor, policy.pk, f"{mark} licensee", f"licensee@{mark}.example")[0] for _ in range(2)
    )
    licensing.suspend(actor, suspended.pk, mark)
    machine, _job = licensing.activate(actor, licence.pk, "a" * 64, f"{mark} machine")
    with tenancy.scope(side.id):
        Licence.objects.filter(pk=licence.pk).update(holder_id=side.id, file=f"The file of {mark}")
        Licence.objects.update(file_expires_at=timezone.now())
        held = HeldLicence.objects.create(
            organization_id=side.id,
            vendor_id=side.id,
            licence_id=licence.pk,
            vendor_name=mark,
            product_name=mark,
            policy_name=mark,
        )
        answered = SigningJob.objects.create(
            organization_id=side.id, purpose="response", licence=licence, machine=machine, file=mark, status="succeeded"
        )
    side.ids |= {
        "licensed product": product.pk,
        "licence policy": policy.pk,
        "licence": licence.pk,
        "suspended licence": suspended.pk,
        "machine": machine.pk,
        "held licence": held.pk,
        "activation response": answered.pk,
    }


# ---------------------------------------------------------------- the rest


def fill(side: Side) -> None:
    """A row of the organization in every tenant table that has none yet, with its mark where text goes."""
    with tenancy.scope(side.id):
        for model in tenant_models():
            if not model.objects.exists():  # type: ignore[attr-defined]
                _insert(side, model)


def _insert(side: Side, model: type[models.Model]) -> None:
    """By SQL, which knows no service: what a table needs so that there is something to steal in it."""
    needed = {"support.Cursor": "membership", "support.BotCall": "conversation"}.get(model._meta.label)
    fields = [f for f in model._meta.concrete_fields if f.name == needed or not (f.null or f.generated)]
    fields = [f for f in fields if f.db_default is models.NOT_PROVIDED]
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
        case models.TimeField():
            return timezone.now().time()
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
    if field.name == "currency":
        return "USD"
    if field.choices:
        # A vote for one of two needs the one; a tie stands alone.
        return Verdict.TIE if field.model is RunVote and field.name == "verdict" else field.choices[0][0]
    return f"{side.mark} {uuid4().hex}"[: field.max_length or 200]
