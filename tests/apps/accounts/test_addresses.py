"""Changing one's address: the new one must be confirmed, the old one is told, and nobody's is taken over."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests.helpers.people import PASSWORD, Tenant, make_user, verify

NEW = "new@example.com"


@pytest.fixture(autouse=True)
def with_mail(settings: Any) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


def ask(person: User, email: str = NEW) -> Client:
    client = Client()
    client.force_login(person)
    answer = client.post(reverse("account_email"), {"email": email, "action_add": ""})
    assert answer.status_code == 302
    return client


def link_in(message: Any) -> str:
    link = next(word for word in message.body.split() if "/confirm-email/" in word)
    return "/" + link.split("/", 3)[3]


def test_the_new_address_counts_once_it_is_confirmed(org_a: Tenant) -> None:
    owner = verify(org_a.owner)
    old = owner.email
    client = ask(owner)
    owner.refresh_from_db()
    assert owner.email == old
    assert NEW in client.get(reverse("account_email")).text
    [message] = mail.outbox
    assert message.to == [NEW]
    page = Client().get(link_in(message))
    assert NEW in page.text, "a link that is only looked at confirms nothing"
    owner.refresh_from_db()
    assert owner.email == old
    client.post(link_in(message))
    owner.refresh_from_db()
    assert owner.email == NEW
    assert list(EmailAddress.objects.filter(user=owner).values_list("email", "verified")) == [(NEW, True)]
    told = [m for m in mail.outbox if m.to == [old]]
    assert len(told) == 1
    assert NEW in told[0].body


def test_a_second_wish_replaces_the_first(org_a: Tenant) -> None:
    owner = verify(org_a.owner)
    ask(owner, "first@example.com")
    first = link_in(mail.outbox[-1])
    client = ask(owner, NEW)
    client.post(first)
    owner.refresh_from_db()
    assert owner.email not in {"first@example.com", NEW}
    client.post(link_in(mail.outbox[-1]))
    owner.refresh_from_db()
    assert owner.email == NEW


def test_one_whose_address_was_never_confirmed_keeps_it_meanwhile(org_a: Tenant) -> None:
    EmailAddress.objects.create(user=org_a.owner, email=org_a.owner.email, primary=True)
    old = org_a.owner.email
    ask(org_a.owner)
    org_a.owner.refresh_from_db()
    assert org_a.owner.email == old


def test_somebody_elses_address_cannot_be_taken(org_a: Tenant, org_b: Tenant) -> None:
    owner = verify(org_a.owner)
    victims = {verify(org_b.owner).email, make_user("unconfirmed@example.com").email}
    for victim in victims:
        client = ask(owner, victim)
        assert victim in client.get(reverse("account_email")).text
        assert "/confirm-email/" not in mail.outbox[-1].body
        # Not even with a link that was made in another way.
        from allauth.account.models import EmailConfirmationHMAC

        address = EmailAddress.objects.get(user=owner, email=victim)
        client.post(reverse("account_confirm_email", kwargs={"key": EmailConfirmationHMAC(address).key}))
        owner.refresh_from_db()
        assert owner.email != victim


def test_ones_own_address_is_no_change(org_a: Tenant) -> None:
    client = Client()
    client.force_login(verify(org_a.owner))
    page = client.post(reverse("account_email"), {"email": org_a.owner.email.upper(), "action_add": ""})
    assert page.status_code == 200
    assert "already associated" in page.text


def test_a_wish_can_be_taken_back_and_sent_again(org_a: Tenant, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"confirm_email": ""}
    client = ask(verify(org_a.owner))
    client.post(reverse("account_email"), {"email": NEW, "action_send": ""})
    assert [message.to for message in mail.outbox] == [[NEW], [NEW]]
    client.post(reverse("account_email"), {"email": NEW, "action_remove": ""})
    assert not EmailAddress.objects.filter(email=NEW).exists()
    client.post(link_in(mail.outbox[0]))
    org_a.owner.refresh_from_db()
    assert org_a.owner.email != NEW


def test_without_a_confirmed_address_nobody_gets_in(db: None) -> None:
    user, client = make_user("ada@example.com"), Client()
    form = {"login": user.email, "password": PASSWORD}
    assert client.post(reverse("account_login"), form).url == reverse("account_email_verification_sent")
    assert client.get(reverse("dashboard")).status_code == 302
    assert client.post(link_in(mail.outbox[-1])).status_code == 302
    client.post(reverse("account_login"), form)
    assert client.get(reverse("account_email")).status_code == 200


def test_a_sign_in_from_an_unknown_browser_is_told_and_from_a_known_one_not(org_a: Tenant) -> None:
    owner, client = verify(org_a.owner), Client(headers={"user-agent": "Firefox/146.0 Windows"})
    form = {"login": owner.email, "password": PASSWORD}
    client.post(reverse("account_login"), form)
    assert mail.outbox == [], "the very first sign-in surprises nobody"
    client.post(reverse("account_logout"))
    client.post(reverse("account_login"), form)
    assert mail.outbox == []
    Client(headers={"user-agent": "Chrome/150 Android"}).post(reverse("account_login"), form)
    [message] = mail.outbox
    assert message.to == [owner.email]
    assert "Chrome on Android" in message.body
    assert "127.0.0.1" in message.body


def test_a_changed_password_is_told(org_a: Tenant) -> None:
    client, new = Client(), "a quiet mill by the river"
    client.force_login(verify(org_a.owner))
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new})
    [message] = mail.outbox
    assert (message.to, message.subject) == ([org_a.owner.email], "Password Changed")
