"""Identity providers to test with, and organizations that have connected them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.core import tenancy
from apps.sso import services
from apps.sso.models import Connection, Domain
from tests.helpers.oidc_provider import Provider, running_provider
from tests.helpers.people import Tenant, make_user
from tests.helpers.saml_provider import IdentityProvider

CLIENT_SECRET = "the client's secret +/%&"


@pytest.fixture(scope="session")
def _running() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(_running: Provider) -> Iterator[Provider]:
    """A provider that tells the truth, until a test makes it lie."""
    honest = dict(vars(_running))
    _running.requests.clear()
    yield _running
    vars(_running).update(honest)


@pytest.fixture(scope="session")
def idp(tmp_path_factory: pytest.TempPathFactory) -> IdentityProvider:
    return IdentityProvider(tmp_path_factory.mktemp("idp"))


@pytest.fixture(autouse=True)
def _private_providers(settings: Any) -> None:
    """The providers of these tests run on this machine."""
    settings.OUTBOUND_ALLOW_PRIVATE = True


def verified(tenant: Tenant, name: str) -> Domain:
    """A domain of the organization, verified without asking DNS."""
    domain = services.claim_domain(tenant.actor, name)
    with tenancy.scope(tenant.id):
        Domain.objects.filter(pk=domain.pk).update(verified_at=timezone.now())
    return domain


Connect = Callable[..., Connection]


@pytest.fixture
def connect_oidc(provider: Provider) -> Connect:
    def connect(tenant: Tenant, **mapping: Any) -> Connection:
        wanted = services.Mapping(**{"name": "Okta", **mapping})
        connection = services.create_oidc(tenant.actor, wanted, provider.issuer, "millrace", CLIENT_SECRET)
        return services.switch_connection(tenant.actor, connection.pk, True)

    return connect


@pytest.fixture
def connect_saml(idp: IdentityProvider) -> Connect:
    def connect(tenant: Tenant, provider: IdentityProvider = idp, **mapping: Any) -> Connection:
        wanted = services.Mapping(**{"name": "ADFS", **mapping})
        connection = services.create_saml(tenant.actor, wanted, provider.metadata)
        return services.switch_connection(tenant.actor, connection.pk, True)

    return connect


@pytest.fixture
def acme(org_a: Tenant) -> Tenant:
    """org_a, which has verified its domain."""
    verified(org_a, "org-a.example")
    return org_a


def person(email: str) -> User:
    """Somebody with a confirmed address."""
    from allauth.account.models import EmailAddress

    user = make_user(email)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def confirm(user: User) -> None:
    from allauth.account.models import EmailAddress

    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)


def leave_for(client: Client, connection: Connection, next: str = "") -> str:
    """Begins in this browser; returns the provider's address that the page leads to."""
    page = client.get(f"/sso/start/{connection.pk}/", {"next": next})
    assert page.status_code == 200, page.content
    return str(page.context["url"])


def back(client: Client, location: str) -> Any:
    """Comes back to an address of ours."""
    return client.get(location.split("8000", 1)[1])


def through_oidc(client: Client, provider: Provider, connection: Connection, subject: str, **claims: Any) -> Any:
    """A whole sign-in through the provider; returns our last answer."""
    if claims:
        provider.set_user(subject, **claims)
    return back(client, provider.approve(leave_for(client, connection), subject))


@pytest.fixture
def connection(acme: Tenant, connect_oidc: Connect) -> Connection:
    for person in (acme.owner, acme.admin, acme.member):
        confirm(person)
    return connect_oidc(acme)


@pytest.fixture
def strict(acme: Tenant, connection: Connection) -> Tenant:
    """An organization that demands single sign-on of everybody."""
    from tests.apps.sso.policies import demand

    demand(acme, sso_required=True)
    return acme
