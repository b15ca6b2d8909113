"""The policy of `apps.core.fairness` asked of PostgreSQL: one statement chooses, two more take what was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model

from apps.core.fairness import SCALE, Pick
from apps.core.ids import uuid7
from apps.core.statements import as_one_type, prepared_cursor, rows_of

J = TypeVar("J", bound=Model)


# Held for the transaction, so that all who claim from one table see what the one before has done. A worker that freezes
# here loses its session, and not everybody else their claims. The statistics of a queue are of another hour, and with
# them the planner would sort the whole queue; the order of an index needs none.
def settings(patience_seconds: int) -> dict[str, str]:
    """What holds for the transaction of a claim."""
    return {
        "idle_in_transaction_session_timeout": f"{patience_seconds}s",
        "enable_bitmapscan": "off",
        "enable_seqscan": "off",
    }


_LOCK = """
SELECT pg_advisory_xact_lock(hashtext(%s))::text WHERE EXISTS (SELECT 1 FROM {table} WHERE status = 'queued')
"""
# Organizations are found by hops over the index, so that the length of a queue costs nothing. Only those that could
# have one of the first jobs are looked at further, and of each at most as many jobs as could be among them.
_CHOOSE = """
WITH RECURSIVE present AS (
    (SELECT organization_id FROM {table} WHERE status = 'queued' ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT q.organization_id FROM {table} q
        WHERE q.status = 'queued' AND q.organization_id > present.organization_id
        ORDER BY q.organization_id LIMIT 1
    ) FROM present WHERE present.organization_id IS NOT NULL
), clock AS (
    SELECT coalesce((SELECT start FROM core_turn WHERE queue = '{table}' ORDER BY start DESC LIMIT 1), 0) AS now
), ready AS (
    SELECT present.organization_id, share.weight, share.max_running - running.jobs AS room,
        greatest(coalesce(own.turn, 0), clock.now) AS turn
    FROM present CROSS JOIN clock
    CROSS JOIN LATERAL ({share}) share
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs FROM {table} r
        WHERE r.organization_id = present.organization_id AND r.status = 'running'
    ) running
    CROSS JOIN LATERAL (
        SELECT q.created_at, q.id FROM {table} q
        WHERE q.organization_id = present.organization_id AND {waiting}
        ORDER BY q.created_at, q.id LIMIT 1
    ) head
    CROSS JOIN LATERAL (
        SELECT (
            SELECT t.turn FROM core_turn t
            WHERE t.organization_id = present.organization_id AND t.queue = '{table}'
        ) AS turn
    ) own
    WHERE running.jobs < share.max_running
    ORDER BY greatest(coalesce(own.turn, 0), clock.now), head.created_at, head.id
    LIMIT %(limit)s
), jobs AS (
    SELECT ready.organization_id, ready.weight, ready.turn, job.id, job.created_at, job.step
    FROM ready CROSS JOIN LATERAL (
        SELECT q.id, q.created_at, greatest(1, (CASE WHEN q.attempt = 0 THEN {cost} ELSE 0 END)::bigint * {scale}
            / ready.weight) AS step
        FROM {table} q WHERE q.organization_id = ready.organization_id AND {waiting}
        ORDER BY q.created_at, q.id LIMIT least(ready.room, %(limit)s)
    ) job
)
SELECT id, organization_id, weight, (turn + coalesce(sum(step) OVER earlier, 0))::bigint AS start, step
FROM jobs
WINDOW earlier AS (
    PARTITION BY organization_id ORDER BY created_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
)
ORDER BY start, created_at, id
LIMIT %(limit)s
"""
_WAITING = "q.status = 'queued' AND (q.deadline_at IS NULL OR q.deadline_at > clock_timestamp())"
_TAKE = """
UPDATE {table} SET status = 'running', attempt = attempt + 1, worker = %(worker)s, claimed_at = clock_timestamp(),
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM {table} WHERE id = ANY(%(chosen)s) AND status = 'queued' FOR UPDATE SKIP LOCKED)
RETURNING :columns
"""
_MOVE_TURNS = """
INSERT INTO core_turn (id, organization_id, queue, weight, start, turn)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int[], %s::bigint[], %s::bigint[])
ON CONFLICT (organization_id, queue) DO UPDATE
SET weight = excluded.weight, start = excluded.start, turn = excluded.turn
"""
_REPAY = """
UPDATE core_turn SET turn = greatest(0, turn - %(unused)s::bigint * {scale} / weight)
WHERE organization_id = %(organization)s AND queue = '{table}'
"""


@dataclass(frozen=True, slots=True)
class Source:
    """The table that is claimed from. `share` is SQL for the weight and the most running jobs of the organization
    `{organization}`; `cost` is SQL for what a row is expected to cost."""

    table: str
    share: str
    cost: str

    def choice(self, only: Iterable[str]) -> str:
        """The statement that finds the next jobs and changes nothing; `only` names columns held to given values."""
        # As an expression, so that no index of such a column is taken for the queue's, whatever the statistics say.
        waiting = _WAITING + "".join(f" AND coalesce(q.{column}, NULL) = ANY(%({column})s)" for column in only)
        return _CHOOSE.format(
            table=self.table,
            share=self.share.format(organization="present.organization_id"),
            waiting=waiting + " AND NOT q.id = ANY(%(skip)s)",
            cost=self.cost,
            scale=SCALE,
        )


def begin(cursor: Any, source: Source) -> bool:
    """Waits until nobody else claims from the table; the rest of the transaction, with `settings`, is this claim's.

    False, without waiting, when nothing is queued: most claims are tries, and the choice is dear to plan.
    """
    cursor.execute(_LOCK.format(table=source.table), [f"claim:{source.table}"])
    return cursor.fetchone() is not None


def choose(source: Source, limit: int, only: dict[str, list[Any]], skip: Sequence[UUID] = ()) -> list[Pick]:
    """The plan is kept by the session: to make it takes four times as long as the choice."""
    with prepared_cursor() as cursor:
        cursor.execute(source.choice(only), only | {"limit": limit, "skip": list(skip)})
        return [Pick(*row) for row in cursor.fetchall()]


def take(model: type[J], source: Source, picks: Sequence[Pick], worker: str, lease_seconds: int) -> dict[UUID, J]:
    """Starts what was chosen, but for rows that somebody else has locked to end them; moves the turns on.

    What was started is returned in the order in which it runs.
    """
    parameters = {"worker": worker, "lease": lease_seconds, "chosen": [pick.job for pick in picks]}
    taken = {row.pk: row for row in rows_of(model, _TAKE.format(table=source.table), parameters)}
    started = [pick for pick in picks if pick.job in taken]
    if started:
        _move_turns(source, started)
    return {pick.job: taken[pick.job] for pick in started}


def _move_turns(source: Source, started: Sequence[Pick]) -> None:
    turns: dict[UUID, tuple[int, int, int]] = {}
    for pick in started:
        # A job of the same organization that was passed over has not moved the turn.
        start = turns[pick.organization][2] if pick.organization in turns else pick.start
        turns[pick.organization] = (pick.weight, start, start + pick.step)
    weights, starts, ends = zip(*turns.values(), strict=True)
    ids = [uuid7() for _ in turns]
    with prepared_cursor() as cursor:
        cursor.execute(
            _MOVE_TURNS, [ids, list(turns), [source.table] * len(ids), list(weights), list(starts), list(ends)]
        )


def repay(source: Source, organization: UUID, unused: int) -> None:
    """Gives back the part of a job's expected cost that it did not use; more than expected counts as well."""
    with prepared_cursor() as cursor:
        asked = {"unused": as_one_type(unused), "organization": organization}
        cursor.execute(_REPAY.format(table=source.table, scale=SCALE), asked)
