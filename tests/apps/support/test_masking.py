"""What a bank may not store in clear: masked before it is stored, found nowhere, and shown with a reason only."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.core import tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import InvalidRequest, NotFound, PermissionDenied
from apps.support.models import Message, Original
from apps.support.services import desk as desk_settings
from apps.support.services import housekeeping, indexing, messages, unmasking
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import audit_of

pytestmark = pytest.mark.django_db
PAN = "4111 1111 1111 1111"
SAID = f"My card {PAN}, CVV 123, and IBAN DE89 3704 0044 0532 0130 00 please"
SECRETS = ("4111", "1111 1111", "DE89", "0532", " 123")


def everything_stored() -> str:
    """All rows of all tables of the desk and of the product's events, audit log and mails, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall() if name.startswith(("support_", "core_", "accounts_audit"))]
        found = []
        for name in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {name} t")
            found.append(cursor.fetchone()[0])
    return " ".join(found)


def test_numbers_are_masked_before_they_are_stored_anywhere(desk: Desk) -> None:
    conversation = desk.begin(text=SAID)
    messages.note(desk.agent("ann"), conversation.pk, Draft(f"Customer's card: {PAN}"))
    with tenancy.scope(desk.tenant.id):
        said = Message.objects.get(conversation=conversation, sequence=2)
        stored = everything_stored()
    assert said.content.startswith("My card [CARD_1], CVV [CARD_2], and IBAN [IBAN_1] please")
    assert said.masked == ["card", "iban"]
    for secret in SECRETS:
        assert secret not in stored


def test_a_number_that_is_no_card_stays(desk: Desk) -> None:
    # Sixteen digits that fail Luhn: an order number.
    conversation = desk.begin(text="Order 4111 1111 1111 1112")
    assert desk.history(conversation)[1].content == "Order 4111 1111 1111 1112"


def test_a_search_finds_what_was_said_and_never_what_was_masked(desk: Desk) -> None:
    conversation = desk.begin(text=SAID)
    with tenancy.scope(desk.tenant.id):
        assert conversation.pk in indexing.matches("please")
        assert not indexing.matches("4111")
        assert not indexing.matches("DE89")


def test_an_original_is_shown_with_permission_and_reason_and_that_stands_in_the_log(desk: Desk) -> None:
    conversation = desk.begin(text=SAID)
    shown = SAID.replace("123", "[CARD_2]")
    assert unmasking.unmask(desk.tenant.actor, conversation.pk, 2, "Chargeback 1234") == shown
    with tenancy.scope(desk.tenant.id):
        assert "123" not in json.loads(unseal_from(Original.objects.get(), "content")).values()
    [entry] = audit_of(desk.tenant, "support_message.unmasked")
    assert entry.detail == {"sequence": 2, "reason": "Chargeback 1234"}
    with pytest.raises(PermissionDenied):
        unmasking.unmask(desk.agent("ann"), conversation.pk, 2, "Chargeback 1234")
    with pytest.raises(InvalidRequest):
        unmasking.unmask(desk.tenant.actor, conversation.pk, 2, " no ")
    assert len(audit_of(desk.tenant, "support_message.unmasked")) == 1


def test_another_organization_sees_no_original(desk: Desk, other_desk: Desk) -> None:
    conversation = desk.begin(text=SAID)
    with pytest.raises(NotFound):
        unmasking.unmask(other_desk.tenant.actor, conversation.pk, 2, "Chargeback 1234")


def test_originals_go_when_their_time_is_over(desk: Desk) -> None:
    conversation = desk.begin(text=SAID)
    with tenancy.scope(desk.tenant.id):
        Original.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        unmasking.unmask(desk.tenant.actor, conversation.pk, 2, "Chargeback 1234")
    housekeeping.clean_up()
    with tenancy.scope(desk.tenant.id):
        assert not Original.objects.exists()


def test_where_nothing_is_to_be_kept_nothing_is(desk: Desk) -> None:
    desk_settings.change_settings(desk.tenant.actor, {"original_days": 0})
    conversation = desk.begin(text=SAID)
    with tenancy.scope(desk.tenant.id):
        assert not Original.objects.exists()
    with pytest.raises(NotFound):
        unmasking.unmask(desk.tenant.actor, conversation.pk, 2, "Chargeback 1234")


def test_a_desk_may_mask_more_and_never_less_than_cards(desk: Desk) -> None:
    desk_settings.change_settings(desk.tenant.actor, {"masked": ["card", "email"]})
    conversation = desk.begin(text="Write to ada@example.com")
    assert desk.history(conversation)[1].content == "Write to [EMAIL_1]"
    with pytest.raises(InvalidRequest):
        desk_settings.change_settings(desk.tenant.actor, {"masked": ["email"]})
    with pytest.raises(PermissionDenied):
        desk_settings.change_settings(desk.agent("ann"), {"original_days": 1})


def test_a_transcript_holds_what_was_said_masked_and_notes_only_when_asked(desk: Desk) -> None:
    conversation = desk.begin(text=SAID)
    messages.note(desk.agent("ann"), conversation.pk, Draft("Careful"))
    text = unmasking.transcript(desk.tenant.actor, conversation.pk)
    assert "[CARD_1]" in text
    assert PAN not in text
    assert "Careful" not in text
    assert "Careful" in unmasking.transcript(desk.tenant.actor, conversation.pk, with_notes=True)
    assert len(audit_of(desk.tenant, "support_conversation.exported")) == 2


def test_within_a_conversation_a_placeholder_stands_for_one_thing(desk: Desk) -> None:
    conversation = desk.begin(text=f"Block {PAN}")
    messages.note(desk.agent("ann"), conversation.pk, Draft("Theirs is 5500 0000 0000 0004"))
    desk.says(conversation, f"And {PAN}, not [CARD_4] or 5105 1051 0510 5100")
    said = [each.content for each in desk.history(conversation) if each.content]
    assert said == ["Block [CARD_1]", "Theirs is [CARD_2]", "And [CARD_3], not [CARD_4] or [CARD_5]"]
    assert desk.history(desk.begin(text=f"Block {PAN}"))[1].content == "Block [CARD_1]"
    with tenancy.scope(desk.tenant.id):
        last = Message.objects.filter(conversation=conversation, kind="incoming").latest("sequence")
    shown = unmasking.unmask(desk.tenant.actor, conversation.pk, last.sequence, "Chargeback 1234")
    assert shown == f"And {PAN}, not [CARD_4] or 5105 1051 0510 5100"
