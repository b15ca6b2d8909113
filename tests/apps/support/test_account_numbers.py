"""The whole numbers by which Chatwoot's account API names things: they stay, and name nothing of anybody else."""

from __future__ import annotations

import threading

import pytest
from django.db import close_old_connections

from apps.core import tenancy
from apps.support.models import Contact, Numbered, RowNumber
from apps.support.services.numbers import Numbers
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk

pytestmark = pytest.mark.django_db


def test_ids_are_whole_numbers_that_stay(desk: Desk) -> None:
    program, talk = Program(desk), desk.begin(desk.visitor(name="Ada"), "Hello")
    found = program.said("GET", f"/conversations/{talk.number}")
    again = program.said("GET", f"/conversations/{talk.pk}")
    numbers = [found["id"], found["account_id"], found["inbox_id"], found["meta"]["sender"]["id"]]
    numbers += [found["contact_inbox"]["id"], found["messages"][0]["id"], found["messages"][0]["sender"]["id"]]
    assert all(type(each) is int for each in numbers)
    assert (found["id"], found["account_id"]) == (talk.number, program.number)
    assert again == found
    contact = found["meta"]["sender"]["id"]
    for place in (contact, talk.contact_id):
        assert program.said("GET", f"/contacts/{place}")["payload"]["id"] == contact
    inbox = program.said("GET", f"/inboxes/{desk.inbox.pk}")
    assert inbox["id"] == found["inbox_id"]
    # The organization's own id goes on working in addresses.
    assert program("GET", "/inboxes", account=desk.tenant.id).status_code == 200


def test_a_number_names_nothing_of_another_organization(desk: Desk, other_desk: Desk) -> None:
    mine, theirs = Program(desk), Program(other_desk)
    made = [each.said("POST", "/contacts", {"name": "Ada"})["payload"]["contact"]["id"] for each in (mine, theirs)]
    more = theirs.said("POST", "/contacts", {"name": "Bea"})["payload"]["contact"]["id"]
    # Each organization counts for itself, so that a number tells nothing of others.
    assert made[0] == made[1]
    assert more not in made
    assert mine("GET", f"/contacts/{more}").status_code == 404
    assert mine("GET", "/contacts", account=theirs.number).status_code == 404
    assert mine("GET", f"/contacts/{made[0]}", account=theirs.number).status_code == 404
    talk = other_desk.begin(text="Theirs")
    assert mine("GET", f"/conversations/{talk.pk}").status_code == 404
    assert mine("POST", "/conversations", {"contact_id": more, "inbox_id": 1}).status_code == 422


def test_no_number_is_given_twice(desk: Desk) -> None:
    program = Program(desk)
    first = program.said("POST", "/contacts", {"name": "Ada"})["payload"]["contact"]["id"]
    assert program.said("DELETE", f"/contacts/{first}") == {}
    assert program("GET", f"/contacts/{first}").status_code == 404
    second = program.said("POST", "/contacts", {"name": "Bea"})["payload"]["contact"]["id"]
    assert second > first


@pytest.mark.django_db(transaction=True)
def test_those_who_ask_at_once_are_told_the_same_numbers(desk: Desk) -> None:
    with tenancy.scope(desk.tenant.id):
        rows = [Contact.objects.create(organization_id=desk.tenant.id, name=str(n)).pk for n in range(20)]
    barrier, found = threading.Barrier(4), list[tuple[int, ...]]()

    def ask() -> None:
        barrier.wait()
        with tenancy.scope(desk.tenant.id):
            numbers = Numbers(desk.tenant.id)
            numbers.want(Numbered.CONTACT, rows)
            found.append(tuple(numbers(Numbered.CONTACT, each) for each in rows))
        close_old_connections()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(set(found[0])) == 20
    with tenancy.scope(desk.tenant.id):
        assert RowNumber.objects.filter(kind=Numbered.CONTACT).count() == 20
