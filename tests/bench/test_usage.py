"""The benchmark of usage events: what it sends is what it says that it sends."""

from collections import Counter

from bench.metering.events import BATCH, Plan, body, quantity, recently
from bench.usage import memory


def test_both_clients_send_every_event_and_three_in_ten_again() -> None:
    plan = Plan(20_000, recently(), "/test")
    batches = [batch for client in range(2) for batch in plan.batches(client, 2)]
    sent = Counter(number for batch in batches for number in batch)
    assert max(len(batch) for batch in batches) == BATCH
    assert set(sent) == set(range(plan.different))
    assert (sent.total(), plan.different) == (20_000, 14_000)
    assert plan.total == sum(quantity(number) for number in sent)


def test_an_event_is_the_same_whoever_makes_it() -> None:
    plan = Plan(10, recently(), "/test")
    assert body(plan, 3) == body(Plan(10, plan.end, "/test"), 3)
    assert plan.at(3) <= plan.end


def test_memory_is_the_largest_process_of_each_tenth() -> None:
    said = [[{"at": 0.5, "sent": 1, "rss": 2**20}, {"seconds": 10}], [{"at": 0.6, "rss": 2**21}, {"at": 9.9, "rss": 0}]]
    assert memory(10.0, said) == [2.0, *[0.0] * 9]
