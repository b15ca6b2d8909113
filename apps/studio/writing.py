"""How texts are written for parts of the product that ask for them: as any other, and counted like them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.core import streams, tenancy
from apps.core.jobs import TERMINAL
from apps.core.writing import Wanted, Written
from apps.studio import services as studio
from apps.studio import throttle
from apps.studio.models import Generation, Origin
from apps.studio.requests import GenerationSpec
from apps.studio.services.endings import empty_desk_text
from apps.studio.streaming import follow
from ml.types import SamplingParams


class StudioWriter:
    """What `apps.core.writing.Writer` asks for. Whether the actor may ask at all is the asking part's to decide."""

    def ask(
        self, actor: Actor, wanted: Wanted, then: Callable[[UUID], None], before: Callable[[], None] | None = None
    ) -> UUID:
        able, limits = _able(actor), billing.limits_of(actor.organization_id)
        spec = GenerationSpec(
            model=wanted.model,
            messages=wanted.messages,
            max_tokens=wanted.max_tokens,
            sampling=SamplingParams(temperature=wanted.temperature),
            deadline_seconds=wanted.deadline_seconds,
            origin=Origin(wanted.feature),
        )
        throttle.charge(able, limits, requests=1, tokens=0)
        prepared = studio.prepare(able, spec, limits)

        def accept() -> UUID:
            with tenancy.scope(actor.organization_id):
                if before is not None:
                    before()
                id = studio.accept(prepared).pk
                then(id)
            return id

        return throttle.accept_within(prepared, accept, lambda _: True)[0]

    def look(self, organization_id: UUID, id: UUID, *, so_far: bool = False) -> Written | None:
        with tenancy.scope(organization_id):
            rows = Generation.objects.select_related("model").filter(pk=id, origin=Origin.SUPPORT)
            row: Generation | None = rows.first()
        if row is None:
            return None
        ended = row.status in TERMINAL
        text = row.text if ended else streams.text_so_far(row.pk) if so_far and not row.held_back else ""
        return Written(row.status, row.model.name, ended, text, row.error_code, row.error_message)

    def stop(self, actor: Actor, id: UUID) -> None:
        studio.cancel_generation(_able(actor), id, for_desk=True)

    def forget(self, organization_id: UUID, id: UUID) -> None:
        empty_desk_text(organization_id, id)

    def follow(self, actor: Actor, id: UUID, after: str, permission: str) -> AsyncGenerator[dict[str, Any]]:
        return follow(actor, id, after, permission=permission, for_desk=True)


def _able(actor: Actor) -> Actor:
    return replace(actor, permissions=actor.permissions | {"generations:write"})


WRITER = StudioWriter()
