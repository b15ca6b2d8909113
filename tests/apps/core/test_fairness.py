"""The policy on a simulated clock: shares by weight, bounds on waiting, nobody starves, nobody exceeds its room."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.fairness import MAX_WEIGHT, SCALE, Pick, Queue, WaitingJob, choose, step

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Tenant:
    id: UUID
    weight: int = 1
    max_running: int = 1_000
    turn: int = 0
    waiting: list[WaitingJob] = field(default_factory=list)
    running: int = 0


@dataclass
class Started:
    tenant: UUID
    cost: int
    arrived: float
    at: float
    ends: float


class Cluster:
    """Engines with `slots` places under the policy; a job takes as many seconds as it costs."""

    def __init__(self, slots: int, tenants: list[Tenant]) -> None:
        self.tenants = {tenant.id: tenant for tenant in tenants}
        self.slots, self.now, self.clock = slots, 0.0, 0
        self.running: list[Started] = []
        self.started: list[Started] = []
        self._jobs = 0

    def arrive(self, tenant: UUID, *costs: int) -> None:
        for cost in costs:
            self._jobs += 1
            job = WaitingJob(UUID(int=self._jobs), EPOCH + timedelta(seconds=self.now), cost)
            self.tenants[tenant].waiting.append(job)

    def claim(self) -> list[Pick]:
        queues = [
            Queue(tenant.id, tenant.weight, tenant.max_running - tenant.running, tenant.turn, tuple(tenant.waiting))
            for tenant in self.tenants.values()
            if tenant.waiting
        ]
        picks = choose(queues, self.clock, self.slots - len(self.running))
        for pick in picks:
            tenant = self.tenants[pick.organization]
            job = tenant.waiting.pop(0)
            assert job.id == pick.job, "not the oldest of its organization"
            tenant.turn, tenant.running = pick.start + pick.step, tenant.running + 1
            assert pick.start >= self.clock, "the clock went back"
            self.clock = pick.start
            arrived = (job.created_at - EPOCH).total_seconds()
            self.running.append(Started(tenant.id, job.cost, arrived, self.now, self.now + job.cost))
            self.started.append(self.running[-1])
        return picks

    def advance(self) -> None:
        """To the next end of a job."""
        ended = min(self.running, key=lambda job: job.ends)
        self.now = ended.ends
        self.running.remove(ended)
        self.tenants[ended.tenant].running -= 1
        self.claim()

    def run(self, until: float) -> None:
        self.claim()
        while self.running and min(job.ends for job in self.running) <= until:
            self.advance()

    def served(self) -> Counter[UUID]:
        total: Counter[UUID] = Counter()
        for job in self.started:
            total[job.tenant] += job.cost
        return total


def ids(count: int) -> list[UUID]:
    return [UUID(int=1_000_000 + n) for n in range(count)]


def test_shares_follow_weights_whatever_jobs_cost() -> None:
    heavy, light, long_jobs, capped = ids(4)
    cluster = Cluster(
        8, [Tenant(heavy, weight=4), Tenant(light), Tenant(long_jobs, weight=2), Tenant(capped, 4, max_running=1)]
    )
    cluster.arrive(heavy, *[10] * 4_000)
    cluster.arrive(light, *[10] * 4_000)
    cluster.arrive(long_jobs, *[100] * 400)
    cluster.arrive(capped, *[10] * 4_000)
    cluster.run(until=4_000)
    served = cluster.served()
    assert served[heavy] / served[light] == pytest.approx(4, rel=0.02)
    assert served[long_jobs] / served[light] == pytest.approx(2, rel=0.05)
    assert served[capped] / sum(served.values()) == pytest.approx(1 / 8, rel=0.05)


def test_five_hundred_waiting_jobs_cost_a_newcomer_one_running_job() -> None:
    many, one = ids(2)
    cluster = Cluster(4, [Tenant(many, weight=MAX_WEIGHT), Tenant(one)])
    cluster.arrive(many, *[20] * 500)
    cluster.run(until=110)
    cluster.now = 111
    cluster.arrive(one, 20)
    cluster.run(until=400)
    [first] = [job for job in cluster.started if job.tenant == one]
    assert first.at - first.arrived <= 20


def test_a_newcomer_is_overtaken_by_at_most_one_job_of_each_other() -> None:
    *others, newcomer = ids(51)
    tenants = [Tenant(id, weight=1 + n * 19) for n, id in enumerate(others)]
    cluster = Cluster(1, [*tenants, Tenant(newcomer)])
    for id in others:
        cluster.arrive(id, *[7] * 100)
    cluster.run(until=700)
    before = len(cluster.started)
    cluster.arrive(newcomer, 7)
    cluster.run(until=2_000)
    overtaking = Counter[UUID]()
    for job in cluster.started[before:]:
        if job.tenant == newcomer:
            break
        overtaking[job.tenant] += 1
    else:
        pytest.fail("the newcomer starved")
    assert max(overtaking.values(), default=0) <= 1


def test_who_was_away_does_not_catch_up() -> None:
    steady, returning = ids(2)
    cluster = Cluster(1, [Tenant(steady), Tenant(returning)])
    cluster.arrive(steady, *[1] * 2_000)
    cluster.run(until=1_000)
    cluster.arrive(returning, *[1] * 500)
    before = len(cluster.started)
    cluster.run(until=1_200)
    recent = Counter(job.tenant for job in cluster.started[before:])
    assert abs(recent[steady] - recent[returning]) <= 2


def test_a_full_organization_holds_up_nobody_and_never_exceeds_its_room() -> None:
    full, other = ids(2)
    cluster = Cluster(8, [Tenant(full, weight=100, max_running=2), Tenant(other)])
    cluster.arrive(full, *[50] * 100)
    cluster.arrive(other, *[50] * 200)
    cluster.claim()
    assert Counter(job.tenant for job in cluster.running) == {full: 2, other: 6}
    while cluster.now < 1_000:
        cluster.advance()
        assert sum(job.tenant == full for job in cluster.running) <= 2
        assert len(cluster.running) == 8


def test_random_arrivals_of_many_organizations_wait_within_their_bound() -> None:
    """Whoever has one job at a time waits until each other has been given as much as it was, and no longer."""
    source = random.Random(5)
    names = ids(30)
    polite = names[:10]
    cluster = Cluster(6, [Tenant(id, weight=4, max_running=6) for id in names])
    next_arrival = dict.fromkeys(polite, 5.0)
    for id in names[10:]:
        cluster.arrive(id, *[source.randint(5, 15) for _ in range(200)])
    cluster.claim()
    while cluster.now < 3_000:
        for id in polite:
            tenant = cluster.tenants[id]
            if cluster.now >= next_arrival[id] and not tenant.waiting and not tenant.running:
                cluster.arrive(id, source.randint(5, 15))
                next_arrival[id] = cluster.now + source.randint(20, 60)
        cluster.advance()
    waits = [job.at - job.arrived for job in cluster.started if job.tenant in polite]
    # Of each other as much as the last job here cost, and one job more; over 6 places, and the rest of one that runs.
    assert len(waits) > 100
    assert max(waits) <= (15 + 15) * 30 / 6 + 15


def test_a_batch_is_what_single_claims_would_have_been() -> None:
    source = random.Random(9)
    queues = [
        Queue(id, weight, room=3, turn=source.randint(0, 50_000), jobs=jobs)
        for id, weight in zip(ids(6), [1, 4, 16, 1, 2, 3], strict=True)
        for jobs in [tuple(WaitingJob(UUID(int=source.getrandbits(60)), EPOCH, source.randint(1, 9)) for _ in range(5))]
    ]
    at_once = choose(queues, 20_000, 12)
    singly: list[Pick] = []
    clock, left = 20_000, {queue.organization: queue for queue in queues}
    for _ in range(12):
        [pick] = choose(list(left.values()), clock, 1)
        queue = left[pick.organization]
        clock = pick.start
        left[pick.organization] = Queue(
            queue.organization, queue.weight, queue.room - 1, pick.start + pick.step, queue.jobs[1:]
        )
        singly.append(pick)
    assert at_once == singly


@given(cost=st.integers(0, 2_000_000), weight=st.integers(1, MAX_WEIGHT))
@settings(max_examples=50)
def test_every_job_moves_the_turn_on(cost: int, weight: int) -> None:
    assert step(cost, weight) >= 1
    assert step(cost, weight) <= cost * SCALE // weight + 1


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose([], 0, 5) == []
    assert choose([Queue(ids(1)[0], 1, 0, 0, (WaitingJob(UUID(int=1), EPOCH, 1),))], 0, 5) == []
