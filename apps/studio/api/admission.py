"""How a generation enters by the API: rate limits told in every answer, then idempotency and acceptance together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from apps.accounts.access import Actor
from apps.accounts.authentication import api_actor
from apps.core import idempotency, ratelimit, tenancy
from apps.core.api import AsyncAPIView
from apps.core.models import IdempotencyKey
from apps.studio import services as studio
from apps.studio import throttle
from apps.studio.body import generation_body
from apps.studio.requests import GenerationSpec
from apps.studio.services import Prepared
from apps.webhooks.services import callbacks

CALLBACK = ("callback_url", "callback_endpoint")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A generation that was accepted now, or earlier under the same Idempotency-Key."""

    id: UUID
    body: dict[str, Any]
    replayed: bool = False


class AdmittingView(AsyncAPIView):
    """A view whose POST creates generations: it counts against the minute's requests and tokens.

    The request is charged before its body is read, its tokens once they are counted, before the transaction that
    accepts it; they are given back if that refuses it. A refusal leaves nothing behind.
    """

    standing: studio.Standing

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            actor = api_actor(request)
            actor.require("generations:write")
            self.standing = studio.standing_of(actor.organization_id)
            # Tokens are asked for without taking any, so that the answer can tell what is left.
            levels = throttle.charge(actor, self.standing.limits, requests=1, tokens=0)
            self.answer_headers |= ratelimit.headers(levels)

    def accept(
        self, request: Request, ask: Callable[[], GenerationSpec], wanted: Mapping[str, Any] | None = None
    ) -> Accepted:
        """Accepts what `ask` returns, or finds what the same Idempotency-Key was accepted for before.

        Of a repeated request nothing is asked: its template may be another one by now, or be gone.
        `wanted` may say where the result is sent (`callback_url`, `callback_endpoint`).
        """
        actor = api_actor(request)
        callback = {name: wanted[name] for name in CALLBACK if name in wanted} if wanted else {}
        if callback:
            actor.require("generations:read")
        if replayed := self._replayed(_earlier(actor, request)):
            return replayed
        prepared = studio.prepare(actor, ask(), standing=self.standing)
        accepted, levels = throttle.accept_within(
            prepared, lambda: self._store(request, prepared, callback), lambda accepted: not accepted.replayed
        )
        self.answer_headers |= ratelimit.headers(levels)
        return accepted

    def _store(self, request: Request, prepared: Prepared, callback: Mapping[str, Any]) -> Accepted:
        with tenancy.scope(prepared.actor.organization_id):
            record = idempotency.begin(*_identity(request))
            if replayed := self._replayed(record):
                return replayed
            generation = studio.accept_in_scope(prepared)
            if callback:
                callbacks.register(prepared.actor, generation.pk, callback)
            body = generation_body(generation)
            idempotency.complete(record, 202, body, generation.pk)
        return Accepted(generation.pk, body)

    def _replayed(self, record: IdempotencyKey | None) -> Accepted | None:
        """The first answer, where the key was used before."""
        if record is None or record.object_id is None:
            return None
        self.answer_headers["idempotency-replayed"] = "true"
        return Accepted(record.object_id, record.body or {}, replayed=True)


def _earlier(actor: Actor, request: Request) -> IdempotencyKey | None:
    """The committed first use of the request's key; most requests have none, and ask nothing."""
    key, path, body = _identity(request)
    if key is None:
        return None
    with tenancy.scope(actor.organization_id):
        return idempotency.find(key, path, body)


def _identity(request: Request) -> tuple[str | None, str, bytes]:
    """By what a repeated request is known: its key, and the path and body that must be the same."""
    inner = request._request
    return request.headers.get("idempotency-key"), inner.path, inner.body
