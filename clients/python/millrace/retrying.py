"""When a call is sent again: what is certain to be harmless, after a pause that grows and differs between clients."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, replace
from typing import Any

import httpx

from millrace import errors
from millrace.shapes import Call, Options

log = logging.getLogger("millrace")

# Where no header says it: what proxies answer in the place of a server.
PASSING = {429, 502, 503, 504}
# Refused before anything was done, although its status is a server's fault.
REFUSED_CODES = {"overloaded"}
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Retry:
    """How often to try again, and how long to wait; times are seconds.

    Pauses double from `first` to `longest`. `retry-after` is obeyed up to `patience`; beyond it the error is raised.
    """

    times: int = 4
    first: float = 0.5
    longest: float = 20.0
    patience: float = 120.0

    def pause(self, tried: int, asked: float | None = None) -> float | None:
        """Seconds until the next attempt after `tried` that failed; None when it is not worth it."""
        if tried > self.times or (asked is not None and asked > self.patience):
            return None
        if asked is not None:
            return asked + random.uniform(0, 0.1 * asked)
        return min(self.longest, self.first * 2.0 ** (tried - 1)) * random.uniform(0.5, 1)


def translated(problem: httpx.HTTPError | httpx.InvalidURL) -> errors.MillraceError:
    """httpx's exception as this package's."""
    told = str(problem) or type(problem).__name__
    if isinstance(problem, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return errors.MillraceError(f"The address cannot be used: {told}")
    unsent = isinstance(problem, NEVER_SENT)
    if isinstance(problem, httpx.TimeoutException):
        return errors.TimedOut(f"No answer in time: {told}", unsent=unsent)
    return errors.ConnectionFailed(f"The connection failed: {told}", unsent=unsent)


def may_repeat(call: Call[Any], problem: errors.MillraceError) -> bool:
    """Whether sending the call again can help, and can do no harm."""
    if isinstance(problem, errors.ConnectionFailed):
        return call.safe or problem.unsent
    if not isinstance(problem, errors.APIError):
        return False
    passing = problem.status in PASSING if problem.should_retry is None else problem.should_retry
    refused = problem.status < 500 or problem.code in REFUSED_CODES
    return passing and (call.safe or refused)


class Attempts:
    """One call's attempts, whoever carries them out."""

    def __init__(self, call: Call[Any], retry: Retry, options: Options) -> None:
        self.call = call
        self.retry = retry if options.retries is None else replace(retry, times=options.retries)
        self.tried = 0
        # An attempt may have been carried out although its answer was lost.
        self.uncertain = False

    def after(self, problem: errors.MillraceError) -> float:
        """Seconds to wait before the next attempt; raises the problem when there is none."""
        self.tried += 1
        asked = problem.retry_after if isinstance(problem, errors.APIError) else None
        pause = self.retry.pause(self.tried, asked) if may_repeat(self.call, problem) else None
        if pause is None:
            raise problem
        log.info("trying again in %.1f s: %s", pause, problem)
        self.uncertain |= not (isinstance(problem, errors.ConnectionFailed) and problem.unsent)
        return pause

    def is_done_already(self, problem: errors.MillraceError) -> bool:
        """Whether a DELETE is only missing its object because an earlier attempt has removed it."""
        deleting = self.call.method == "DELETE" and self.call.returns == "nothing"
        return deleting and self.uncertain and isinstance(problem, errors.NotFoundError)
