"""Signing in through a real SAML identity provider, and every way in which its answer can be wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from django.test import Client
from lxml import etree

from apps.accounts.access import memberships_of
from apps.accounts.models import AuditEntry, User
from apps.core import tenancy
from apps.sso import places
from apps.sso.models import Connection, UsedAssertion
from tests.apps.sso.conftest import Connect, leave_for, verified
from tests.helpers.people import Tenant
from tests.helpers.saml_provider import NS, IdentityProvider, make_key, shift, sign

EMAIL = "ada@org-a.example"


def deliver(client: Client, connection: Connection, answer: str, state: str = "") -> Any:
    """What the browser does with the provider's page: a POST from another site, and the page that it leads to."""
    sent = client.post(f"/sso/saml/{connection.pk}/acs/", {"SAMLResponse": answer, "RelayState": state})
    return client.get(sent["location"]) if sent.status_code == 303 else sent


class Trip:
    """A sign-in that has been begun in `client`."""

    def __init__(self, client: Client, connection: Connection, idp: IdentityProvider) -> None:
        self.client, self.connection, self.idp = client, connection, idp
        self.request_id, self.state = idp.read_request(leave_for(client, connection))
        self.addresses = places.saml_addresses(connection.pk)

    @property
    def usual(self) -> tuple[str, str, str, str]:
        return self.request_id, self.addresses.acs, self.addresses.entity_id, EMAIL

    def changed(self, change: Callable[[Any], None], **options: Any) -> str:
        return self.idp.answer_changed(change, *self.usual, **options)

    def end(self, answer: str) -> Any:
        return deliver(self.client, self.connection, answer, self.state)


@pytest.fixture
def trip(acme: Tenant, idp: IdentityProvider, connect_saml: Connect, client: Client) -> Trip:
    return Trip(client, connect_saml(acme), idp)


def assert_refused(trip: Trip, answer: Any) -> None:
    assert answer.status_code == 403, answer.content.decode()[:500]
    assert "_auth_user_id" not in trip.client.session
    assert not User.objects.filter(email=EMAIL).exists()
    assert trip.client.get("/dashboard/").status_code == 302


def test_a_signed_assertion_signs_in(acme: Tenant, trip: Trip) -> None:
    answer = trip.end(trip.idp.answer(*trip.usual))
    assert (answer.status_code, answer["location"]) == (302, "/dashboard/")
    user = User.objects.get(email=EMAIL)
    assert user.name == "Ada Lovelace"
    assert memberships_of(user)[0].organization_id == acme.id
    assert trip.client.get("/dashboard/").status_code == 200


def test_the_helper_signs_what_is_accepted_unchanged(trip: Trip) -> None:
    """Without this, the refusals below might be refusals of the helper's own signature."""
    assert trip.end(trip.changed(lambda tree: None)).status_code == 302


def test_an_answer_is_accepted_once(acme: Tenant, trip: Trip, idp: IdentityProvider) -> None:
    answer = trip.idp.answer(*trip.usual)
    assert trip.end(answer).status_code == 302
    assert trip.end(answer).status_code == 403
    with tenancy.scope(acme.id):
        assert UsedAssertion.objects.count() == 1


def test_a_replay_that_nobody_asked_for_is_refused(
    acme: Tenant, idp: IdentityProvider, connect_saml: Connect, client: Client
) -> None:
    """Where answers need no request, only the memory of used assertions stands between."""
    connection = connect_saml(acme, allow_idp_initiated=True)
    addresses = places.saml_addresses(connection.pk)
    answer = idp.answer(None, addresses.acs, addresses.entity_id, EMAIL)
    assert deliver(client, connection, answer).status_code == 302
    thief = Client()
    assert deliver(thief, connection, answer).status_code == 403
    assert "_auth_user_id" not in thief.session


# ---------------------------------------------------------------- what is wrong with an answer


def _each(tree: Any, path: str) -> list[Any]:
    return list(tree.iterfind(path, NS))


def _drop(path: str) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        for element in _each(tree, path):
            element.getparent().remove(element)

    return change


def _set(path: str, name: str, value: str | None) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        for element in _each(tree, path) if path else [tree]:
            if value is None:
                element.attrib.pop(name, None)
            else:
                element.set(name, value)

    return change


def _write(path: str, text: str) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        for element in _each(tree, path):
            element.text = text

    return change


DATA = "saml:Assertion/saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"
AUDIENCE = "saml:Assertion/saml:Conditions/saml:AudienceRestriction"
WRONG: dict[str, Callable[[Any], None]] = {
    "expired": lambda tree: shift(tree, timedelta(hours=-2)),
    "not yet valid": lambda tree: shift(tree, timedelta(hours=2)),
    "another audience": _write(f"{AUDIENCE}/saml:Audience", "https://another.example"),
    "no audience": _drop(AUDIENCE),
    "no conditions": _drop("saml:Assertion/saml:Conditions"),
    "another recipient": _set(DATA, "Recipient", "https://another.example/acs"),
    "a recipient that contains ours": lambda tree: _set(
        DATA, "Recipient", f"https://evil.example/?{_each(tree, DATA)[0].get('Recipient')}"
    )(tree),
    "no recipient": _set(DATA, "Recipient", None),
    "no end": _set(DATA, "NotOnOrAfter", None),
    "an end without a zone": _set(DATA, "NotOnOrAfter", "2099-01-01T00:00:00"),
    "an end far away": _set(DATA, "NotOnOrAfter", "2099-01-01T00:00:00Z"),
    "another method": _set(
        "saml:Assertion/saml:Subject/saml:SubjectConfirmation",
        "Method",
        "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches",
    ),
    "another destination": _set("", "Destination", "https://another.example/acs"),
    "a destination that begins like ours": lambda tree: tree.set("Destination", tree.get("Destination") + "evil/"),
    "another request": _set("", "InResponseTo", "id-of-another"),
    "no request": lambda tree: (_set("", "InResponseTo", None)(tree), _set(DATA, "InResponseTo", None)(tree)),  # type: ignore[func-returns-value]
    "another request in the assertion": _set(DATA, "InResponseTo", "id-of-another"),
    "no request in the assertion": _set(DATA, "InResponseTo", None),
    "another issuer": _write("saml:Assertion/saml:Issuer", "https://another.example"),
    "another issuer of the response": _write("saml:Issuer", "https://another.example"),
    "no authentication": _drop("saml:Assertion/saml:AuthnStatement"),
    "nobody": _drop("saml:Assertion/saml:Subject/saml:NameID"),
    "no success": _set("samlp:Status/samlp:StatusCode", "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder"),
    "an address elsewhere": lambda tree: (
        [setattr(value, "text", "owner@org-b.example") for value in _each(tree, ".//saml:AttributeValue")] and None
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_answer_that_is_wrong_is_refused_though_it_is_signed(trip: Trip, what: str) -> None:
    assert_refused(trip, trip.end(trip.changed(WRONG[what])))


def test_a_refusal_is_in_the_audit_trail_with_its_reason(acme: Tenant, trip: Trip) -> None:
    trip.end(trip.changed(WRONG["another audience"]))
    with tenancy.scope(acme.id):
        [entry] = AuditEntry.objects.filter(action="sso.refused")
    assert "audience" in entry.detail["reason"]


# ---------------------------------------------------------------- signatures


def test_an_unsigned_assertion_is_refused(trip: Trip) -> None:
    unsigned = trip.changed(lambda tree: None, after=_drop("saml:Assertion/ds:Signature"))
    assert_refused(trip, trip.end(unsigned))


def test_a_signed_response_around_an_unsigned_assertion_is_refused(trip: Trip) -> None:
    def only_outside(tree: Any) -> None:
        _drop("saml:Assertion/ds:Signature")(tree)
        sign(tree, trip.idp.key_file)

    assert_refused(trip, trip.end(trip.changed(lambda tree: None, after=only_outside)))


def test_another_key_is_refused(trip: Trip, tmp_path: Path) -> None:
    other, _ = make_key(tmp_path, "mallory")
    assert_refused(trip, trip.end(trip.changed(lambda tree: None, key_file=other)))


def test_what_is_changed_after_signing_is_refused(trip: Trip) -> None:
    changed = trip.changed(lambda tree: None, after=_write(".//saml:AttributeValue", "owner@org-a.example"))
    assert_refused(trip, trip.end(changed))


@pytest.mark.parametrize(
    "algorithms",
    [{"method": xmlsec.Transform.RSA_SHA1}, {"digest": xmlsec.Transform.SHA1}],
    ids=["signature", "digest"],
)
def test_outworn_algorithms_are_refused(trip: Trip, algorithms: dict[str, Any]) -> None:
    assert_refused(trip, trip.end(trip.changed(lambda tree: None, **algorithms)))


def _forged(tree: Any) -> tuple[Any, Any]:
    """The genuine, signed assertion and a copy of it that speaks of the owner and carries no signature."""
    genuine = tree.find("saml:Assertion", NS)
    forged = deepcopy(genuine)
    forged.remove(forged.find("ds:Signature", NS))
    for value in forged.iterfind(".//saml:AttributeValue", NS):
        value.text = "owner@org-a.example"
    forged.find("saml:Subject/saml:NameID", NS).text = "owner@org-a.example"
    return genuine, forged


def _before(tree: Any) -> None:
    genuine, forged = _forged(tree)
    forged.set("ID", "forged")
    genuine.addprevious(forged)


def _same_id(tree: Any) -> None:
    genuine, forged = _forged(tree)
    genuine.addprevious(forged)


def _genuine_inside_forged(tree: Any) -> None:
    genuine, forged = _forged(tree)
    forged.set("ID", "forged")
    tree.replace(genuine, forged)
    forged.append(genuine)


def _genuine_in_the_forgeds_signature(tree: Any) -> None:
    genuine, forged = _forged(tree)
    forged.set("ID", "forged")
    signature = genuine.find("ds:Signature", NS)
    tree.replace(genuine, forged)
    forged.insert(1, signature)
    holder = etree.SubElement(signature, f"{{{NS['ds']}}}Object")
    holder.append(genuine)


def _genuine_in_extensions(tree: Any) -> None:
    genuine, forged = _forged(tree)
    forged.set("ID", "forged")
    tree.replace(genuine, forged)
    extensions = etree.Element(f"{{{NS['samlp']}}}Extensions")
    extensions.append(genuine)
    tree.insert(1, extensions)


def _response_inside_response(tree: Any) -> None:
    genuine, forged = _forged(tree)
    inner = deepcopy(tree)
    forged.set("ID", "forged")
    tree.replace(genuine, forged)
    extensions = etree.Element(f"{{{NS['samlp']}}}Extensions")
    extensions.append(inner)
    tree.insert(1, extensions)


WRAPPINGS = [
    _before,
    _same_id,
    _genuine_inside_forged,
    _genuine_in_the_forgeds_signature,
    _genuine_in_extensions,
    _response_inside_response,
]


@pytest.mark.parametrize("wrap", WRAPPINGS, ids=lambda wrap: wrap.__name__.strip("_"))
def test_signature_wrapping_is_refused(trip: Trip, wrap: Callable[[Any], None]) -> None:
    assert_refused(trip, trip.end(trip.changed(lambda tree: None, after=wrap)))


def test_a_comment_does_not_cut_an_address_short(acme: Tenant, trip: Trip) -> None:
    """`ada@org-a.example<!---->.evil.example` is one text, or none: never the part before the comment."""

    def cut(tree: Any) -> None:
        for value in tree.iterfind(".//saml:AttributeValue", NS):
            value.text = EMAIL
            comment = etree.Comment("")
            comment.tail = ".evil.example"
            value.append(comment)

    assert_refused(trip, trip.end(trip.changed(cut)))


@pytest.mark.parametrize(
    "document",
    [
        b"not xml",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        b"<a/>",
        b"",
        b"<samlp:Response xmlns:samlp='urn:oasis:names:tc:SAML:2.0:protocol' ID='x' Version='2.0'/>",
    ],
    ids=["text", "entity", "element", "nothing", "empty response"],
)
def test_what_is_no_answer_is_refused(trip: Trip, document: bytes) -> None:
    assert_refused(trip, trip.end(base64.b64encode(document).decode()))
    assert_refused(trip, trip.end("%%%"))


# ---------------------------------------------------------------- whose answer, and whose browser


def test_another_browser_cannot_use_the_answer(trip: Trip) -> None:
    answer = trip.idp.answer(*trip.usual)
    thief = Client()
    assert deliver(thief, trip.connection, answer, trip.state).status_code == 403
    assert "_auth_user_id" not in thief.session


def test_an_answer_to_another_request_of_the_same_browser_is_refused(trip: Trip) -> None:
    second = Trip(trip.client, trip.connection, trip.idp)
    assert_refused(trip, second.end(trip.idp.answer(*trip.usual)))


def test_an_answer_for_another_organizations_connection_is_refused(
    acme: Tenant, org_b: Tenant, trip: Trip, connect_saml: Connect
) -> None:
    """The same identity provider serves both; what it says to one is worth nothing to the other."""
    verified(org_b, "org-b.example")
    theirs = connect_saml(org_b)
    answer = trip.idp.answer(*trip.usual)
    assert_refused(trip, deliver(trip.client, theirs, answer, trip.state))
    other = Trip(trip.client, theirs, trip.idp)
    assert_refused(
        trip, other.end(trip.idp.answer(other.request_id, trip.addresses.acs, trip.addresses.entity_id, EMAIL))
    )


def test_another_organizations_provider_cannot_speak_for_this_ones_people(
    acme: Tenant, org_b: Tenant, connect_saml: Connect, tmp_path: Path, client: Client
) -> None:
    evil = IdentityProvider(tmp_path, "evil")
    verified(org_b, "org-b.example")
    trip = Trip(client, connect_saml(org_b, evil), evil)
    assert (
        trip.end(
            evil.answer(trip.request_id, trip.addresses.acs, trip.addresses.entity_id, acme.owner.email)
        ).status_code
        == 403
    )
    assert "_auth_user_id" not in client.session


def test_an_answer_that_nobody_asked_for_needs_the_connections_leave(trip: Trip) -> None:
    answer = trip.idp.answer(None, trip.addresses.acs, trip.addresses.entity_id, EMAIL)
    assert_refused(trip, deliver(trip.client, trip.connection, answer))


def test_a_ticket_is_good_once_and_for_its_connection(trip: Trip) -> None:
    sent = trip.client.post(
        f"/sso/saml/{trip.connection.pk}/acs/",
        {"SAMLResponse": trip.idp.answer(*trip.usual), "RelayState": trip.state},
    )
    assert trip.client.get(sent["location"]).status_code == 302
    assert Client().get(sent["location"]).status_code == 403
    assert Client().get(f"/sso/saml/{trip.connection.pk}/finish/?ticket=x").status_code == 403
