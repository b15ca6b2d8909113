"""What webhooks store."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core import tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention
from apps.webhooks.models import Endpoint, Format


def erase_endpoints(erasing: Erasing) -> int:
    """What was mailed to the person is mailed to nobody; what they have set goes on without their name."""
    if erasing.organization_id is None:
        return 0
    addresses = User.objects.filter(pk=erasing.person_id).values("email")
    with tenancy.scope(erasing.organization_id):
        mailed, _each = Endpoint.objects.filter(format=Format.EMAIL, url__in=addresses).delete()
        set_by: int = Endpoint.objects.filter(created_by=erasing.person_id).update(created_by=None)
    return mailed + set_by


KINDS = (
    DataKind(
        name="webhook_endpoints",
        label=_("Endpoints of webhooks"),
        model="webhooks.Endpoint",
        what=_("Addresses that events are sent to, what they are sent, and who added them."),
        why=_("Other programs learn what has happened."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        addresses=("url",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        erase=erase_endpoints,
        retention=FOREVER,
    ),
    DataKind(
        name="webhook_secrets",
        label=_("Secrets of webhooks"),
        model="webhooks.SigningSecret",
        what=_("What signs the messages, sealed."),
        why=_("Receivers see that a message is genuine."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("until they are removed")),
    ),
    DataKind(
        name="webhook_deliveries",
        label=_("Messages of webhooks"),
        model="webhooks.Delivery",
        what=_("Messages that were sent or are to be sent, with their facts."),
        why=_("They are tried again until they arrive, and may be sent once more."),
        basis=Basis.CONTRACT,
        # Tries go on for nearly five days.
        retention=Retention(
            days=30, least=7, most=365, since="finished_at", only={"state__in": ("delivered", "failed")}
        ),
    ),
    DataKind(
        name="webhook_attempts",
        label=_("Requests of webhooks"),
        model="webhooks.DeliveryAttempt",
        what=_("When a message was sent, and the beginning of the answer."),
        why=_("Whoever runs the receiver sees what went wrong."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("as long as the message")),
    ),
    DataKind(
        name="webhook_callbacks",
        label=_("Results that are waited for"),
        model="webhooks.Callback",
        what=_("Where the result of a job is to be sent."),
        why=_("Whoever asked for the job learns of its end."),
        basis=Basis.CONTRACT,
        # A job that was removed never ends.
        retention=Retention(days=30, least=7, most=90),
    ),
    DataKind(
        name="inbound_hooks",
        label=_("Addresses for calls in"),
        model="webhooks.InboundHook",
        what=_("What a call does, from where its inputs are taken, and a secret, sealed."),
        why=_("Other programs start work here."),
        basis=Basis.CONTRACT,
        people=("created_by",),
        also=("created_by__email",),
        erasure=OnErasure.DETACH,
        retention=FOREVER,
    ),
    DataKind(
        name="inbound_calls",
        label=_("Calls in"),
        model="webhooks.InboundCall",
        what=_("What other programs have sent, as it came, sealed, and what it has led to."),
        why=_("It is done once, and one can see why it went wrong."),
        basis=Basis.CONTRACT,
        retention=Retention(days=30, least=1, most=365, since="finished_at", only={"state__in": ("done", "failed")}),
    ),
)
