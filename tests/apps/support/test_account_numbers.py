"""The whole numbers by which Chatwoot's account API names things: they stay, and name nothing of anybody else."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest
from django.db import close_old_connections, connection

from apps.core import tenancy
from apps.support.models import Contact, Numbered, RowNumber
from apps.support.services.numbers import Numbers
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk
from tests.helpers.threads import together

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


def waits_for_a_lock(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted)", [pid])
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_two_who_need_two_kinds_in_opposite_orders_do_not_wait_for_each_other(desk: Desk) -> None:
    began, second, other_has = threading.Event(), list[int](), threading.Event()
    team, label = uuid4(), uuid4()

    def first() -> list[int]:
        with tenancy.scope(desk.tenant.id):
            numbers = Numbers(desk.tenant.id)
            found = [numbers(Numbered.TEAM, team)]
            began.set()
            # Until the other one has numbers of the other kind, or waits for us.
            until = time.monotonic() + 60
            while not other_has.is_set() and not (second and waits_for_a_lock(second[0])):
                assert time.monotonic() < until
                time.sleep(0.01)
            return [*found, numbers(Numbered.LABEL, label)]

    def other() -> list[int]:
        assert began.wait(60)
        with tenancy.scope(desk.tenant.id), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            second.append(cursor.fetchone()[0])
            numbers = Numbers(desk.tenant.id)
            found = numbers(Numbered.LABEL, label)
            other_has.set()
            return [numbers(Numbered.TEAM, team), found]

    with tenancy.scope(desk.tenant.id):
        # What all name is there already: it is not what they wait for.
        assert Numbers(desk.tenant.id).account
    assert together([first, other]) == [[1, 1], [1, 1]]
