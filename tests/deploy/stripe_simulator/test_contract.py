"""What every call keeps to: the SDK's own types in both directions, idempotency as Stripe keeps it, test keys only."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from deploy.stripe_simulator.api import Api, Request
from deploy.stripe_simulator.params import _mapping
from deploy.stripe_simulator.routing import ROUTES
from deploy.stripe_simulator.simulator import load
from deploy.stripe_simulator.store import Store
from tests.deploy.stripe_simulator.conftest import DAY, START, Shop
from tests.helpers.stripe_simulator import SECRET, Simulator, started


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"nmae": "typed wrongly"}, "nmae", "parameter_unknown"),
        ({"address": {"planet": "Mars"}}, "address[planet]", "parameter_unknown"),
        ({"balance": "a lot"}, "balance", "parameter_invalid_integer"),
        ({"balance": "12.5"}, "balance", "parameter_invalid_integer"),
        ({"tax_id_data": [{"type": "eu_vat"}]}, "tax_id_data[0][value]", "parameter_missing"),
        ({"business_name": "known to Stripe"}, "business_name", "simulator_not_implemented"),
    ],
)
def test_a_parameter_that_is_not_understood_is_refused(
    simulator: Simulator, params: Any, param: str, code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        simulator.client.v1.customers.create(params)
    assert (refused.value.param, refused.value.code) == (param, code)
    assert not simulator.client.v1.customers.list().data


def test_every_call_is_held_to_a_type_of_the_sdk() -> None:
    load()
    assert len(ROUTES) > 100
    for route in ROUTES:
        assert route.params.__module__.startswith("stripe.params"), route.template
        assert _mapping(route.params).__pydantic_config__["extra"] == "forbid"


def test_an_unknown_route_says_that_it_is_not_simulated(simulator: Simulator) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="simulator does not implement") as refused:
        simulator.client.v1.payouts.list()
    assert refused.value.http_status == 404


@pytest.mark.parametrize("key", ["sk_live_51abc", "rk_live_51abc"])
def test_a_live_key_is_refused(simulator: Simulator, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match="refuses live keys"):
        simulator.client_with(key).v1.customers.list()


def test_a_name_that_leads_here_from_elsewhere_gets_nothing(simulator: Simulator) -> None:
    for path in ("/simulator/", "/v1/customers"):
        headers = {"Host": "evil.example", "Authorization": "Bearer sk_test_x"}
        assert httpx.get(f"{simulator.url}{path}", headers=headers, trust_env=False).status_code == 421


def test_what_is_missing_is_answered_as_stripe_does(simulator: Simulator) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer: 'cus_none'") as refused:
        simulator.client.v1.customers.update("cus_none", {"name": "x"})
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    assert str(refused.value.request_id).startswith("req_")


# ---------------------------------------------------------------- idempotency


def test_the_same_key_gives_the_same_answer(simulator: Simulator) -> None:
    customers = simulator.client.v1.customers
    first = customers.create({"name": "Once"}, {"idempotency_key": "one"})
    again = customers.create({"name": "Once"}, {"idempotency_key": "one"})
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert len(customers.list().data) == 1
    with pytest.raises(stripe.IdempotencyError):
        customers.create({"name": "Another"}, {"idempotency_key": "one"})


def test_a_refusal_of_parameters_is_not_kept(simulator: Simulator) -> None:
    customers = simulator.client.v1.customers
    with pytest.raises(stripe.InvalidRequestError):
        customers.create({"nmae": "x"}, {"idempotency_key": "one"})  # type: ignore[typeddict-unknown-key]
    assert customers.create({"name": "x"}, {"idempotency_key": "one"}).name == "x"


@pytest.mark.parametrize("replays", ["answer", "error"])
def test_an_error_after_the_commit_leaves_one_object(simulator: Simulator, replays: str) -> None:
    customers = simulator.client.v1.customers
    simulator.do("fail", times=1, matching="POST /v1/customers", replays=replays)
    with pytest.raises(stripe.APIError):
        customers.create({"name": "Once"}, {"idempotency_key": "one"})
    if replays == "answer":
        assert customers.create({"name": "Once"}, {"idempotency_key": "one"}).name == "Once"
    else:
        with pytest.raises(stripe.APIError):
            customers.create({"name": "Once"}, {"idempotency_key": "one"})
    assert [item.name for item in customers.list().data] == ["Once"]


@pytest.mark.parametrize("replays", ["answer", "error"])
def test_an_error_before_anything_is_done_leaves_nothing(simulator: Simulator, replays: str) -> None:
    customers = simulator.client.v1.customers
    simulator.do("fail", times=1, matching="POST /v1/customers", replays=replays, before=True)
    with pytest.raises(stripe.APIError):
        customers.create({"name": "Once"}, {"idempotency_key": "one"})
    assert customers.list().data == []
    if replays == "error":
        with pytest.raises(stripe.APIError):
            customers.create({"name": "Once"}, {"idempotency_key": "one"})
    key = "two" if replays == "error" else "one"
    assert customers.create({"name": "Once"}, {"idempotency_key": key}).name == "Once"
    assert [item.name for item in customers.list().data] == ["Once"]


def test_a_key_in_use_is_a_conflict() -> None:
    """In this process, because another request has to be held up in its middle."""
    load()
    api = Api(Store(":memory:"), "")
    headers = {"authorization": "Bearer sk_test_x", "idempotency-key": "one"}
    request = Request("POST", "/v1/customers", headers=headers, body="name=Once")
    answers: list[int] = []
    first = threading.Thread(target=lambda: answers.append(api.answer(request).status))
    with api.store.lock:
        first.start()
        while "one" not in api._in_flight:
            time.sleep(0.01)
        second = api.answer(request)
    first.join()
    assert (second.status, json.loads(second.body)["error"]["code"]) == (409, "idempotency_key_in_use")
    assert answers == [200]
    assert api.answer(request).headers["idempotent-replayed"] == "true"


# ---------------------------------------------------------------- reading


def test_lists_are_paged(simulator: Simulator) -> None:
    customers = simulator.client.v1.customers
    made = [customers.create({"name": f"{number}", "metadata": {"n": str(number)}}).id for number in range(7)]
    assert [item.id for item in customers.list({"limit": 3}).auto_paging_iter()] == made[::-1]
    page = customers.list({"limit": 2, "starting_after": made[3]})
    assert ([item.id for item in page.data], page.has_more) == ([made[2], made[1]], True)
    back = customers.list({"limit": 2, "ending_before": made[3]})
    assert [item.id for item in back.data] == [made[5], made[4]]
    found = customers.search({"query": "metadata['n']:'4'"})
    assert [item.id for item in found.data] == [made[4]]


def test_ids_are_expanded(shop: Shop) -> None:
    made = shop.subscribe(expand=["latest_invoice.payments.data.payment.payment_intent", "customer"])
    payment = made.latest_invoice.payments.data[0].payment.payment_intent
    assert payment.amount_received == 1999
    assert made.customer.id == shop.customer
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        shop.v1.subscriptions.retrieve(made.id, {"expand": ["status.x"]})


def test_events_can_be_listed_by_type_and_time(shop: Shop) -> None:
    shop.subscribe()
    events = shop.v1.events.list({"types": ["invoice.paid", "charge.*"]}).data
    assert {item.type for item in events} == {"invoice.paid", "charge.succeeded"}
    assert not shop.v1.events.list({"created": {"gt": int(time.time()) + 60}}).data


# ---------------------------------------------------------------- webhooks


def test_webhooks_are_signed_as_stripe_signs(shop: Shop) -> None:
    shop.subscribe()
    webhooks = shop.simulator.webhooks()
    assert len(webhooks) > 10
    for webhook in webhooks:
        event = stripe.Webhook.construct_event(webhook.payload, webhook.signature, SECRET)
        assert event.type == webhook.type
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(webhooks[0].payload + " ", webhooks[0].signature, SECRET)
    assert shop.simulator.webhooks() == []


def test_webhooks_come_twice_and_out_of_order_on_demand(shop: Shop) -> None:
    shop.simulator.webhooks()
    shop.simulator.do("knobs", duplicate=1, reorder=1)
    shop.subscribe()
    taken = [webhook.event["id"] for webhook in shop.simulator.webhooks()]
    in_order = [item.id for item in shop.v1.events.list({"limit": 100}).data][::-1]
    expected = [identifier for identifier in in_order if identifier in taken]
    assert sorted(taken) == sorted(expected * 2)
    assert [identifier for index, identifier in enumerate(taken) if identifier not in taken[:index]] != expected


def test_webhooks_come_late_or_never_on_demand(shop: Shop) -> None:
    v1 = shop.v1
    shop.simulator.webhooks()
    shop.simulator.do("knobs", drop=3_600)
    v1.customers.create({"name": "Lost"})
    assert shop.simulator.webhooks() == []
    shop.simulator.do("knobs", drop=0, delay=3_600)
    v1.customers.create({"name": "Late"})
    shop.simulator.do("knobs", delay=0)
    v1.customers.create({"name": "Now"})
    came = [webhook.event["data"]["object"]["name"] for webhook in shop.simulator.webhooks()]
    assert came == ["Now", "Late"], "in the order in which they would arrive"
    assert {item.data.object["name"] for item in v1.events.list({"type": "customer.created"}).data} >= {"Lost", *came}


def test_webhooks_are_sent_and_sent_again_until_they_are_taken(tmp_path: Path) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    received: list[tuple[str, str]] = []
    came = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            received.append((body, self.headers["stripe-signature"]))
            self.send_response(500 if len(received) == 1 else 200)
            self.end_headers()
            if len(received) == 2:
                came.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/webhooks/stripe"
        with started(webhook_url=address) as simulator:
            simulator.client.v1.customers.create({"name": "Told"})
            assert came.wait(60)
        server.shutdown()
    first, second = received[:2]
    assert json.loads(first[0])["id"] == json.loads(second[0])["id"]
    assert stripe.Webhook.construct_event(*second, SECRET).type == "customer.created"


# ---------------------------------------------------------------- keeping


def test_everything_is_found_again_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "stripe.db"
    with started(file) as simulator:
        clock = simulator.client.v1.test_helpers.test_clocks.create({"frozen_time": START})
        made = simulator.client.v1.customers.create({"name": "Kept", "test_clock": clock.id}, {"idempotency_key": "k"})
        simulator.advance_clock(clock.id, START + DAY)
        simulator.advance(days=3)
        ahead = simulator.now
    with started(file) as simulator:
        v1 = simulator.client.v1
        assert v1.customers.retrieve(made.id).name == "Kept"
        assert v1.test_helpers.test_clocks.retrieve(clock.id).frozen_time == START + DAY
        again = v1.customers.create({"name": "Kept", "test_clock": clock.id}, {"idempotency_key": "k"})
        assert again.id == made.id
        assert simulator.now >= ahead
