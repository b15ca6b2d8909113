"""Mail of organizations: sent once it is committed, again when the server was away, in the organization's language."""

import smtplib
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import Letter, Role
from apps.accounts.services import letters
from apps.core import tenancy
from tests.helpers.people import Tenant, actor_of, member_of

ADA = "ada@example.com"


def letter_of(tenant: Tenant) -> Letter:
    with tenancy.scope(tenant.id):
        letter: Letter = Letter.objects.get()
    return letter


def test_the_bell_rings_on_commit_and_the_letter_leaves_once(
    capture_doorbells: list[str], org_a: Tenant, org_b: Tenant
) -> None:
    capture_doorbells.clear()
    services.invite(org_a.actor, ADA, Role.MEMBER)
    assert capture_doorbells == ["accounts.send_letters"]
    assert services.send_due() == 1
    assert services.send_due() == 0
    [message] = mail.outbox
    assert message.to == [ADA]
    assert org_a.organization.name in message.subject
    assert letter_of(org_a).sent_at is not None


def test_a_mail_server_that_is_away_gets_the_same_link_later(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    services.invite(org_a.actor, ADA, Role.MEMBER)
    texts: list[str] = []

    def away(subject: str, body: str, *rest: Any) -> None:
        texts.append(body)
        raise smtplib.SMTPServerDisconnected("away")

    with monkeypatch.context() as patch:
        patch.setattr(letters, "send_mail", away)
        assert services.send_due() == 0
    letter = letter_of(org_a)
    assert letter.due_at is not None
    assert letter.due_at > timezone.now()
    with tenancy.scope(org_a.id):
        Letter.objects.update(due_at=timezone.now())
    assert services.send_due() == 1
    assert mail.outbox[0].body == texts[0]


def test_a_letter_that_never_leaves_is_given_up(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    services.invite(org_a.actor, ADA, Role.MEMBER)

    def refused(*message: Any) -> None:
        raise smtplib.SMTPRecipientsRefused({})

    monkeypatch.setattr(letters, "send_mail", refused)
    for _ in range(letters.MOST_ATTEMPTS):
        with tenancy.scope(org_a.id):
            Letter.objects.update(due_at=timezone.now())
        services.send_due()
    assert (letter_of(org_a).due_at, letter_of(org_a).sent_at) == (None, None)


def test_mail_is_in_the_organizations_language(org_a: Tenant) -> None:
    services.change_organization(org_a.actor, language="zh-hans")
    services.invite(org_a.actor, ADA, Role.MEMBER)
    assert letter_of(org_a).language == "zh-hans"


def test_a_name_with_markup_is_text_in_mail(org_a: Tenant) -> None:
    services.change_organization(org_a.actor, name="Oak & <b>Ember</b>\nBcc: x@y.z")
    services.invite(actor_of(org_a.owner), ADA, Role.MEMBER)
    services.send_due()
    [message] = mail.outbox
    assert "Oak & <b>Ember</b> Bcc: x@y.z" in message.body
    assert message.recipients() == [ADA]


def test_an_offer_is_told_to_the_member(org_a: Tenant) -> None:
    services.offer_ownership(org_a.actor, member_of(org_a, org_a.admin).pk, org_a.organization.name)
    services.send_due()
    [message] = mail.outbox
    assert message.to == [org_a.admin.email]
    assert org_a.owner.email in message.body
