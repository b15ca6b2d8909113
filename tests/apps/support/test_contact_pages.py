"""Contacts on pages: found, edited, merged with a look beforehand, and erased by whoever may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core import tenancy
from apps.support.models import Contact, Conversation
from apps.support.services import contacts
from tests.helpers.desk import Desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(desk: Desk, client_of: Callable[[Any], Client]) -> Client:
    return client_of(desk.tenant.owner)


@pytest.fixture
def ann(desk: Desk, client_of: Callable[[Any], Client]) -> Client:
    desk.agent("ann", online=False)
    return client_of(User.objects.get(email__startswith="ann@"))


def test_contacts_are_listed_found_and_added(desk: Desk, other_desk: Desk, ann: Client) -> None:
    desk.begin(desk.visitor(name="Ada Lovelace"))
    contacts.create(desk.tenant.actor, {"name": "Grace Hopper", "email": "grace@navy.example"})
    other_desk.begin(other_desk.visitor(name="Nobody Here"))
    place = reverse("desk-contacts")
    page = ann.get(place).content.decode()
    assert "Ada Lovelace" in page
    assert "Nobody Here" not in page
    found = ann.get(place, {"search": "navy"}).content.decode()
    assert "Grace Hopper" in found
    assert "Ada Lovelace" not in found
    answer = ann.post(place, {"name": "Alan", "email": "alan@example.com"})
    with tenancy.scope(desk.tenant.id):
        assert answer["location"] == reverse("desk-contact", args=[Contact.objects.get(name="Alan").pk])
    assert ann.post(place, {"name": "Alan", "email": "nowhere"}).status_code == 422


def test_a_merge_is_shown_before_it_is_done(desk: Desk, ann: Client) -> None:
    one = desk.begin(desk.visitor(name="Ada", email="ada@example.com"))
    other = contacts.create(desk.tenant.actor, {"name": "Ada L", "phone": "+44 20 7946 0000"})
    same = contacts.create(desk.tenant.actor, {"name": "ada", "email": "ada@work.example"})
    place = reverse("desk-contact-merge", args=[one.contact_id])
    assert [row.pk for row in ann.get(place).context["found"]] == [same.pk]
    page = ann.get(place, {"into": str(other.pk)})
    preview = page.context["preview"]
    assert {each.name: each.after for each in preview.fields} == {
        "name": "Ada L",
        "email": "ada@example.com",
        "phone": "+44 20 7946 0000",
    }
    assert [each.name for each in preview.lost] == ["name"]
    assert preview.conversations == 1
    with tenancy.scope(desk.tenant.id):
        assert Conversation.objects.get(pk=one.pk).contact_id == one.contact_id
    assert ann.post(place, {"into": str(other.pk)})["location"] == reverse("desk-contact", args=[other.pk])
    assert desk.again(one).contact_id == other.pk
    assert contacts.get(desk.tenant.actor, other.pk).email == "ada@example.com"
    # The one leads to the other, with which it cannot be merged again.
    gone = reverse("desk-contact", args=[one.contact_id])
    assert ann.get(gone)["location"] == reverse("desk-contact", args=[other.pk])
    assert ann.post(place, {"into": str(other.pk)}).status_code == 409


def test_only_who_sets_up_the_desk_erases_and_types_the_name(desk: Desk, owner: Client, ann: Client) -> None:
    conversation = desk.begin(desk.visitor(name="Ada"))
    place = reverse("desk-contact-erase", args=[conversation.contact_id])
    assert ann.get(place).status_code == 403
    assert owner.post(place, {"name": "Eve"}).status_code == 422
    assert owner.post(place, {"name": "Ada"})["location"] == reverse("desk-contacts")
    with tenancy.scope(desk.tenant.id):
        assert not Conversation.objects.filter(pk=conversation.pk).exists()


def test_another_organizations_contact_is_not_there(desk: Desk, other_desk: Desk, ann: Client) -> None:
    mine, strange = desk.begin(), other_desk.begin()
    assert ann.get(reverse("desk-contact-merge", args=[strange.contact_id])).status_code == 404
    place = reverse("desk-contact-merge", args=[mine.contact_id])
    assert ann.get(place, {"into": str(strange.contact_id)}).status_code == 404
    assert ann.post(place, {"into": str(strange.contact_id)}).status_code == 404
