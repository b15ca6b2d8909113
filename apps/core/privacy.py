"""What the core stores."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, Retention

KINDS = (
    DataKind(
        name="events",
        label=_("Events"),
        model="core.Event",
        what=_("What happened to keys, members and generations: kind, time, id and a few facts."),
        why=_("Webhooks and event streams read them."),
        basis=Basis.CONTRACT,
        # Readers of the stream may be away for a week.
        retention=Retention(least=7, most=3650, append_only=True),
    ),
    DataKind(
        name="event_counters",
        label=_("Event counters"),
        model="core.EventCounter",
        what=_("The number of the organization's last event."),
        why=_("Events are numbered without gaps."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="idempotency_keys",
        label=_("Repeated requests"),
        model="core.IdempotencyKey",
        what=_("The key that a program sent with a request, and the first answer to it."),
        why=_("A request that is sent twice runs once."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("24 hours")),
    ),
    DataKind(
        name="mails",
        label=_("Mail to be sent"),
        model="core.Mail",
        what=_("A message to a person with its address, sealed."),
        why=_("It is sent once, also when the mail server is away."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("until it has been sent")),
    ),
    DataKind(
        name="turns",
        label=_("Turns in queues"),
        model="core.Turn",
        what=_("How much work of the organization has been served in each queue."),
        why=_("Work of several organizations is served in fair turns."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
)
