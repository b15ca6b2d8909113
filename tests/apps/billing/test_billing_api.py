"""Plans and payments over REST: the same services, and the same answer for whoever may not."""

from typing import Any

import pytest
from django.test import Client

from apps.accounts import services as accounts
from apps.billing import services as billing
from apps.billing.models import Order
from apps.core import tenancy
from tests.helpers.billing import forget_trial, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = "/api/v1/billing"


def api(tenant: Tenant, *scopes: str) -> Any:
    """Calls with a key of the owner's that has these scopes; returns status and body."""
    _key, secret = accounts.create_api_key(tenant.actor, "billing", list(scopes))

    def call(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        given = {"data": body, "content_type": "application/json"} if body is not None else {}
        answer = getattr(Client(), method)(
            f"{ROOT}{path}", **given, headers={"authorization": f"Bearer {secret}", **headers}
        )
        return answer.status_code, answer.json()

    return call


def test_a_program_takes_previews_changes_and_ends_a_plan(payments: Simulator, org_a: Tenant) -> None:
    call = api(org_a, "billing:read", "billing:manage")
    forget_trial(org_a)
    status, found = call("get", "/subscription")
    assert (status, found["plan"], found["status"], found["access"]) == (200, "free", "free", "free")
    wanted = {"plan": "pro", "interval": "year", "seats": 4}
    status, page = call("post", "/subscription/checkout", wanted)
    assert (status, page["trial_days"]) == (200, 0)
    assert call("post", "/subscription/checkout", wanted)[1]["id"] == page["id"]
    session = payments.client.v1.checkout.sessions.list({}).data[0].id
    payments.pay(session)
    billing.settle_checkout(org_a.id, page["id"])
    status, found = call("get", "/subscription")
    assert (found["plan"], found["status"], found["seats"]["total"]) == ("pro", "active", 4)

    _status, older = call("post", "/subscription/preview", {"seats": 8})
    status, shown = call("post", "/subscription/preview", {"seats": 6})
    assert status == 200
    assert shown["due_now_minor"] == shown["total_minor"] == sum(line["amount_minor"] for line in shown["lines"])
    for _again in range(2):  # sent twice, it is made and charged once
        status, found = call("patch", "/subscription", {"token": shown["token"]})
        assert (status, found["seats"]["total"]) == (200, 6)
    status, refused = call("patch", "/subscription", {"token": older["token"]})
    assert (status, refused["error"]["code"]) == (409, "preview_outdated")
    _status, invoices = call("get", "/invoices")
    assert [one["total_minor"] for one in invoices["data"]] == [shown["total_minor"], 29_000 + 9_000]

    assert call("post", "/subscription/cancel", {"reason": ""})[1]["cancel_at"] is not None
    assert call("post", "/subscription/keep")[1]["cancel_at"] is None
    assert call("post", "/subscription/pause", {"months": 1})[1]["access"] == "read_only"
    assert call("post", "/subscription/resume")[1]["access"] == "full"
    assert call("post", "/portal")[1]["url"].startswith(payments.url)
    assert call("post", "/subscription/cancel", {"at_once": True})[1]["plan"] == "free"


def test_a_purchase_that_is_sent_twice_is_one(payments: Simulator, org_a: Tenant) -> None:
    call = api(org_a, "billing:manage", "billing:read")
    key = {"idempotency-key": "one-purchase"}
    status, first = call("post", "/orders", {"pack": "credit-usd-1"}, **key)
    assert (status, first["state"], first["amount_minor"]) == (201, "open", 1_000)
    assert call("post", "/orders", {"pack": "credit-usd-1"}, **key)[1] == first
    status, refused = call("post", "/orders", {"pack": "credit-usd-2"}, **key)
    assert (status, refused["error"]["code"]) == (409, "idempotency_key_reused")
    with tenancy.scope(org_a.id):
        assert Order.objects.count() == 1
    assert call("get", f"/orders/{first['id']}")[1]["id"] == first["id"]
    assert [one["id"] for one in call("get", "/orders")[1]["data"]] == [first["id"]]


def test_a_key_without_the_scope_and_another_organizations_key_get_nothing(
    payments: Simulator, org_a: Tenant, org_b: Tenant
) -> None:
    _status, order = api(org_a, "billing:manage")("post", "/orders", {"pack": "credit-usd-1"})
    reader = api(org_a, "billing:read")
    assert reader("post", "/orders", {"pack": "credit-usd-1"})[0] == 403
    assert reader("post", "/subscription/preview", {"seats": 9})[0] == 403
    assert api(org_b, "billing:read")("get", f"/orders/{order['id']}")[0] == 404
    assert api(org_a, "usage:read")("get", "/subscription")[0] == 403
    assert subscription_of(org_a) is None
