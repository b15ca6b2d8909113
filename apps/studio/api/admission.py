"""How a generation enters by the API: rate limits told in every answer, then idempotency and acceptance together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rest_framework.request import Request

from apps.accounts.access import Actor
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import idempotency, ratelimit, tenancy
from apps.core.api import AsyncAPIView
from apps.studio import services as studio
from apps.studio import throttle
from apps.studio.body import generation_body
from apps.studio.requests import GenerationSpec


@dataclass(frozen=True, slots=True)
class Accepted:
    """A generation that was accepted now, or earlier under the same Idempotency-Key."""

    id: UUID
    body: dict[str, Any]
    replayed: bool = False


class AdmittingView(AsyncAPIView):
    """A view whose POST creates generations: it counts against the minute's requests and tokens.

    The request is charged before its body is read, its tokens once they are counted, in the transaction that accepts
    it: a refusal leaves no generation behind.
    """

    limits: Limits

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            actor = api_actor(request)
            actor.require("generations:write")
            self.limits = billing.limits_of(actor.organization_id)
            # Tokens are asked for without taking any, so that the answer can tell what is left.
            self._charge(actor, requests=1, tokens=0)

    def _charge(self, actor: Actor, requests: int, tokens: int) -> None:
        levels = throttle.charge(actor, self.limits, requests=requests, tokens=tokens)
        self.answer_headers |= ratelimit.headers(levels)

    def accept(self, request: Request, spec: GenerationSpec) -> Accepted:
        """Accepts what `spec` asks for, or finds what the same Idempotency-Key was accepted for before."""
        actor = api_actor(request)
        inner = request._request
        with tenancy.scope(actor.organization_id):
            record = idempotency.begin(request.headers.get("idempotency-key"), inner.path, inner.body)
            if record and record.object_id:
                self.answer_headers["idempotency-replayed"] = "true"
                return Accepted(record.object_id, record.body or {}, replayed=True)
            generation = studio.request_generation(actor, spec)
            self._charge(actor, requests=0, tokens=generation.held_tokens)
            body = generation_body(generation)
            idempotency.complete(record, 202, body, generation.pk)
        return Accepted(generation.pk, body)
