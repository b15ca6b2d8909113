"""A worker that ends itself by SIGKILL at a chosen step: `python -m tests.faults.killed`, in the environment of a test.

It takes lines `TASK STEP` from its standard input and runs the task of workers.billing, or one below, in a process of
its own, forked while nothing is open. That process counts what it does: every commit, every request to others and
every statement without a transaction is a step. Of the statements of a transaction the first one is, and stands for
all: nobody sees anything of them before the commit, and what they locked is free when their process is dead. Right
after the step it is to die at it sends itself SIGKILL; step 0 is never reached. The answer is the process's end as a
number: -9 where it was killed, 0 where the task ended first.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django


class Steps:
    """Counts, and dies at the last."""

    def __init__(self, last: int) -> None:
        self.last, self.count = last, 0
        self.is_unseen = False

    def step(self, unseen: bool = False) -> None:
        if unseen and self.is_unseen:
            return
        self.is_unseen = unseen
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            answer = call(*args, **kwargs)
            self.step()
            return answer

        return counted

    def around_async(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            answer = await call(*args, **kwargs)
            self.step()
            return answer

        return counted

    def statement(self, execute: Callable[..., Any], *rest: Any) -> Any:
        """A wrapper of Django's for what the database is told."""
        answer = execute(*rest)
        self.step(unseen=rest[-1]["connection"].in_atomic_block)
        return answer


def run(task: str, last: int) -> None:
    """The task, in this process."""
    import requests
    from django.db import connection
    from django.db.backends.base.base import BaseDatabaseWrapper

    from apps.webhooks import requests as webhooks
    from workers import billing

    steps = Steps(last)
    BaseDatabaseWrapper._commit = steps.around(BaseDatabaseWrapper._commit)  # type: ignore[method-assign,attr-defined]
    requests.Session.request = steps.around(requests.Session.request)  # type: ignore[method-assign]
    webhooks.post = steps.around_async(webhooks.post)
    with connection.execute_wrapper(steps.statement):
        OWN[task]() if task in OWN else getattr(billing, task)()


def send_webhooks() -> None:
    """What the threads of workers.webhooks do in turn: messages of events, claims, requests, and what came of them."""
    from apps.webhooks.services import sending
    from apps.webhooks.services.making import make
    from tests.helpers.webhooks import send

    name = f"dying:{os.getpid()}"
    make()
    sending.note(name, [send(ready) for ready in sending.claim(name, 10, 10)])


OWN = {"send_webhooks": send_webhooks}


def main() -> None:
    """Serves until its input ends."""
    django.setup()
    from apps.core import bells
    from apps.core.connections import redis_client
    from workers.celery import app

    # As in all tests: nothing leaves for the broker.
    bells.send = lambda name, hint: hint()
    app.send_task = lambda *args, **options: None
    redis_client()
    for line in sys.stdin:
        task, last = line.split()
        child = os.fork()
        if not child:
            code = 1
            try:
                run(task, int(last))
                code = 0
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
