"""Contacts and visitors: who they are is proved or not known, and nobody is given somebody else's history."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.core import mail
from django.utils import timezone

from apps.accounts.models import Membership, Role
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied, RateLimitExceeded
from apps.core.mail import deliver_due
from apps.core.models import Mail
from apps.support.errors import IdentityRefused, VisitorUnknown
from apps.support.models import Contact, ContactSession, Conversation, Inbox, Message
from apps.support.services import assignment, contacts, conversations, housekeeping, inboxes, messages, visitors
from apps.support.services import desk as desk_settings
from apps.support.services.files import Upload
from apps.support.services.storing import Draft
from apps.support.services.visitors import Proof
from tests.helpers.desk import Desk, open_desk
from tests.helpers.people import audit_of, events_of

pytestmark = pytest.mark.django_db
HERE = "203.0.113.9"


def secret_of(desk: Desk) -> str:
    return inboxes.show_secret(desk.tenant.actor, desk.inbox.pk)


def signed(desk: Desk, identifier: str) -> Proof:
    """As a customer's server does it for Chatwoot."""
    digest = hmac.new(secret_of(desk).encode(), identifier.encode(), hashlib.sha256).hexdigest()
    return Proof(identifier, digest)


def token(desk: Desk, *, key: str = "", **claims: Any) -> Proof:
    return Proof(token=jwt.encode(claims, key or secret_of(desk), algorithm="HS256"))


def later(**time: int) -> datetime:
    return datetime.now(UTC) + timedelta(**time)


def test_a_browser_is_known_by_its_secret_which_is_not_stored(desk: Desk) -> None:
    visitor, secret = visitors.arrive(desk.inbox.token, HERE, {"name": "Ada"})
    assert visitors.admit(desk.inbox.token, secret).contact == visitor.contact
    with tenancy.scope(desk.tenant.id):
        assert secret not in str(list(ContactSession.objects.values()))


def test_what_opens_one_inbox_opens_no_other(desk: Desk, other_desk: Desk) -> None:
    _visitor, secret = visitors.arrive(desk.inbox.token, HERE, {})
    second = open_desk(desk.tenant, "Second")
    for inbox in (second.inbox, other_desk.inbox):
        with pytest.raises(VisitorUnknown):
            visitors.admit(inbox.token, secret)
    with pytest.raises(NotFound):
        visitors.admit("unknown", secret)
    inboxes.close(desk.tenant.actor, desk.inbox.pk)
    with pytest.raises(NotFound):
        visitors.admit(desk.inbox.token, secret)


def test_signing_out_leaves_nothing_for_the_next_at_the_computer(desk: Desk) -> None:
    visitor, secret = visitors.arrive(desk.inbox.token, HERE, {}, signed(desk, "c-1"))
    visitors.sign_out(visitor)
    with pytest.raises(VisitorUnknown):
        visitors.admit(desk.inbox.token, secret)


def test_a_signature_gives_the_same_person_their_history_in_another_browser(desk: Desk) -> None:
    first, _ = visitors.arrive(desk.inbox.token, HERE, {"name": "Ada"}, signed(desk, "c-1"))
    conversation = desk.begin(first)
    second, _ = visitors.arrive(desk.inbox.token, HERE, {}, signed(desk, "c-1"))
    assert second.contact == first.contact
    assert conversation.contact_id == second.contact.pk
    assert first.contact.verified_at is not None


def test_without_a_signature_nobody_is_who_they_say(desk: Desk) -> None:
    known, _ = visitors.arrive(desk.inbox.token, HERE, {}, signed(desk, "c-1"))
    stranger, _ = visitors.arrive(desk.inbox.token, HERE, {}, Proof("c-1"))
    assert stranger.contact != known.contact
    assert stranger.contact.identifier == ""
    assert stranger.contact.verified_at is None


@pytest.mark.parametrize("forged", ["0" * 64, "", "ABC", "é" * 64])
def test_a_forged_signature_is_refused(desk: Desk, forged: str) -> None:
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"hmac_required": True})
    with pytest.raises(IdentityRefused):
        visitors.arrive(desk.inbox.token, HERE, {}, Proof("c-1", forged))
    with tenancy.scope(desk.tenant.id):
        assert not Contact.objects.exists()


def test_a_signature_of_another_inbox_or_of_the_old_secret_proves_nothing(desk: Desk, other_desk: Desk) -> None:
    old = signed(desk, "c-1")
    with pytest.raises(IdentityRefused):
        visitors.arrive(other_desk.inbox.token, HERE, {}, old)
    inboxes.renew_secret(desk.tenant.actor, desk.inbox.pk)
    with pytest.raises(IdentityRefused):
        visitors.arrive(desk.inbox.token, HERE, {}, old)


def test_a_token_proves_as_well_until_it_expires(desk: Desk) -> None:
    visitor, _ = visitors.arrive(desk.inbox.token, HERE, {}, token(desk, sub="c-7", exp=later(minutes=5)))
    assert visitor.contact.identifier == "c-7"
    for wrong in (
        token(desk, sub="c-7", exp=later(minutes=-1)),
        token(desk, sub="c-7", exp=later(days=3)),
        token(desk, sub="c-7"),
        token(desk, exp=later(minutes=5)),
        token(desk, sub="c-7", exp=later(minutes=5), key="x" * 40),
        Proof(token=jwt.encode({"sub": "c-7", "exp": later(minutes=5)}, None, algorithm="none")),
        Proof(token="x.y.z"),
    ):
        with pytest.raises(IdentityRefused):
            visitors.arrive(desk.inbox.token, HERE, {}, wrong)


def test_who_signs_in_takes_along_what_their_browser_wrote_before(desk: Desk) -> None:
    known, _ = visitors.arrive(desk.inbox.token, HERE, {"name": "Ada"}, signed(desk, "c-1"))
    anonymous, secret = visitors.arrive(desk.inbox.token, HERE, {})
    conversation = desk.begin(anonymous, "Before I signed in")
    visitor = visitors.identify(anonymous, signed(desk, "c-1"), {})
    assert visitor.contact.pk == known.contact.pk
    assert desk.again(conversation).contact_id == known.contact.pk
    assert visitors.admit(desk.inbox.token, secret).contact.pk == known.contact.pk


def test_a_second_person_at_the_same_browser_gets_a_history_of_their_own(desk: Desk) -> None:
    first, secret = visitors.arrive(desk.inbox.token, HERE, {}, signed(desk, "c-1"))
    conversation = desk.begin(first)
    second = visitors.identify(first, signed(desk, "c-2"), {})
    assert second.contact.pk != first.contact.pk
    assert desk.again(conversation).contact_id == first.contact.pk
    assert visitors.admit(desk.inbox.token, secret).contact.identifier == "c-2"


def test_new_browsers_of_one_address_are_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # Few, so that a slow machine gives none back meanwhile.
    monkeypatch.setattr(visitors, "NEW_A_MINUTE", 2)
    for _ in range(2):
        visitors.arrive(desk.inbox.token, HERE, {})
    with pytest.raises(RateLimitExceeded):
        visitors.arrive(desk.inbox.token, HERE, {})
    visitors.arrive(desk.inbox.token, "203.0.113.10", {})


# ---------------------------------------------------------------- contacts


def test_a_contact_is_changed_masked_and_found(desk: Desk) -> None:
    ann = desk.agent("ann")
    row = contacts.create(ann, {"name": "Ada 4111 1111 1111 1111", "email": "ada@example.com", "identifier": "c-1"})
    assert row.name == "Ada [CARD_1]"
    contacts.change(ann, row.pk, {"attributes": {"tier": "gold", "note": "IBAN DE89370400440532013000"}})
    with tenancy.scope(desk.tenant.id):
        found = Contact.objects.get(pk=row.pk)
        assert found.attributes == {"tier": "gold", "note": "IBAN [IBAN_1]"}
        assert list(contacts.listing(ann, "ada@")) == [found]
    with pytest.raises(Conflict):
        contacts.create(ann, {"identifier": "c-1"})
    for wrong in ({"email": "nonsense"}, {"name": "x" * 200}, {"shoe": 1}, {"attributes": {"x": {"deep": 1}}}):
        with pytest.raises(InvalidRequest):
            contacts.create(ann, wrong)


def test_contacts_are_merged_with_all_they_have(desk: Desk) -> None:
    ann = desk.agent("ann")
    one = contacts.create(ann, {"name": "A. L.", "identifier": "c-1"})
    other = contacts.create(ann, {"email": "ada@example.com"})
    with tenancy.scope(desk.tenant.id):
        made = conversations.begin(Inbox.objects.get(pk=desk.inbox.pk), one, _by(one))
    merged = contacts.merge(ann, one.pk, other.pk)
    assert (merged.name, merged.email, merged.identifier) == ("A. L.", "ada@example.com", "c-1")
    assert desk.again(made).contact_id == other.pk
    assert contacts.get(ann, one.pk).pk == other.pk


def _by(contact: Contact) -> Any:
    from apps.support.services.storing import by_contact

    return by_contact(contact)


def test_who_was_merged_into_one_that_was_merged_is_erased_with_the_last(desk: Desk) -> None:
    boss = desk.tenant.actor
    first, second, last = (contacts.create(boss, {"email": f"{name}@example.com"}) for name in ("a", "b", "c"))
    contacts.merge(boss, first.pk, second.pk)
    contacts.merge(boss, second.pk, last.pk)
    contacts.erase(boss, last.pk)
    with tenancy.scope(desk.tenant.id):
        assert not Contact.objects.filter(pk__in=[first.pk, second.pk, last.pk]).exists()


def test_a_merge_lifts_no_block_and_opens_nobody_elses_history(desk: Desk) -> None:
    boss = desk.tenant.actor
    one, _secret = visitors.arrive(desk.inbox.token, HERE, {}, signed(desk, "c-1"))
    other = contacts.create(boss, {"identifier": "c-2"})
    contacts.set_blocked(boss, one.contact.pk, True)
    merged = contacts.merge(boss, one.contact.pk, other.pk)
    assert merged.blocked_at is not None
    with tenancy.scope(desk.tenant.id):
        assert not ContactSession.objects.get(contact=other).verified


def test_a_contact_is_erased_with_conversations_files_and_originals(desk: Desk) -> None:
    visitor = desk.visitor(name="Ada")
    conversation = desk.begin(visitor, "4111 1111 1111 1111")
    messages.reply(desk.agent("ann"), conversation.pk, Draft("A file", files=(Upload("a.txt", b"x"),)))
    with pytest.raises(PermissionDenied):
        contacts.erase(desk.agent("bob"), visitor.contact.pk)
    assert contacts.erase(desk.tenant.actor, visitor.contact.pk) == 1
    with tenancy.scope(desk.tenant.id):
        for model in (Conversation, Message, Contact, ContactSession):
            assert not model.objects.exists()
    assert "support_contact.erased" in events_of(desk.tenant)
    assert len(audit_of(desk.tenant, "support_contact.erased")) == 1


def test_another_organizations_contact_is_not_there(desk: Desk, other_desk: Desk) -> None:
    row = contacts.create(desk.tenant.actor, {"name": "Ada"})
    stranger = other_desk.tenant.actor
    for act in (
        lambda: contacts.get(stranger, row.pk),
        lambda: contacts.change(stranger, row.pk, {"name": "Mine"}),
        lambda: contacts.erase(stranger, row.pk),
        lambda: contacts.merge(stranger, row.pk, contacts.create(stranger, {}).pk),
    ):
        with pytest.raises(NotFound):
            act()


# ---------------------------------------------------------------- mails


def test_somebody_who_has_left_is_told_of_an_answer_once(desk: Desk) -> None:
    visitor = desk.visitor(name="Ada", email="ada@example.com")
    conversation = desk.begin(visitor)
    ann = desk.agent("ann")
    for text in ("The answer", "And more"):
        messages.reply(ann, conversation.pk, Draft(text))
    deliver_due()
    [sent] = mail.outbox
    assert sent.to == ["ada@example.com"]
    assert "The answer" in sent.body


def test_a_mention_is_told_by_mail_unless_the_console_is_open(desk: Desk) -> None:
    bob, carol = desk.agent("bob", online=False), desk.agent("carol")
    conversation = desk.begin()
    with tenancy.scope(desk.tenant.id):
        named = [assignment.membership_of(each) for each in (bob, carol)]
    messages.note(desk.tenant.actor, conversation.pk, Draft("Look, please"), [each for each in named if each])
    assert Mail.objects.count() == 1
    deliver_due()
    [sent] = mail.outbox
    assert sent.to[0].startswith("bob@")
    assert str(conversation.number) in sent.subject
    with pytest.raises(InvalidRequest):
        messages.note(desk.tenant.actor, conversation.pk, Draft("x"), [conversation.pk])
    # What was taken back is told nobody, and nothing whoever may read no more by the time the mail leaves.
    said = messages.note(desk.tenant.actor, conversation.pk, Draft("Wrong window"), [each for each in named if each])
    messages.delete_message(desk.tenant.actor, conversation.pk, said.sequence)
    messages.note(desk.tenant.actor, conversation.pk, Draft("And again"), [each for each in named if each])
    with tenancy.scope(desk.tenant.id):
        Membership.objects.filter(user=bob.person_id).update(role=Role.MEMBER)
    deliver_due()
    assert len(mail.outbox) == 1


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Somebody acts between the sweep's look at the list and its lock of the row."""
    real = housekeeping.locked

    def locked(id: Any) -> Conversation:
        act()
        return real(id)

    monkeypatch.setattr(housekeeping, "locked", locked)


def quiet_for_long(desk: Desk) -> Conversation:
    desk_settings.change_settings(desk.tenant.actor, {"resolve_after_days": 3})
    conversation = desk.begin()
    messages.reply(desk.agent("ann", online=False), conversation.pk, Draft("Is that all?"))
    with tenancy.scope(desk.tenant.id):
        Conversation.objects.update(active_at=timezone.now() - timedelta(days=4))
    return conversation


def test_what_the_contact_writes_while_old_ones_are_resolved_keeps_theirs_open(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = quiet_for_long(desk)
    meanwhile(monkeypatch, lambda: desk.says(conversation, "No"))
    housekeeping.clean_up()
    assert desk.again(conversation).status == "open"


def test_one_that_is_merged_meanwhile_does_not_keep_the_others_from_being_resolved(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = quiet_for_long(desk)
    with tenancy.scope(desk.tenant.id):
        into = Conversation.objects.create(
            organization_id=desk.tenant.id, number=99, inbox=desk.inbox, contact_id=conversation.contact_id,
            active_at=timezone.now(), status="resolved",
        )  # fmt: skip
        act = Conversation.objects.filter(pk=conversation.pk)
    meanwhile(monkeypatch, lambda: act.update(merged_into=into))
    housekeeping.clean_up()
    assert desk.again(conversation).status == "open"


def test_what_is_snoozed_anew_meanwhile_sleeps_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, conversation = desk.agent("ann", online=False), desk.begin()
    tomorrow = timezone.now() + timedelta(days=1)
    conversations.set_status(ann, conversation.pk, "snoozed", tomorrow)
    with tenancy.scope(desk.tenant.id):
        Conversation.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    meanwhile(monkeypatch, lambda: conversations.set_status(ann, conversation.pk, "snoozed", tomorrow))
    housekeeping.sweep()
    assert desk.again(conversation).status == "snoozed"
