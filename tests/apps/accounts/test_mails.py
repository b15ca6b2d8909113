"""Mail of organizations: on its way once it is committed, in their language, and silent when it is moot."""

import json

from django.core import mail

from apps.accounts import services
from apps.accounts.models import Role
from apps.core import crypto
from apps.core.mail import deliver_due
from apps.core.models import Mail
from tests.helpers.people import Tenant, actor_of, member_of

ADA = "ada@example.com"


def test_the_bell_rings_on_commit_and_the_mail_leaves_once(capture_doorbells: list[str], org_a: Tenant) -> None:
    capture_doorbells.clear()
    services.invite(org_a.actor, ADA, Role.MEMBER)
    assert capture_doorbells == ["core.send_mail"]
    assert (deliver_due(), deliver_due()) == (1, 0)
    [message] = mail.outbox
    assert message.to == [ADA]
    assert org_a.organization.name in message.subject


def test_what_waits_holds_no_token(org_a: Tenant) -> None:
    invitation = services.invite(org_a.actor, ADA, Role.MEMBER)
    content = json.loads(crypto.unseal_from(Mail.objects.get(), "content"))
    assert content["data"] == {"organization": str(org_a.id), "id": str(invitation.pk)}


def test_mail_is_in_the_organizations_language(org_a: Tenant) -> None:
    services.change_organization(org_a.actor, language="zh-hans")
    services.invite(org_a.actor, ADA, Role.MEMBER)
    assert json.loads(crypto.unseal_from(Mail.objects.get(), "content"))["language"] == "zh-hans"


def test_a_name_with_markup_and_lines_is_one_line_of_text(org_a: Tenant) -> None:
    services.change_organization(org_a.actor, name="Oak & <b>Ember</b>\nBcc: x@y.z")
    services.invite(actor_of(org_a.owner), ADA, Role.MEMBER)
    deliver_due()
    [message] = mail.outbox
    assert "Oak & <b>Ember</b> Bcc: x@y.z" in message.subject
    assert message.recipients() == [ADA]


def test_an_offer_is_told_to_the_member(org_a: Tenant) -> None:
    services.offer_ownership(org_a.actor, member_of(org_a, org_a.admin).pk, org_a.organization.name)
    deliver_due()
    [message] = mail.outbox
    assert message.to == [org_a.admin.email]
    assert org_a.owner.email in message.body


def test_what_is_over_sends_nothing(org_a: Tenant) -> None:
    services.revoke_invitation(org_a.actor, services.invite(org_a.actor, ADA, Role.MEMBER).pk)
    services.offer_ownership(org_a.actor, member_of(org_a, org_a.admin).pk, org_a.organization.name)
    services.cancel_transfer(org_a.actor)
    services.schedule_deletion(org_a.actor, org_a.organization.name)
    services.cancel_deletion(org_a.actor)
    assert deliver_due() == 0
    assert not Mail.objects.exists()
