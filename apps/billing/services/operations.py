"""A change at Stripe that somebody waits for: written as a row first, which has its key, then asked for at once.

What is left `sent`, because this process ended or Stripe did not answer, the outbox asks again with the same key.
Stripe keeps a key for 24 hours. Until a little before that, asking again gives the first answer; after it, asking again
could charge again, so what the operation would have made is looked for by its id.

Changes of one subscription, and of what stands on invoices, reach Stripe in the order in which they were decided:
none goes before an earlier one has its answer, was found, or was given up. Each leaves its name there, so that one
look tells whether it was made: before it is asked for again, and where Stripe answers with a failure of its own,
which it repeats to the same key for a day. What is no change of a subscription, and was not made by such a call, is
asked for under another key.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db.models import Count, F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.billing import gateway
from apps.billing.models import OperationState, StripeOperation
from apps.core import tenancy
from apps.core.errors import MillraceError, PaymentsUnavailable, PreviewOutdated, StripeRefused

log = structlog.get_logger(__name__)
# The one who waits for the answer is given up to here; then the outbox takes over.
OURS_FOR = timedelta(minutes=3)
# Stripe may forget a key after 24 hours; an hour is left for clocks and for the call itself.
KEY_HOLDS = timedelta(hours=23)
# A call that Stripe has failed for good is answered so to its key: what it did shows in what it made.
LOOK_AFTER_ATTEMPTS = 3
# So long is asked under one key after the other for what Stripe fails at each time.
KEYS_FOR = timedelta(days=3)
# Look at Stripe themselves at what has been done.
REPEATABLE = frozenset({"end_second", "give_back"})
# Bill what waits for an invoice, so that the lines of months that were closed must be there before.
BILLING = frozenset({"pause", "cancel_now"})
LINES = ("create_invoice_item", "create_invoice")
# Say all that is to stand there: the last one holds, and must be the last to be sent.
DETAILS = frozenset({"change_customer", "set_tax_id"})
CHANGED = gettext_noop("Something else was changed at the same moment: look at what it costs now.")
NOT_MADE = gettext_noop("The payment service failed, and the subscription is as it was: try again.")
ENDED = (OperationState.FAILED, OperationState.UNKNOWN)


def write_operation(organization_id: UUID, kind: str, subject: str, parameters: dict[str, Any]) -> StripeOperation:
    """In the transaction that decides it; the same subject twice is one operation, and without one each is its own."""
    found: StripeOperation | None = None
    if subject:
        found = StripeOperation.objects.select_for_update().filter(kind=kind, subject=subject).first()
    if found and found.state in ENDED:
        # Its key would be answered as before, or is not known any more, so another attempt is another operation.
        StripeOperation.objects.filter(pk=found.pk).update(subject=f"{subject[:80]}#{found.pk}")
        found = None
    return found or StripeOperation.objects.create(
        organization_id=organization_id,
        kind=kind,
        subject=subject,
        parameters=parameters,
        next_at=timezone.now() + OURS_FOR,
    )


def perform(operation: StripeOperation) -> StripeOperation:
    """Asks Stripe now, outside of every transaction; what was done already is not asked for again.

    Raises what the gateway does. Where it stays unknown whether the call had its effect, the row stays `sent`; what
    Stripe has failed at is looked for at once, and where it was not made, a change is `failed`, and anything else waits
    for its next key. Where an earlier change of the same subscription stays without an answer, this one is withdrawn;
    one of what stands on invoices waits for the outbox.
    """
    if operation.state not in StripeOperation.UNDONE:
        return _ended(operation)
    _after_earlier(operation)
    with tenancy.scope(operation.organization_id):
        row = StripeOperation.objects.filter(pk=operation.pk, state__in=StripeOperation.UNDONE)
        row.filter(first_sent_at__isnull=True).update(first_sent_at=Now())
        is_sent = row.update(state=OperationState.SENT, attempts=F("attempts") + 1)
    if not is_sent:
        return _ended(operation)
    call = getattr(gateway, operation.kind)
    try:
        answer = call(**operation.parameters, key=operation.key)
    except PaymentsUnavailable as error:
        note(operation, problem=error.message)
        if not error.is_final:
            raise
        return _after_failure(operation, error)
    except MillraceError as error:
        if operation.kind in REPEATABLE:
            # What it had done until then stays done, and its money has not gone back.
            _give_up(operation, error.message)
        else:
            note(operation, state=OperationState.FAILED, problem=error.message)
        raise
    note(operation, state=OperationState.DONE, answer_id=str(answer or ""), done_at=timezone.now(), problem="")
    return operation


def resolve(operation: StripeOperation) -> None:
    """Carries out what has no answer yet, finds what it has made, or gives it up; refused for good is an answer too.

    Raises PaymentsUnavailable where its outcome stays unknown.
    """
    try:
        if not _is_settled(operation):
            perform(operation)
    except MillraceError as error:
        if operation.state in StripeOperation.UNDONE:
            raise
        log.warning("operation refused", kind=operation.kind, operation=str(operation.pk), problem=error.message)


def note(operation: StripeOperation, **changes: Any) -> None:
    with tenancy.scope(operation.organization_id):
        StripeOperation.objects.filter(pk=operation.pk).update(**changes)
    for name, value in changes.items():
        setattr(operation, name, value)


def count_done(subscription: str, *, but: str) -> int | None:
    """How many changes of a subscription are done, beside the one of the subject `but`; None while one is undone.

    In the scope of the organization. Between two equal answers nothing of ours has changed the subscription.
    """
    rows = StripeOperation.objects.filter(parameters__subscription=subscription)
    rows = rows.exclude(kind="change_items", subject=but)
    undone, done = Q(state__in=StripeOperation.UNDONE), Q(state=OperationState.DONE)
    found = rows.aggregate(undone=Count("id", filter=undone), done=Count("id", filter=done))
    return None if found["undone"] else int(found["done"])


# ---------------------------------------------------------------- in their order


def _after_earlier(operation: StripeOperation) -> None:
    """Resolves what was decided before; its outcome is what this one was to follow, and for a preview another price.

    A line that cannot be sent holds up no change: it is billed after it, on an invoice of its own.
    """
    earlier: list[StripeOperation] = _earlier(operation)
    late: list[StripeOperation] = []
    for each in earlier:
        is_line = each.kind in LINES
        try:
            # One that is not answered is enough to wait for.
            if not (is_line and late):
                resolve(each)
                continue
        except MillraceError:
            if operation.kind in DETAILS and _replace(each):
                continue
            if not is_line:
                # What is to stand on invoices is sent by the outbox then: it has been saved here.
                if operation.kind not in DETAILS:
                    _withdraw(operation)
                raise
        late.append(each)
    for each in late:
        _bill_later(operation, each)
    if operation.kind == "change_items" and any(each.kind not in LINES for each in earlier):
        _withdraw(operation)
        raise PreviewOutdated(CHANGED)


def _replace(earlier: StripeOperation) -> bool:
    """Closes what Stripe has failed at and has not done, where a later one says all of it again."""
    with tenancy.scope(earlier.organization_id):
        failed = StripeOperation.objects.filter(pk=earlier.pk, state__in=StripeOperation.UNDONE)
        failed = failed.filter(spent_keys__gt=0, first_sent_at=None)
        return bool(failed.update(state=OperationState.FAILED, problem="A later one says all of it."))


def _earlier(operation: StripeOperation) -> list[StripeOperation]:
    subscription = operation.parameters.get("subscription")
    if operation.kind in DETAILS:
        whose = Q(kind=operation.kind)
    elif subscription:
        whose = Q(parameters__subscription=subscription)
    else:
        return []
    if operation.kind in BILLING:
        whose |= Q(kind__in=LINES)
    with tenancy.scope(operation.organization_id):
        decided = StripeOperation.objects.values_list("created_at", flat=True).get(pk=operation.pk)
        before = Q(created_at__lt=decided) | Q(created_at=decided, pk__lt=operation.pk)
        rows = StripeOperation.objects.filter(before & whose, state__in=StripeOperation.UNDONE)
        return list(rows.order_by("created_at", "id"))


def _bill_later(operation: StripeOperation, line: StripeOperation) -> None:
    """Asks for an invoice, after the lines, where the subscription's next one will not come or is voided."""
    whose = {name: line.parameters[name] for name in ("customer", "currency")}
    log.warning("lines are billed later", kind=operation.kind, operation=str(operation.pk), line=str(line.pk))
    with tenancy.scope(operation.organization_id):
        subject = f"rest:{operation.pk} {whose['currency']}"
        write_operation(operation.organization_id, "create_invoice", subject, whose)


def _withdraw(operation: StripeOperation) -> None:
    """Takes back what was never sent: whoever asked is told that it was not done, and asks again."""
    with tenancy.scope(operation.organization_id):
        waiting = StripeOperation.objects.filter(pk=operation.pk, state=OperationState.WAITING)
        if waiting.update(state=OperationState.FAILED, problem="An earlier change has no answer yet."):
            operation.state = OperationState.FAILED


def _ended(operation: StripeOperation) -> StripeOperation:
    """What somebody else has done, or found impossible, since the row was read."""
    with tenancy.scope(operation.organization_id):
        operation.refresh_from_db()
    if operation.state != OperationState.DONE:
        raise StripeRefused("The payment service did not accept this.")
    return operation


def _is_settled(operation: StripeOperation) -> bool:
    """Whether it is not to be asked for again: it has been done, or nobody can tell any more."""
    first = operation.first_sent_at
    is_old = first is not None and timezone.now() - first > KEY_HOLDS
    enough = 1 if operation.kind in gateway.CHANGES else LOOK_AFTER_ATTEMPTS
    if operation.kind in REPEATABLE or (not is_old and operation.attempts < enough):
        return False
    if not _find(operation) and is_old:
        _give_up(operation, "Not found at Stripe after its key has expired.")
    return operation.state in (OperationState.DONE, OperationState.UNKNOWN)


def _find(operation: StripeOperation) -> bool:
    """Whether what it would have made is there; then it is done."""
    made = gateway.find_made(operation.kind, operation.parameters, str(operation.pk))
    if made:
        note(operation, state=OperationState.DONE, answer_id=made, done_at=timezone.now(), problem="")
    return bool(made)


def _after_failure(operation: StripeOperation, error: PaymentsUnavailable) -> StripeOperation:
    """What Stripe has failed at, with an answer that its key gets from now on: made all the same, or not at all."""
    if _find(operation):
        return operation
    if operation.kind in gateway.CHANGES:
        note(operation, state=OperationState.FAILED)
        raise PaymentsUnavailable(NOT_MADE)
    with tenancy.scope(operation.organization_id):
        # Of two who were failed under one key, one spends it: the next key is the same for both.
        same = StripeOperation.objects.filter(pk=operation.pk, spent_keys=operation.spent_keys)
        same.filter(state__in=StripeOperation.UNDONE).update(spent_keys=F("spent_keys") + 1, first_sent_at=None)
    if timezone.now() - operation.created_at > KEYS_FOR:
        _give_up(operation, "Stripe fails at it under every key.")
    raise error


def _give_up(operation: StripeOperation, problem: str) -> None:
    log.error("operation of unknown outcome", kind=operation.kind, operation=str(operation.pk), problem=problem)
    note(operation, state=OperationState.UNKNOWN, problem=problem)
    with tenancy.scope(operation.organization_id):
        by = system(operation.organization_id)
        audit.record(by, "billing.operation_unknown", operation, kind=operation.kind)
