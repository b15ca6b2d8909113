"""The console's pages of licences."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import ml.licensing as files
from apps.core import tenancy
from apps.licensing import services as licensing
from apps.licensing.models import HeldLicence, Licence, Policy
from ml.licensing import Status, TrustAnchors, verify
from tests.helpers.licensing import MACHINE, fresh, issue, make_policy, sign
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db
LIST = "/settings/licences/"
Browser = Callable[[Any], Client]


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_a_vendor_who_has_nothing_is_told_where_to_begin(org_a: Tenant, client_of: Browser) -> None:
    browser = client_of(org_a.owner)
    assert "Begin with a product" in text_of(browser.get(LIST))
    assert "Nothing to license yet" in text_of(browser.get(f"{LIST}new/"))
    assert "No products yet" in text_of(browser.get(f"{LIST}products/"))
    assert "No requests yet" in text_of(browser.get(f"{LIST}requests/"))
    assert "You hold no licences" in text_of(browser.get(f"{LIST}held/"))


def test_from_product_to_file(org_a: Tenant, client_of: Browser) -> None:
    browser = client_of(org_a.owner)
    assert browser.post(f"{LIST}products/", {"name": "Writer", "code": "writer"}).status_code == 302
    product = re.search(r"products/([0-9a-f-]{36})/policies/", browser.get(f"{LIST}products/").content.decode())
    assert product is not None
    terms = {"name": "Team", "days": "365", "seats": "25", "entitlements": "fine_tuning support", "price": "99.50"}
    terms |= {"currency": "eur", "artefacts": f"{'0' * 64}  weights/model.safetensors\n"}
    assert browser.post(f"{LIST}products/{product[1]}/policies/", terms).status_code == 302
    with tenancy.scope(org_a.id):
        policy = Policy.objects.get()
    assert (policy.price_minor, policy.currency, policy.entitlements) == (9950, "EUR", ["fine_tuning", "support"])
    assert policy.artefacts == [{"path": "weights/model.safetensors", "sha256": "0" * 64}]
    shown = browser.get(f"{LIST}policies/{policy.pk}/")
    assert shown.context["form"].initial["price"] * 100 == 9950
    body = {"policy": str(policy.pk), "licensee": "Contoso", "email": "it@contoso.example"}
    answer = browser.post(f"{LIST}new/", body)
    assert answer.status_code == 302
    assert "lk_" not in str(dict(browser.session))
    answer = browser.get(answer["location"])
    key = re.search(r'id="secret">(lk_[^<]+)<', answer.content.decode())
    assert key is not None
    with tenancy.scope(org_a.id):
        licence = Licence.objects.get()
    page = f"{LIST}{licence.pk}/"
    # A reload shows it no more, and issues nothing.
    assert 'id="secret"' not in browser.get(page).content.decode()
    assert browser.get(f"{page}file/").status_code == 404
    sign()
    answer = browser.get(page)
    assert key[1] not in answer.content.decode()
    assert "Contoso" in text_of(answer)
    anchors = TrustAnchors.parse(browser.get(f"{LIST}anchors/").content)
    found = verify(browser.get(f"{page}file/").content, anchors)
    assert found.status is Status.VALID
    assert found.licence is not None
    assert found.licence.seats == 25


def test_wrong_terms_are_told_at_their_field(org_a: Tenant, client_of: Browser) -> None:
    policy = make_policy(org_a)
    browser = client_of(org_a.owner)
    answer = browser.post(f"{LIST}policies/{policy.pk}/", {"name": "Team", "artefacts": "nonsense"})
    assert answer.status_code == 422
    assert "artefacts" in answer.context["form"].errors
    answer = browser.post(f"{LIST}policies/{policy.pk}/", {"name": "Team", "price": "3"})
    assert "currency" in answer.context["form"].errors
    for price, currency in (("5.5", "ISK"), ("0.5", "jpy"), ("1.2345", "EUR"), ("1.005", "KWD")):
        answer = browser.post(f"{LIST}policies/{policy.pk}/", {"name": "Team", "price": price, "currency": currency})
        assert "multiples of" in str(answer.context["form"].errors["price"]), currency
    answer = browser.post(f"{LIST}products/", {"name": "Again", "code": "writer-7b"})
    assert "code" in answer.context["form"].errors


def test_the_list_is_searched_filtered_and_paged_in_few_queries(org_a: Tenant, client_of: Browser) -> None:
    policy = make_policy(org_a)
    for number in range(30):
        licensing.issue_licence(org_a.actor, policy.pk, f"Company {number:02}", f"c{number}@example.com")
    with tenancy.scope(org_a.id):
        last = Licence.objects.order_by("id").last()
    licensing.revoke(org_a.actor, last.pk, "Unpaid")
    browser = client_of(org_a.owner)
    browser.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(LIST)
    assert len([q for q in queries if q["sql"].startswith(("SELECT", "UPDATE", "INSERT"))]) <= 12
    assert len(answer.context["page"].rows) == 25
    second = browser.get(f"{LIST}?before={answer.context['page'].next}")
    assert len(second.context["page"].rows) == 5
    assert [row.licensee for row in browser.get(f"{LIST}?search=company+07").context["page"].rows] == ["Company 07"]
    assert [row.pk for row in browser.get(f"{LIST}?state=revoked").context["page"].rows] == [last.pk]
    assert len(browser.get(f"{LIST}?state=nonsense").context["page"].rows) == 25
    assert browser.get(f"{LIST}?search=%00").status_code == 400
    assert "No licence like this" in text_of(browser.get(f"{LIST}?search=nobody"))


def test_a_licence_is_renewed_suspended_transferred_and_revoked_by_name(org_a: Tenant, client_of: Browser) -> None:
    licence, _ = issue(org_a)
    page, browser = f"{LIST}{licence.pk}/", client_of(org_a.owner)
    ends = fresh(licence).expires_at
    assert browser.post(page, {"act": "renew", "days": "10"}).status_code == 302
    assert (fresh(licence).expires_at - ends).days == 10
    assert browser.post(page, {"act": "renew", "days": "0"}).status_code == 422
    browser.post(page, {"act": "suspend", "reason": "Under review"})
    assert fresh(licence).state == "suspended"
    assert "Under review" in text_of(browser.get(page))
    browser.post(page, {"act": "reinstate"})
    transfer = {"act": "transfer", "licensee": "Fabrikam", "email": "it@fabrikam.example"}
    for values in (transfer, {"act": "key"}):
        assert browser.post(page, values).status_code == 302
        assert 'id="secret">lk_' in browser.get(page).content.decode()
    assert browser.post(f"{page}revoke/", {"name": "Contoso", "reason": "Unpaid"}).status_code == 422
    assert browser.post(f"{page}revoke/", {"name": "Fabrikam", "reason": ""}).status_code == 422
    assert fresh(licence).state == "active"
    assert browser.post(f"{page}revoke/", {"name": "Fabrikam", "reason": "Unpaid"}).status_code == 302
    sign()
    assert fresh(licence).state == "revoked"
    assert browser.get(f"{LIST}revocations/").content.startswith(b"-----BEGIN REVOCATION LIST-----")


def test_a_request_file_is_uploaded_or_pasted_and_answered(org_a: Tenant, client_of: Browser) -> None:
    licence, key = issue(org_a)
    browser = client_of(org_a.owner)
    data = files.make_request(key, str(org_a.id), MACHINE, "island", datetime.now(UTC))
    upload = SimpleUploadedFile("request.txt", data)
    assert browser.post(f"{LIST}requests/", {"file": upload}).status_code == 302
    pasted = data.decode().replace("\n", "\r\n")
    assert browser.post(f"{LIST}requests/", {"text": pasted}).status_code == 302
    wrong = browser.post(f"{LIST}requests/", {"text": pasted[:-40]})
    assert wrong.status_code == 422
    assert "Being signed" in text_of(browser.get(f"{LIST}requests/"))
    sign()
    found = re.findall(r"requests/([0-9a-f-]{36})/", browser.get(f"{LIST}requests/").content.decode())
    assert len(found) == 2
    response = browser.get(f"{LIST}requests/{found[0]}/").content
    anchors = TrustAnchors.parse(licensing.anchors_of(org_a.id))
    _response, inside = files.apply(response, files.read_request(data), anchors)
    assert inside.machines == (MACHINE,)
    page = f"{LIST}{licence.pk}/"
    assert "island" in text_of(browser.get(page))
    machine = re.search(r"machines/([0-9a-f-]{36})/", browser.get(page).content.decode())
    assert machine is not None
    browser.post(f"{page}machines/{machine[1]}/")
    assert "released" in text_of(browser.get(page))


def test_floating_seats_in_use_are_shown(org_a: Tenant, client_of: Browser) -> None:
    licence, key = issue(org_a, make_policy(org_a, floating=True))
    browser = client_of(org_a.owner)
    assert "No seat is in use" in text_of(browser.get(f"{LIST}{licence.pk}/"))
    licensing.take_seat(licensing.admit(key, "192.0.2.1").actor, licence.pk, "alice@contoso.example")
    assert "alice@contoso.example" in text_of(browser.get(f"{LIST}{licence.pk}/"))


def test_outsiders_members_and_other_organizations_see_nothing(
    org_a: Tenant, org_b: Tenant, outsider: Any, client_of: Browser
) -> None:
    licence, _ = issue(org_a)
    sign()
    for path in (f"{LIST}{licence.pk}/", f"{LIST}{licence.pk}/file/", f"{LIST}{licence.pk}/revoke/"):
        assert client_of(org_b.owner).get(path).status_code == 404
        assert client_of(org_a.member).get(path).status_code == 403
        assert client_of(outsider).get(path).status_code == 404
        assert Client().get(path).status_code == 302
    assert "Contoso" not in text_of(client_of(org_b.owner).get(LIST))


def test_the_holder_sees_its_licence_makes_a_key_and_downloads(
    org_a: Tenant, org_b: Tenant, client_of: Browser
) -> None:
    licence, _ = issue(org_a, make_policy(org_a, machine_bound=False))
    sign()
    names = {"vendor_name": "Org-A", "product_name": "Writer 7B", "policy_name": "Team"}
    with tenancy.scope(org_a.id):
        Licence.objects.update(holder_id=org_b.id)
    with tenancy.scope(org_b.id):
        held = HeldLicence.objects.create(organization_id=org_b.id, vendor_id=org_a.id, licence_id=licence.pk, **names)
    browser, page = client_of(org_b.owner), f"{LIST}held/{held.pk}/"
    assert "Writer 7B" in text_of(browser.get(f"{LIST}held/"))
    assert browser.post(page, {"act": "key"}).status_code == 302
    assert 'id="secret">lk_' in browser.get(page).content.decode()
    assert 'id="secret"' not in browser.get(page).content.decode()
    assert browser.post(page, {"act": "sign"}).status_code == 302
    assert browser.get(f"{page}file/").content.decode() == fresh(licence).file
    assert client_of(org_a.owner).get(page).status_code == 404
