"""What the desk writes down about contacts: over Chatwoot's API and on its own pages, masked, merged and erased."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import AuditEntry, Membership
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.support.models import ContactNote
from apps.support.services import contact_notes, contacts
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk
from tests.helpers.people import bearer_with

pytestmark = pytest.mark.django_db


def test_programs_write_change_and_delete_notes_as_chatwoot_does(desk: Desk) -> None:
    program = Program(desk)
    id = program.said("POST", "/contacts", {"name": "Ada"})["payload"]["contact"]["id"]
    place = f"/contacts/{id}/notes"
    made = program.said("POST", place, {"content": "Rings back"})
    times = (made.pop("created_at"), made.pop("updated_at"))
    assert all(isinstance(each, int) and each > 0 for each in times)
    # It is its key's member who wrote it.
    assert made.pop("user")["available_name"] == "owner"
    assert made == {"id": 1, "content": "Rings back", "account_id": program.number, "contact_id": id}
    # As Chatwoot's dashboard sends it.
    program.said("POST", place, {"note": {"content": "Card 4111 1111 1111 1111"}})
    assert [each["content"] for each in program.said("GET", place)] == ["Card [CARD]", "Rings back"]
    changed = program.said("PATCH", f"{place}/1", {"content": "Rings back at noon"})
    assert (changed["content"], program.said("GET", f"{place}/1")["content"]) == ("Rings back at noon",) * 2
    assert program.said("DELETE", f"{place}/1") == {}
    assert program("GET", f"{place}/1").status_code == 404
    refused = program("POST", place, {"content": " "})
    assert (refused.status_code, refused.json()["attributes"]) == (422, ["content"])
    with tenancy.scope(desk.tenant.id):
        acts = AuditEntry.objects.filter(action__startswith="support_contact.note_").values_list("action", flat=True)
        assert sorted(each.rpartition("_")[2] for each in acts) == ["added", "added", "changed", "deleted"]


def test_a_note_is_of_its_contact_and_organization_alone(desk: Desk, other_desk: Desk) -> None:
    program = Program(desk)
    ada, bea = (contacts.create(desk.tenant.actor, {"name": name}) for name in ("Ada", "Bea"))
    note = contact_notes.add(desk.tenant.actor, ada.pk, "Rings back")
    assert program("GET", f"/contacts/{bea.pk}/notes/{note.pk}").status_code == 404
    assert program("GET", f"/contacts/{ada.pk}/notes/{note.pk}").status_code == 200
    assert Program(other_desk)("GET", f"/contacts/{ada.pk}/notes/{note.pk}").status_code == 404
    with tenancy.scope(other_desk.tenant.id):
        assert not ContactNote.objects.exists()
    reads = Program(desk, ("support:read",))
    for method in ("PATCH", "DELETE"):
        assert reads(method, f"/contacts/{ada.pk}/notes/{note.pk}", {"content": "No"}).status_code == 403


def test_the_desks_own_api_has_notes_and_participants(desk: Desk) -> None:
    headers, client, talk = bearer_with(desk.tenant, "support:read", "support:write"), Client(), desk.begin()
    ann = desk.agent("ann")

    def call(method: str, path: str, body: Any = None) -> Any:
        send = getattr(client, method.lower())
        return send(f"/api/v1/support{path}", body or {}, content_type="application/json", headers=headers)

    place = f"/contacts/{talk.contact_id}/notes"
    made = call("POST", place, {"content": "Card 4111 1111 1111 1111"})
    assert (made.status_code, made.json()["content"]) == (201, "Card [CARD]")
    one = f"{place}/{made.json()['id']}"
    assert call("PATCH", one, {"content": "Rings back"}).json()["content"] == "Rings back"
    assert [each["content"] for each in call("GET", place).json()["data"]] == ["Rings back"]
    assert (call("DELETE", one).status_code, call("GET", one).status_code) == (204, 404)
    with tenancy.scope(desk.tenant.id):
        member = str(Membership.objects.values_list("pk", flat=True).get(user=ann.person_id))
    place = f"/conversations/{talk.pk}/participants"
    assert call("PATCH", place, {"add": [member]}).json()["data"] == [member]
    assert call("GET", place).json()["data"] == [member]
    assert call("PATCH", place, {"remove": [member]}).json()["data"] == []


def test_notes_go_along_where_contacts_are_merged_and_are_erased_with_them(desk: Desk) -> None:
    actor = desk.tenant.actor
    ada, twin = (contacts.create(actor, {"name": name}) for name in ("Ada", "Ada"))
    contact_notes.add(actor, ada.pk, "Rings back")
    contact_notes.add(actor, twin.pk, "Speaks French")
    contacts.merge(actor, twin.pk, ada.pk)
    assert [each.content for each in contact_notes.listed(actor, ada.pk)] == ["Speaks French", "Rings back"]
    contacts.erase(actor, ada.pk)
    with tenancy.scope(desk.tenant.id):
        assert not ContactNote.objects.exists()
        # What was done stays, and who it was about does not.
        told = [(each.object_name, each.detail) for each in AuditEntry.objects.filter(action__contains="contact.")]
        assert len(told) == 6 and "Ada" not in str(told)


def test_a_note_has_a_length_and_a_contact_so_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(desk)
    ada = contacts.create(desk.tenant.actor, {"name": "Ada"})
    with pytest.raises(InvalidRequest):
        contact_notes.add(desk.tenant.actor, ada.pk, "x" * 5_001)
    monkeypatch.setattr(contact_notes, "MOST", 1)
    contact_notes.add(desk.tenant.actor, ada.pk, "Rings back")
    assert program("POST", f"/contacts/{ada.pk}/notes", {"content": "Again"}).status_code == 422


def test_the_pages_show_notes_and_take_them(desk: Desk, client_of: Callable[[Any], Client]) -> None:
    client, talk = client_of(desk.tenant.owner), desk.begin()
    place = reverse("desk-contact", args=[talk.contact_id])
    assert client.post(place, {"note": "", "content": "Rings <b>back</b>"}).headers["location"] == place
    for page in (place, reverse("desk-conversation", args=[talk.pk])):
        assert "Rings &lt;b&gt;back&lt;/b&gt;" in client.get(page).content.decode()
    [note] = contact_notes.listed(desk.tenant.actor, talk.contact_id)
    client.post(place, {"note": note.pk})
    assert contact_notes.listed(desk.tenant.actor, talk.contact_id) == []
    # What cannot be written down is told.
    text = client.post(place, {"note": "", "content": " "}, follow=True).content.decode()
    assert "A note has 1 to 5000 characters." in text
