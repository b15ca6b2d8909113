"""Asking for a run: each of its texts is a generation, and all of them are held and accepted, or none."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.billing.entitlements import Limits
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.ids import uuid7
from apps.studio.models import Generation, Run, RunKind, RunStep, Variant
from apps.studio.requests import MAX_SEED, GenerationSpec
from apps.studio.services.admission import Prepared, accept, prepare
from apps.studio.services.feedback import author_of
from apps.studio.services.retries import sources_of
from ml.text.brief import Brief
from ml.types import Message

MOST_VARIANTS = 8
TITLE_CHARS = 80
NO_VARIANT = gettext_noop("There is no variant with this id.")
TEXT_GONE = gettext_noop("This text was removed, and nothing can be written from it any more.")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run asks for: `spec` with `count` neighbouring seeds, at each of the temperatures, or of two models.

    `parent` is the variant from which it comes, and `step` says how.
    """

    spec: GenerationSpec
    kind: str = RunKind.SEEDS
    count: int = 3
    temperatures: tuple[float, ...] = ()
    models: tuple[str, ...] = ()
    parent: UUID | None = None
    step: str = RunStep.FIRST


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that may be accepted; its texts in the order in which they stand side by side."""

    request: RunRequest
    texts: tuple[Prepared, ...]


def specs_of(request: RunRequest) -> tuple[GenerationSpec, ...]:
    """One request for each variant, with every seed written down; raises InvalidRequest."""
    spec = request.spec
    seed = spec.sampling.seed
    # Room above for the seeds of the other variants.
    seed = secrets.randbits(53) if seed is None else seed
    match request.kind:
        case RunKind.SEEDS:
            _check_count(request.count, least=1, param="count")
            if seed + request.count - 1 > MAX_SEED:
                raise InvalidRequest("This seed leaves no room for those of the other variants.", param="seed")
            seeded = ((seed + n, spec.sampling.temperature, spec.model) for n in range(request.count))
        case RunKind.TEMPERATURES:
            _check_count(len(request.temperatures), least=2, param="temperatures")
            if len(set(request.temperatures)) < len(request.temperatures):
                raise InvalidRequest("Give each temperature once.", param="temperatures")
            seeded = ((seed, temperature, spec.model) for temperature in request.temperatures)
        case RunKind.MODELS:
            if len(request.models) != 2 or request.models[0] == request.models[1]:
                raise InvalidRequest("Give two different models.", param="models")
            shuffled = secrets.SystemRandom().sample(request.models, 2)
            seeded = ((seed, spec.sampling.temperature, name) for name in shuffled)
        case _:
            raise InvalidRequest("There is no such kind of run.", param="kind")
    return tuple(
        replace(spec, model=model, origin="run", sampling=replace(spec.sampling, seed=number, temperature=temperature))
        for number, temperature, model in seeded
    )


def _check_count(count: int, least: int, param: str) -> None:
    if not least <= count <= MOST_VARIANTS:
        raise InvalidRequest(
            "A run has %(least)s to %(most)s variants.", values={"least": least, "most": MOST_VARIANTS}, param=param
        )


def prepare_run(
    actor: Actor, request: RunRequest, specs: Sequence[GenerationSpec], limits: Limits | None = None
) -> PreparedRun:
    """Everything that needs no lock, of every variant; raises what `prepare` raises."""
    texts = tuple(prepare(actor, spec, limits) for spec in specs)
    if request.kind == RunKind.MODELS and texts[0].model == texts[1].model:
        raise InvalidRequest("Both names mean the same model.", param="models")
    if request.parent is not None:
        with tenancy.scope(actor.organization_id):
            if not Variant.objects.filter(pk=request.parent).exists():
                raise NotFound(NO_VARIANT, param="parent")
    return PreparedRun(request, texts)


def accept_run(actor: Actor, prepared: PreparedRun) -> Run:
    """All of the texts with their holds in one transaction; a refusal of any leaves nothing of the run behind."""
    request = prepared.request
    with tenancy.scope(actor.organization_id):
        parent = Variant.objects.select_related("run").filter(pk=request.parent).first() if request.parent else None
        id = uuid7()
        generations = [accept(text) for text in prepared.texts]
        run: Run = Run.objects.create(
            id=id,
            organization_id=actor.organization_id,
            kind=request.kind,
            step=request.step if parent else RunStep.FIRST,
            title=generations[0].title[:TITLE_CHARS],
            parent=parent,
            root=parent.run.root if parent else id,
            created_by_id=actor.user_id,
            api_key_id=actor.api_key_id,
        )
        Variant.objects.bulk_create(
            Variant(
                organization_id=actor.organization_id,
                run=run,
                position=position,
                generation=generation,
                model_id=generation.model_id,
            )
            for position, generation in enumerate(generations)
        )
        run.refresh_from_db()
        events.record("run.created", run.pk, {"kind": run.kind, "variants": len(generations)})
    return run


# ---------------------------------------------------------------- from an earlier variant


def written_again(actor: Actor, variant_id: UUID, count: int = 3) -> RunRequest:
    """The same request with other seeds."""
    spec = spec_of(text_of(actor, variant_id))
    spec = replace(spec, sampling=replace(spec.sampling, seed=None))
    return RunRequest(spec, RunKind.SEEDS, count, parent=variant_id, step=RunStep.AGAIN)


def repeated_exactly(actor: Actor, variant_id: UUID) -> RunRequest:
    """The same request with the same seed of the same version of the model, which gives the same text."""
    return RunRequest(spec_of(text_of(actor, variant_id)), RunKind.SEEDS, 1, parent=variant_id, step=RunStep.REPEAT)


def text_of(actor: Actor, variant_id: UUID) -> Generation:
    """The text of a variant; NotFound, or Conflict where retention has removed it or a vote is still to come.

    What is written from one of two models' texts would tell which model it is.
    """
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        rows = Variant.objects.filter(pk=variant_id).select_related("generation__model", "run")
        variant: Variant | None = rows.first()
    if variant is None:
        raise NotFound(NO_VARIANT)
    if variant.generation is None:
        raise Conflict(TEXT_GONE)
    with tenancy.scope(actor.organization_id):
        if variant.run.is_blind and not variant.run.votes.filter(**author_of(actor)).exists():
            raise Conflict("Vote first: what is written from this text would tell which model it is of.")
    generation: Generation = variant.generation
    return generation


def spec_of(generation: Generation) -> GenerationSpec:
    """What a text was asked for, of the version that wrote it, wherever an alias points by now."""
    brief = generation.brief
    return GenerationSpec(
        model=generation.model.name,
        messages=tuple(Message(turn["role"], turn["content"]) for turn in generation.messages),
        prompt=None if generation.messages else generation.prompt,
        max_tokens=generation.max_tokens,
        sampling=generation.sampling(),
        brief=Brief(**brief | {"key_points": tuple(brief["key_points"])}) if brief else None,
        sources=sources_of(generation),
    )
