"""Domains are proved by a DNS record, asked of a real name server, and belong to one organization."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from django.test import Client

from apps.accounts.models import AuditEntry
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, OutboundFailed
from apps.sso import records, services
from apps.sso.models import Domain
from apps.sso.services.domains import connections_for, owns_address
from tests.apps.sso.conftest import Connect, verified
from tests.helpers.people import Tenant


class NameServer:
    """Answers TXT questions on a port of this machine; `zone` maps names to texts."""

    def __init__(self) -> None:
        self.zone: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.broken = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def serve(self) -> None:
        while True:
            try:
                wire, caller = self._socket.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(wire)).to_wire(), caller)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        name = question.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.zone:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            texts = [f'"{text}"' for text in self.zone[name]]
            answer.answer.append(dns.rrset.from_text_list(f"{name}.", 5, "IN", "TXT", texts))
        return answer

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._socket.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()

    def resolver() -> dns.resolver.Resolver:
        found = dns.resolver.Resolver(configure=False)
        found.nameservers, found.port, found.lifetime = ["127.0.0.1"], server.port, 3.0
        return found

    monkeypatch.setattr(records, "resolver", resolver)
    yield server
    server.close()
    thread.join(5)


def write(names: NameServer, domain: Domain) -> None:
    names.zone[records.record_name(domain.name)] = ["v=spf1 -all", records.record_value(domain.token)]


def test_a_record_proves_a_domain(org_a: Tenant, names: NameServer) -> None:
    domain = services.claim_domain(org_a.actor, " Example.COM. ")
    assert domain.name == "example.com"
    with pytest.raises(InvalidRequest):
        services.verify_domain(org_a.actor, domain.pk)
    write(names, domain)
    assert services.verify_domain(org_a.actor, domain.pk).verified_at
    assert set(names.asked) == {"_millrace-verification.example.com"}
    with tenancy.scope(org_a.id):
        assert AuditEntry.objects.filter(action="sso.domain_verified", object_name="example.com").count() == 1


def test_another_organizations_token_proves_nothing(org_a: Tenant, org_b: Tenant, names: NameServer) -> None:
    mine, theirs = (services.claim_domain(tenant.actor, "example.com") for tenant in (org_a, org_b))
    write(names, theirs)
    with pytest.raises(InvalidRequest):
        services.verify_domain(org_a.actor, mine.pk)


def test_a_domain_belongs_to_one_organization(org_a: Tenant, org_b: Tenant, names: NameServer) -> None:
    """Claims do not block each other; the first to prove it has it until they give it up."""
    mine, theirs = (services.claim_domain(tenant.actor, "example.com") for tenant in (org_a, org_b))
    write(names, mine)
    services.verify_domain(org_a.actor, mine.pk)
    write(names, theirs)
    with pytest.raises(Conflict):
        services.verify_domain(org_b.actor, theirs.pk)
    with tenancy.scope(org_b.id):
        assert not owns_address("ada@example.com")
    services.remove_domain(org_a.actor, mine.pk)
    assert services.verify_domain(org_b.actor, theirs.pk).verified_at


def test_name_servers_that_fail_are_not_a_missing_record(org_a: Tenant, names: NameServer) -> None:
    domain = services.claim_domain(org_a.actor, "example.com")
    names.broken = True
    with pytest.raises(OutboundFailed):
        services.verify_domain(org_a.actor, domain.pk)


@pytest.mark.parametrize(
    "name",
    ["", "example", "-a.example", "a..example", "*.example.com", "localhost", "10.0.0.1", "a b.example", "x" * 300],
)
def test_what_is_no_domain_is_refused(org_a: Tenant, name: str) -> None:
    with pytest.raises(InvalidRequest):
        services.claim_domain(org_a.actor, name)


def test_international_domains_are_kept_in_one_form(org_a: Tenant) -> None:
    assert services.claim_domain(org_a.actor, "Bücher.example").name == "xn--bcher-kva.example"
    assert services.domain_of("ada@bücher.example") == "xn--bcher-kva.example"


def test_an_address_is_owned_only_in_exactly_that_domain(org_a: Tenant) -> None:
    verified(org_a, "example.com")
    with tenancy.scope(org_a.id):
        assert owns_address("Ada@EXAMPLE.com")
        for email in (
            "ada@sub.example.com",
            "ada@example.com.evil.example",
            "ada@notexample.com",
            "example.com",
            "@example.com",
        ):
            assert not owns_address(email)


def test_other_organizations_domains_are_not_there(org_a: Tenant, org_b: Tenant) -> None:
    domain = services.claim_domain(org_a.actor, "example.com")
    for act in (services.verify_domain, services.remove_domain, services.get_domain):
        with pytest.raises(NotFound):
            act(org_b.actor, domain.pk)


# ---------------------------------------------------------------- the sign-in page


def test_the_address_leads_to_its_organizations_connection(acme: Tenant, connect_oidc: Connect, client: Client) -> None:
    connection = connect_oidc(acme)
    answer = client.post("/sso/", {"email": "whoever@org-a.example"})
    assert answer["location"].startswith(f"/sso/start/{connection.pk}/")
    assert "login_hint=whoever" in client.get(answer["location"]).context["url"]


def test_several_connections_are_offered(acme: Tenant, connect_oidc: Connect, client: Client) -> None:
    connect_oidc(acme, name="First"), connect_oidc(acme, name="Second")
    page = client.post("/sso/", {"email": "a@org-a.example"}).content.decode()
    assert "First" in page
    assert "Second" in page


def test_addresses_without_a_connection_are_answered_alike(
    acme: Tenant, org_b: Tenant, connect_oidc: Connect, django_assert_num_queries: Any
) -> None:
    """Known people, unknown people, unknown domains, and organizations that have no connection."""
    verified(org_b, "org-b.example")
    services.switch_connection(acme.actor, connect_oidc(acme).pk, False)
    answers = set()
    for email in (acme.owner.email, "nobody@org-a.example", org_b.owner.email, "x@nowhere.example"):
        answer = Client().post("/sso/", {"email": email})
        page = answer.content.decode().replace(email, "").replace(answer.wsgi_request.META.get("CSRF_COOKIE", "?"), "")
        answers.add((answer.status_code, "No single sign-on is set up" in page, len(page) // 50))
    assert len(answers) == 1


def test_looking_an_address_up_asks_the_same_of_the_database(
    acme: Tenant, connect_oidc: Connect, django_assert_num_queries: Callable[..., Any]
) -> None:
    connect_oidc(acme)
    for email in ("x@org-a.example", "x@nowhere.example", "nonsense"):
        with django_assert_num_queries(6):
            connections_for(email)
