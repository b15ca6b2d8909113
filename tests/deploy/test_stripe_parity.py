"""`make stripe-parity`, with a second simulator where Stripe would be: no account is at hand here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.stripe_parity.__main__ import refusal
from deploy.stripe_parity.compare import differences, unique
from deploy.stripe_parity.lifecycle import LIFECYCLE
from deploy.stripe_parity.run import Seen, add_shape
from tests.helpers.stripe_simulator import KEY, Simulator
from tests.helpers.stripe_simulator import simulator as simulator
from tests.helpers.stripe_simulator import simulator_process as simulator_process

ROOT = Path(__file__).resolve().parents[2]


def parity(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STRIPE_")}
    command = [sys.executable, "-m", "deploy.stripe_parity"]
    return subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("key", ["", "sk_live_abc", "rk_live_abc", "pk_test_abc", "whsec_abc"])
def test_nothing_is_asked_without_a_test_key(key: str) -> None:
    # The address is of nobody: a call to it would end otherwise.
    found = parity(STRIPE_SECRET_KEY=key, STRIPE_API_BASE="http://127.0.0.1:9")
    assert (found.returncode, found.stdout) == (2, "")
    assert "STRIPE_SECRET_KEY=sk_test_… make stripe-parity" in found.stderr
    assert key == "" or key not in found.stderr


@pytest.mark.parametrize("key", ["sk_test_abc", "rk_test_abc"])
def test_test_keys_are_taken(key: str) -> None:
    assert refusal(key) == ""


def test_two_simulators_do_not_differ(simulator: Simulator) -> None:
    found = parity(STRIPE_SECRET_KEY=KEY, STRIPE_API_BASE=simulator.url)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "says nothing of Stripe" in found.stdout
    assert f"{len(LIFECYCLE) + 1} steps" in found.stdout
    assert found.stdout.count(": none") == 2
    # The run was there, and has cleaned up.
    assert len(simulator.client.v1.events.list({"type": "charge.dispute.created"}).data) == 1
    assert simulator.client.v1.customers.list({}).data == []
    assert not [one for one in simulator.client.v1.prices.list({"type": "recurring"}).data if one.active]


def test_a_call_that_ends_otherwise_is_told_of(simulator: Simulator) -> None:
    simulator.do("fail", times=1, matching="POST /v1/refunds", replays="error")
    found = parity(STRIPE_SECRET_KEY=KEY, STRIPE_API_BASE=simulator.url)
    assert found.returncode == 1, found.stdout
    assert "refund: outcome: payments_unavailable" in found.stdout
    assert "| done" in found.stdout


def test_another_amount_or_status_is_grave() -> None:
    [found] = differences({"refund": Seen(facts={"total": 5})}, {"refund": Seen(facts={"total": 6})})
    assert (found.grave, str(found)) == (True, "refund: total: 5 | 6")


def test_a_step_that_failed_on_both_sides_is_no_agreement() -> None:
    broken = {"portal": Seen("payments_refused: none")}
    assert [one.what for one in differences(broken, broken)] == ["outcome"]


def shaped(**fields: object) -> dict[str, Seen]:
    seen = Seen(shapes={"invoice": {}})
    add_shape(seen.shapes["invoice"], "", fields)
    return {"look": seen}


def test_shapes_are_compared_place_by_place() -> None:
    one = shaped(total=1, due=None, tax={"rate": 1, "kind": "vat"}, lines=[{"amount": 1}], metadata={"a": "b"})
    other = shaped(total="1", due=5, lines=[{"amount": 1}, {"amount": None}], metadata={"c": "d"})
    found = {each.what: (each.left, each.right, each.grave) for each in differences(one, other)}
    assert found == {
        "invoice.total": ("integer", "string", True),
        "invoice.due": ("null", "integer", False),
        "invoice.tax": ("object", "absent", False),
        "invoice.lines[].amount": ("integer", "integer, null", False),
    }


def test_the_same_place_is_told_of_once() -> None:
    one = {"first": shaped(due=None)["look"], "then": shaped(due=None)["look"]}
    other = {"first": shaped(due=5)["look"], "then": shaped(due=5)["look"]}
    found = differences(one, other)
    assert (len(found), [each.step for each in unique(found)]) == (2, ["first"])
