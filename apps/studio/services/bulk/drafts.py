"""What a run asks: set while it is a draft, checked against every row, and counted before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any
from uuid import UUID

from apps.accounts.access import Actor
from apps.core import crypto, tenancy
from apps.core.errors import Conflict, ContextLengthExceeded, InvalidRequest
from apps.core.said import said
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.studio.models import BrandVoiceVersion, BulkRow, BulkRun, Origin, RowState, RunState, TemplateVersion
from apps.studio.requests import GenerationSpec, checked
from apps.studio.services import safety, templates
from apps.studio.services.admission import TEMPLATE_TOKENS_PER_MESSAGE
from apps.studio.services.bulk.taking import WRITE, get_run
from ml.text.placeholders import PLACE, filled, places_in
from ml.text.tokens import count_chat_tokens
from ml.types import Message, SamplingParams
from ml.words import Words

LONGEST_PROMPT = 100_000
# Prompts of so many rows are counted token by token; of more, the rest by what these had to a byte.
COUNTED_ROWS = 2_000
BATCH = 1_000
SET = [
    "prompt",
    "originals",
    "template",
    "template_version",
    "mapping",
    "model_name",
    "max_tokens",
    "sampling",
    "estimate",
]
SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty", "seed", "min_tokens", "stop")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is asked about each row: a prompt with places, or a template and which column fills which variable."""

    prompt: str = ""
    template: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    model: str = "default"
    max_tokens: int = 256
    sampling: Mapping[str, Any] = field(default_factory=dict)


class RowProblem(Exception):
    """Why a row cannot be asked about, with a stable code."""

    def __init__(self, code: str, template: str, /, **values: object) -> None:
        self.code, self.message = code, Words(template, **values)
        super().__init__(self.message)


def configure_run(actor: Actor, id: UUID, draft: Draft) -> BulkRun:
    """Sets what a draft asks, finds the rows that cannot be asked, and counts what the others take at most.

    Raises InvalidRequest naming the part of the draft that is wrong, and Conflict for a run that has been started.
    """
    actor.require(WRITE)
    run = get_run(actor, id)
    version = templates.version_of(actor, draft.template) if draft.template else None
    if version is not None and version.template.archived_at is not None:
        raise Conflict("This template is archived; it writes nothing.")
    _check(run, draft, version)
    model = registry.resolve(draft.model)
    run.template, run.mapping = draft.template, dict(draft.mapping)
    _set_prompt(run, draft.prompt)
    run.template_version = version
    run.model_name, run.max_tokens, run.sampling = draft.model, draft.max_tokens, dict(draft.sampling)
    with tenancy.scope(actor.organization_id):
        locked: BulkRun = BulkRun.objects.select_for_update().get(pk=id)
        if locked.state != RunState.DRAFT:
            raise Conflict("This run has been started; what it asks stays what it is.")
        run.estimate = _judge_rows(actor, run, model)
        run.save(update_fields=SET)
    return run


def _set_prompt(run: BulkRun, prompt: str) -> None:
    """Masked as its rows are, with placeholders of its own; what was masked in it before is known again."""
    given = safety.unmasked(prompt, run.originals_kept)
    pieces = PLACE.split(given)
    # Between what is said stand the names of columns, which stay what they are.
    said_in_it, places = pieces[::2], [match.group() for match in PLACE.finditer(given)]
    masker = safety.Masker.of(run.organization_id)
    stored = masker.masked(said_in_it)
    if stored.values != said_in_it:
        with tenancy.scope(run.organization_id):
            cells = BulkRow.objects.filter(run=run).values_list("values", flat=True)
            stored = masker.masked(said_in_it, cells.iterator(chunk_size=BATCH))
    run.prompt = "".join(piece + place for piece, place in zip_longest(stored.values, places, fillvalue=""))
    crypto.seal_into(run, "originals", stored.originals)


def _check(run: BulkRun, draft: Draft, version: TemplateVersion | None) -> None:
    if bool(draft.prompt.strip()) == bool(draft.template):
        raise InvalidRequest("Give a prompt or choose a template.", param="prompt")
    if len(draft.prompt) > LONGEST_PROMPT:
        raise InvalidRequest(
            "A prompt has at most %(most)s characters.", values={"most": LONGEST_PROMPT}, param="prompt"
        )
    for name in (*places_in(draft.prompt), *draft.mapping.values()):
        if name not in run.columns:
            param = "mapping" if draft.template else "prompt"
            raise InvalidRequest("There is no column “%(name)s”.", values={"name": name}, param=param)
    variables = {variable.name for variable in version.fields} if version else set()
    if unknown := sorted(set(draft.mapping) - variables):
        raise InvalidRequest("The template has no variable %(name)s.", values={"name": unknown[0]}, param="mapping")
    if unknown := sorted(set(draft.sampling) - set(SAMPLING)):
        raise InvalidRequest("There is no setting %(name)s.", values={"name": unknown[0]}, param=unknown[0])
    # The same checks as for any text; what each row says is checked when it is filled in.
    checked(replace(_spec(draft), messages=(Message("user", "-"),)))


def _spec(draft: Draft) -> GenerationSpec:
    values = dict(draft.sampling)
    if "stop" in values:
        values["stop"] = tuple(values["stop"])
    sampling = SamplingParams(**values)
    return GenerationSpec(model=draft.model, max_tokens=draft.max_tokens, sampling=sampling, origin=Origin.BULK)


def rendered(actor: Actor, run: BulkRun, row: BulkRow, spoken: BrandVoiceVersion | None = None) -> GenerationSpec:
    """What is asked about a row; RowProblem for one that does not say what is needed.

    Whoever asks for many rows finds the voice once: `spoken`.
    """
    draft = Draft(model=run.model_name, max_tokens=run.max_tokens, sampling=run.sampling)
    cells = safety.unmasked(row.values, row.originals_kept)
    try:
        if run.template_version is not None:
            version = run.template_version
            return checked(_from_template(run, version, cells, spoken or templates.voice_of(version)))
        return checked(replace(_spec(draft), messages=(Message("user", _prompt_of(run, cells)),)))
    except InvalidRequest as error:
        raise RowProblem(error.code, error.template, **(error.values or {})) from None


def voice_of(run: BulkRun) -> BrandVoiceVersion | None:
    """The voice of all its rows now; in the organization's scope."""
    return templates.voice_of(run.template_version) if run.template_version is not None else None


def _from_template(
    run: BulkRun, version: TemplateVersion, cells: Mapping[str, str], spoken: BrandVoiceVersion | None
) -> GenerationSpec:
    values = {}
    for variable in version.fields:
        cell = cells.get(run.mapping.get(variable.name, ""), "")
        values[variable.name] = {"name": variable.name, "text": cell} if variable.is_source and cell else cell
    sampling = dict(run.sampling)
    if "stop" in sampling:
        sampling["stop"] = tuple(sampling["stop"])
    made = templates.render_version(version, values, spoken)
    return made.spec(Origin.BULK, model=run.model_name, max_tokens=run.max_tokens, **sampling)


def _prompt_of(run: BulkRun, values: Mapping[str, str]) -> str:
    for name in places_in(run.prompt):
        if not values.get(name, "").strip():
            raise RowProblem("row_incomplete", "“%(name)s” is empty in this row.", name=name)
    return filled(safety.unmasked(run.prompt, run.originals_kept), values)


@dataclass(slots=True)
class _Count:
    """What the rows take at most, as it is added up."""

    rows: int = 0
    tokens: int = 0
    counted: int = 0
    counted_bytes: int = 0
    other_bytes: int = 0

    def as_estimate(self, invalid: int, max_tokens: int) -> dict[str, Any]:
        rest = -(-self.other_bytes * self.tokens // self.counted_bytes) if self.counted_bytes else 0
        return {
            "rows": self.rows,
            "invalid": invalid,
            "prompt_tokens": self.tokens + rest,
            "completion_tokens": self.rows * max_tokens,
            "exact": not self.other_bytes,
        }


def _judge_rows(actor: Actor, run: BulkRun, model: ModelVersion) -> dict[str, Any]:
    """Marks every row as ready or invalid, and adds up what the ready ones ask."""
    count, invalid, folder, spoken = _Count(), 0, registry.local_folder(model), voice_of(run)
    last = 0
    while rows := list(BulkRow.objects.filter(run=run, number__gt=last).order_by("number")[:BATCH]):
        changed: list[BulkRow] = []
        for row in rows:
            if row.problem_code == "row_unreadable":
                invalid += 1
                continue
            before = (row.state, row.problem)
            row.state, row.problem_code, row.problem, row.problem_said = RowState.READY, "", "", {}
            try:
                _add(count, rendered(actor, run, row, spoken).messages, model, folder)
            except RowProblem as problem:
                row.state, row.problem_code = RowState.INVALID, problem.code
                row.problem, row.problem_said = problem.message, said(problem.message)
                invalid += 1
            if (row.state, row.problem) != before:
                changed.append(row)
        BulkRow.objects.bulk_update(changed, ["state", "problem_code", "problem", "problem_said"])
        last = rows[-1].number
    return count.as_estimate(invalid, run.max_tokens)


def _add(count: _Count, messages: Sequence[Message], model: ModelVersion, folder: Any) -> None:
    size = sum(len(message.content.encode()) for message in messages)
    if count.counted >= COUNTED_ROWS:
        count.rows += 1
        count.other_bytes += size
        return
    tokens = _tokens(messages, size, folder)
    if tokens >= model.context_length and folder:
        raise RowProblem(
            ContextLengthExceeded.code,
            "The prompt alone has %(tokens)s tokens; the context holds %(most)s.",
            tokens=tokens,
            most=model.context_length,
        )
    count.rows += 1
    count.counted += 1
    count.tokens += tokens
    count.counted_bytes += size


def _tokens(messages: Sequence[Message], size: int, folder: Any) -> int:
    """Counted with the model's own tokenizer, or a token a byte where that is not at hand."""
    try:
        counted = count_chat_tokens(folder, messages) if folder else None
    except ValueError as error:
        raise RowProblem("invalid_request", "%(reason)s.", reason=str(error)[:300]) from None
    return counted if counted is not None else size + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)
