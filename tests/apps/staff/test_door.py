"""The door of the staff console, tried at every one of its addresses by everybody who must not come in."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.accounts.models import Organization, User
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants
from apps.market.models import Sponsor
from apps.registry.models import ModelVersion
from apps.staff.abilities import SUPPORT
from tests.helpers.money import give, make_exchange, make_invoice, make_order, make_payment, make_price
from tests.helpers.people import PASSWORD, Tenant
from tests.helpers.staff import browser_of, make_staff
from tests.helpers.studio import ask
from tests.helpers.world import Side, fill

pytestmark = pytest.mark.django_db


def staff_routes(patterns: Any = None) -> Iterator[URLPattern]:
    [everything] = get_resolver().url_patterns
    [resolver] = [r for r in everything.url_patterns if getattr(r, "namespace", None) == "staff"]
    for pattern in patterns if patterns is not None else resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from staff_routes(pattern.url_patterns)
        else:
            yield pattern


NAMES = sorted({str(route.name) for route in staff_routes()})


@pytest.fixture
def rows(org_a: Tenant, model: ModelVersion) -> Tenant:
    ask(org_a)
    give(org_a, make_price(1_000, 0, "USD"))
    make_invoice(org_a, 1_000, "USD")
    make_payment(org_a, 1_000, "USD", timezone.now(), order=make_order(org_a, 1_000, "USD"))
    make_exchange(org_a)
    now = timezone.now()
    about = {"title": "A notice", "text": "Of nobody.", "link": "https://example.com/", "starts_at": now}
    Sponsor.objects.create(ends_at=now + timedelta(days=1), **about)
    fill(Side(org_a, "Door", org_a.member))
    return org_a


def url_of(name: str, tenant: Tenant) -> str:
    [(_path, places), *_] = get_resolver().namespace_dict["staff"][1].reverse_dict.getlist(name)[0][0:1][0]
    ids: dict[str, Any] = {"app_label": "accounts", "name": "maintenance_notice"}
    if "object_id" in places:
        app, model_name = name.split("_")[:2]
        model = apps.get_model(app, model_name)
        with across_tenants(Across.OPERATE):
            ids["object_id"] = model._default_manager.first().pk
    return reverse(f"staff:{name}", kwargs={place: ids[place] for place in places})


def page(client: Client, path: str) -> tuple[int, str, str]:
    """What is answered, without the request's own id, form token and address."""
    answer = client.get(path)
    text = re.sub(r'req_[0-9a-f]{32}|data-csrf="[^"]*"|value="[^"]{64}"', "", answer.text)
    return answer.status_code, text.replace(path, ""), answer["content-security-policy"]


def test_nobody_comes_in_who_should_not(rows: Tenant) -> None:
    person = make_staff()
    customers = [browser_of(rows.member), browser_of(rows.owner)]
    half, elsewhere = browser_of(person, second_factor=False), browser_of(person, address="203.0.113.9")
    for name, method in product(NAMES, ("get", "post")):
        url, what = url_of(name, rows), f"{method} {name}"
        anonymous = getattr(Client(), method)(url)
        assert anonymous.status_code == 302, what
        assert anonymous.url.startswith(reverse("account_login")), what
        for stranger in (*customers, elsewhere):
            assert getattr(stranger, method)(url).status_code == 404, what
        answer = getattr(half, method)(url)
        assert answer.status_code == 302, what
        assert answer.url.startswith(reverse("mfa_reauthenticate")), what


def test_staff_comes_in(rows: Tenant) -> None:
    """Without this, a door that is shut to everybody would pass."""
    staff = browser_of(make_staff())
    found = {name: staff.get(url_of(name, rows)).status_code for name in NAMES if name != "logout"}
    assert len(found) > 30
    assert found == {name: 302 if name == "password_change" else 200 for name in found}
    assert staff.get(url_of("logout", rows)).status_code == 200


@pytest.mark.parametrize("path", ["/staff/", "/staff", "/staff/health/", "/staff/accounts/user/", "/staff/nothing/"])
def test_from_elsewhere_the_console_is_like_any_page_that_is_not_there(path: str, org_a: Tenant) -> None:
    for client in (browser_of(make_staff(), address="203.0.113.9"), Client(REMOTE_ADDR="203.0.113.9")):
        assert page(client, path) == page(client, path.replace("/staff", "/stuff"))
        assert page(client, path)[0] == 404


def test_customers_are_told_the_same_as_at_a_missing_page(org_a: Tenant) -> None:
    client = browser_of(org_a.owner)
    assert page(client, "/staff/") == page(client, "/stuff/")


def test_staff_without_a_second_factor_is_led_to_set_one_up(db: None) -> None:
    person = make_staff()
    person.authenticator_set.all().delete()
    answer = browser_of(person, second_factor=False).get("/staff/")
    assert answer.url == reverse("mfa_index")


def test_staff_signs_in_where_everybody_does_and_comes_back(db: None) -> None:
    """Django's own sign-in form, which has no limits, does not exist."""
    make_staff()
    client = Client()
    assert client.get("/staff/login/").status_code == 404
    answer = client.get("/staff/")
    assert answer.url == f"{reverse('account_login')}?next=/staff/"
    answer = client.post(answer.url, {"login": "staff@operator.example", "password": PASSWORD})
    assert answer.url.startswith(reverse("mfa_authenticate"))


def test_a_proxy_that_is_not_ours_cannot_lend_its_address(db: None) -> None:
    client = browser_of(make_staff(), address="203.0.113.9")
    assert client.get("/staff/", headers={"x-forwarded-for": "127.0.0.1"}).status_code == 404


def test_networks_are_read_from_the_setting(db: None, settings: Any) -> None:
    from apps.core.callers import networks

    settings.STAFF_ADDRESSES = networks(["203.0.113.0/24", "2001:db8::/32"])
    person = make_staff()
    for address, status in (("203.0.113.9", 200), ("2001:db8::5", 200), ("127.0.0.1", 404), ("198.51.100.1", 404)):
        assert browser_of(person, address=address).get("/staff/").status_code == status


def test_a_deactivated_member_of_staff_is_out(db: None) -> None:
    person = make_staff()
    client = browser_of(person)
    assert client.get("/staff/").status_code == 200
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert client.get("/staff/").status_code == 302


def test_support_reads_and_does_not_operate(rows: Tenant) -> None:
    client = browser_of(make_staff(group=SUPPORT))
    assert client.get(url_of("accounts_organization_changelist", rows)).status_code == 200
    for name in ("accounts_organization_change_plan", "accounts_user_disable", "accounts_apikey_revoke", "switch"):
        assert client.get(url_of(name, rows)).status_code == 403
        assert client.post(url_of(name, rows), {"reason": "because"}).status_code == 403


def test_staff_in_no_group_sees_no_rows(rows: Tenant) -> None:
    client = browser_of(make_staff(group=""))
    for name in ("accounts_organization_changelist", "studio_generation_changelist", "queues", "health", "switches"):
        assert client.get(url_of(name, rows)).status_code == 403


def test_nothing_is_written_by_the_admins_own_forms(rows: Tenant) -> None:
    """Every write is an act that calls a service: a form of Django's would pass permission and audit by."""
    client = browser_of(make_staff(is_superuser=True))
    url = url_of("accounts_organization_change", rows)
    assert client.post(url, {"name": "Another", "slug": "another", "language": "en"}).status_code == 403
    url = url_of("accounts_organization_changelist", rows)
    client.post(url, {"action": "delete_selected", "_selected_action": [str(rows.id)], "post": "yes"})
    with tenancy.scope(rows.id):
        assert Organization.objects.get().name == rows.organization.name


def test_the_policy_is_relaxed_for_the_console_and_nowhere_else(org_a: Tenant) -> None:
    client = browser_of(make_staff())
    policy = client.get("/staff/")["content-security-policy"]
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "unsafe" not in client.get("/")["content-security-policy"]
    assert "unsafe" not in client.get("/staff/nothing/")["content-security-policy"]
