"""Calls of Stripe's API: who asks, which call, checked how, answered once for each idempotency key."""

import base64
import hashlib
import json
import re
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from deploy.stripe_simulator import API_VERSION, routing
from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import expand
from deploy.stripe_simulator.params import Params, check, decode
from deploy.stripe_simulator.store import Store
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Request:
    """What came over HTTP; header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Answer:
    """What goes back; `json` unless `content` says another type."""

    status: int
    body: str | bytes
    headers: dict[str, str] = field(default_factory=dict)
    content: str = "application/json"


class Api:
    """Stripe's API over one store."""

    def __init__(self, store: Store, base_url: str) -> None:
        self.store = store
        self.base_url = base_url
        self._in_flight: set[str] = set()
        self._guard = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """Answer one call; every refusal is an answer too."""
        identifier = new_id("req", 14)
        headers = {"request-id": identifier, "stripe-version": API_VERSION}
        try:
            _check_key(request)
            found = routing.find(request.method, request.path)
            if found is None:
                raise StripeError(
                    f"Unrecognized request URL ({request.method}: {request.path}). "
                    "The Stripe simulator does not implement it.",
                    status=404,
                    code="simulator_not_implemented",
                )
            key = request.headers.get("idempotency-key") if request.method == "POST" else None
            if key is None:
                return self._perform(request, found, identifier, headers, None)
            return self._once(request, found, identifier, headers | {"idempotency-key": key}, key)
        except StripeError as error:
            return _refusal(error, headers)

    def _once(self, request: Request, found: Any, identifier: str, headers: dict[str, str], key: str) -> Answer:
        with self._guard:
            if key in self._in_flight:
                raise StripeError(
                    f"There is currently another in-progress request using this Idempotent Key: {key}",
                    status=409,
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._in_flight.add(key)
        try:
            return self._kept(request, key, headers) or self._perform(request, found, identifier, headers, key)
        finally:
            with self._guard:
                self._in_flight.discard(key)

    def _kept(self, request: Request, key: str, headers: dict[str, str]) -> Answer | None:
        self.store.run("DELETE FROM answers WHERE created < ?", time.time() - KEPT_SECONDS)
        found = self.store.rows("SELECT digest, status, body, request FROM answers WHERE key = ?", key)
        if not found:
            return None
        digest, status, body, original = found[0]
        if digest != _digest(request):
            raise StripeError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        replayed = {"idempotent-replayed": "true", "original-request": original}
        return Answer(status, body, headers | replayed | _retry_header(status))

    def _perform(
        self, request: Request, found: Any, identifier: str, headers: dict[str, str], key: str | None
    ) -> Answer:
        if (failed := self._perhaps_failed(request, None, key, identifier, headers)) is not None:
            return failed
        route, arguments = found
        params = check(route.params, decode(request.query if request.method in {"GET", "DELETE"} else request.body))
        try:
            with self.store.transaction():
                world = World(self.store, base_url=self.base_url)
                world.request = {"id": identifier, "idempotency_key": key}
                try:
                    answer = Answer(200, json.dumps(_run(world, route, params, arguments)), headers)
                except StripeError as error:
                    if not error.keep:
                        raise
                    answer = _refusal(error, headers)
                world.flush()
                self._keep(key, request, answer, identifier)
        except StripeError as error:
            answer = _refusal(error, headers)
            if error.code != "parameter_unread":
                self._keep(key, request, answer, identifier)
        except Exception as error:
            traceback.print_exc()
            answer = _refusal(_failure(f"The simulator failed: {error!r}"), headers)
            self._keep(key, request, answer, identifier)
        return self._perhaps_failed(request, answer, key, identifier, headers) or answer

    def _keep(self, key: str | None, request: Request, answer: Answer, identifier: str) -> None:
        if key is not None:
            self.store.run(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)",
                *(key, _digest(request), answer.status, answer.body, identifier, time.time()),
            )

    def _perhaps_failed(
        self, request: Request, answer: Answer | None, key: str | None, identifier: str, headers: dict[str, str]
    ) -> Answer | None:
        """The knob `fail`: the caller is told of an error, where what was committed stays, or before anything is."""
        with self.store.lock:
            fail = self.store.setting("fail", {"times": 0})
            if fail["times"] <= 0 or fail.get("before", False) != (answer is None):
                return None
            if (answer and answer.status >= 300) or not re.search(fail["matching"], f"{request.method} {request.path}"):
                return None
            self.store.set("fail", fail | {"times": fail["times"] - 1})
        when = "before it had begun" if answer is None else "after it had committed"
        failed = _refusal(_failure(f"The simulator was told to fail {when}."), headers)
        if fail["replays"] == "error":
            self._keep(key, request, failed, identifier)
            return Answer(failed.status, failed.body, headers | _retry_header(500))
        return failed


def _run(world: World, route: routing.Route, params: Params, arguments: dict[str, str]) -> Json:
    paths = params.get("expand", [])
    answer: Json = world.render(route.handler(world, params, **arguments))
    if names := params.unread():
        error = not_simulated(f"the parameter {names[0]} here", names[0])
        error.code = "parameter_unread"
        raise error
    expand(world, answer, paths)
    return answer


def _digest(request: Request) -> str:
    return hashlib.sha256(f"{request.method} {request.path}\n{request.body}".encode()).hexdigest()


def _retry_header(status: int) -> dict[str, str]:
    return {"stripe-should-retry": "false"} if status >= 500 else {}


def _refusal(error: StripeError, headers: dict[str, str]) -> Answer:
    body = error.body | {"request_log_url": None} if error.status != 401 else error.body
    return Answer(error.status, json.dumps({"error": body}), headers)


def _failure(message: str) -> StripeError:
    return StripeError(message, status=500, kind="api_error")


def _of_basic(given: str) -> str:
    try:
        return base64.b64decode(given).decode(errors="replace").partition(":")[0]
    except ValueError:
        return ""


def _check_key(request: Request) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        given = _of_basic(given)
    if given.startswith(("sk_live_", "rk_live_", "pk_live_")):
        raise StripeError(
            "This is the Stripe simulator: it moves no money and refuses live keys. Never send it one.", status=401
        )
    if not re.fullmatch(r"(sk|rk)_test_\w+", given):
        shown = f"{given[:8]}…" if given else "none"
        raise StripeError(f"Invalid API Key provided: {shown} (the simulator takes sk_test_… only)", status=401)
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise StripeError(f"Invalid Stripe API version: {version}; the simulator speaks {API_VERSION} only.")
