"""What holds for every address alike; who may use which is in test_authorization."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.helpers.people import Tenant


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/v1/nothing", "/studio/not-a-uuid/", "/api/v1/generations/x"]
)
def test_a_missing_address_is_404_in_its_own_convention(path: str, org_a: Tenant) -> None:
    response = Client(raise_request_exception=False).get(path, headers=org_a.bearer)
    assert response.status_code == 404
    is_json = response["content-type"].startswith("application/json")
    assert is_json == path.startswith(("/api/", "/v1/"))
    if is_json:
        assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("name", ["home", "pricing", "account_login", "account_signup", "api-docs"])
def test_pages_hold_to_the_policy(name: str, db: None) -> None:
    response = Client().get(reverse(name))
    assert response.status_code == 200
    policy = response["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self'" in policy
    assert response["x-frame-options"] == "DENY"
