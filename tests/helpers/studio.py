"""Generations for tests: through the service as a customer asks for them, or as bare rows for the job machinery."""

from typing import Any

from apps.billing import services as billing
from apps.billing.models import LedgerEntry
from apps.core import jobs, tenancy
from apps.core.jobs import Status
from apps.core.models import Event
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation, Kind
from apps.studio.requests import GenerationSpec
from apps.studio.services import Outcome
from ml.types import Message, SamplingParams
from tests.helpers.people import Tenant


def spec(text: str = "Write a line about tea.", max_tokens: int = 20, **sampling: Any) -> GenerationSpec:
    return GenerationSpec(
        messages=(Message("user", text),), max_tokens=max_tokens, sampling=SamplingParams(**{"seed": 1} | sampling)
    )


def ask(tenant: Tenant, text: str = "Write a line about tea.", max_tokens: int = 20) -> Generation:
    """A queued generation with its hold on the ledger."""
    return studio.request_generation(tenant.actor, spec(text, max_tokens))


def row(tenant: Tenant, model: ModelVersion, **fields: Any) -> Generation:
    """An unsaved row without a hold, for tests of queues and leases."""
    defaults = {
        "organization_id": tenant.id,
        "kind": Kind.CHAT,
        "model": model,
        "model_name": "default",
        "messages": [{"role": "user", "content": "Tea."}],
        "max_tokens": 20,
        "temperature": 1.0,
        "top_p": 1.0,
        "seed": 1,
        "held_tokens": 30,
    }
    return Generation(**defaults | fields)


def add_rows(tenant: Tenant, model: ModelVersion, count: int, **fields: Any) -> list[Generation]:
    with tenancy.scope(tenant.id):
        return Generation.objects.bulk_create([row(tenant, model, **fields) for _ in range(count)])


def reread(tenant: Tenant, generation: Generation) -> Generation:
    with tenancy.scope(tenant.id):
        return Generation.objects.select_related("model").get(pk=generation.pk)


def states(tenant: Tenant) -> dict[str, int]:
    """How many generations the organization has in each state."""
    with tenancy.scope(tenant.id):
        found = list(Generation.objects.values_list("status", flat=True))
    return {str(status): found.count(status) for status in Status if status in found}


SUCCESS = Outcome(Status.SUCCEEDED, "Tea, at last.", "stop", prompt_tokens=10, completion_tokens=5)


def ledger(tenant: Tenant) -> list[tuple[str, int]]:
    """Kind and tokens of the organization's entries, oldest first."""
    with tenancy.scope(tenant.id):
        return list(LedgerEntry.objects.order_by("job_id", "kind").values_list("kind", "tokens"))


def held(tenant: Tenant) -> int:
    return billing.usage_summary(tenant.id).held


def event_types(tenant: Tenant) -> list[str]:
    with tenancy.scope(tenant.id):
        found = Event.objects.filter(type__startswith="generation.").order_by("position")
        return list(found.values_list("type", flat=True))


def start() -> Generation:
    """Claims the next generation as a worker would."""
    [generation] = jobs.claim(Generation, "w1", 1)
    return generation


def finish(generation: Generation, outcome: Outcome = SUCCESS, attempt: int | None = None) -> bool:
    attempt = generation.attempt if attempt is None else attempt
    return studio.finish_generation(generation.organization_id, generation.pk, attempt, outcome)
