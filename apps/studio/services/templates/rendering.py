"""Rendering: a template's version, what was filled in and a voice, made into the messages for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import UUID

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict
from apps.studio.errors import TemplateInvalid, VariableInvalid, unreadable
from apps.studio.models import BrandVoiceVersion, Origin, TemplateVersion
from apps.studio.requests import GenerationSpec, Sources
from apps.studio.services import pages, voices
from apps.studio.services.templates.finding import READ, resolve
from ml.text import prompts, voicing
from ml.text.prompts import PromptError, Source, Value
from ml.text.variables import Type, VariableError, values_of
from ml.types import Message, SamplingParams

DEFAULT_MODEL = "default"
# What a template may set of how its text is sampled.
SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty", "min_tokens", "stop")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a model is given, and what it was made from; `variables` are the values as JSON."""

    messages: tuple[Message, ...]
    model: str
    sampling: SamplingParams
    max_tokens: int | None
    version: TemplateVersion
    voice_version: BrandVoiceVersion | None
    variables: Mapping[str, Any]

    def spec(self, origin: str = Origin.TEMPLATE, **changes: Any) -> GenerationSpec:
        """The request for a generation; `changes` replace fields of it, those of sampling by their own names."""
        names = {field.name for field in fields(SamplingParams)} - {"max_tokens"}
        sampling = {name: changes.pop(name) for name in list(changes) if name in names}
        spec = GenerationSpec(
            model=self.model,
            messages=self.messages,
            max_tokens=self.max_tokens,
            sampling=replace(self.sampling, **sampling),
            origin=origin,
            sources=Sources(
                template_version_id=self.version.pk,
                voice_version_id=self.voice_version.pk if self.voice_version else None,
                variables=self.variables,
            ),
        )
        return replace(spec, **changes)


def render(actor: Actor, reference: str | UUID, variables: Mapping[str, Any], voice: str | None = None) -> Rendered:
    """Renders the version that `slug`, `slug@label`, `slug@number` or an id means. Call it outside of transactions.

    `voice` is a voice's slug, or `slug@number`; None takes the template's own voice, "" none at all. Raises NotFound,
    LabelNotSet, VariableInvalid or TemplateInvalid, and for variables that are pages what `pages.texts_of` raises.
    """
    if READ not in actor.permissions:
        actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        version = resolve(actor, reference)
        if version.template.archived_at is not None:
            raise Conflict("This template is archived.", param="template")
    filled = _with_pages(actor, version, variables)
    with tenancy.scope(actor.organization_id):
        return render_version(version, filled, voice_of(version, voice))


def _with_pages(actor: Actor, version: TemplateVersion, given: Mapping[str, Any]) -> dict[str, Any]:
    """What was filled in, with the texts of pages in the place of their addresses."""
    filled = dict(given)
    named = [variable.name for variable in version.fields if variable.type == Type.URL and given.get(variable.name)]
    addresses = {name: _addresses(given[name]) for name in named}
    if not any(addresses.values()):
        return filled
    texts = pages.texts_of(actor, [each for found in addresses.values() for each in found if isinstance(each, str)])
    for name, found in addresses.items():
        filled[name] = [texts[each] if isinstance(each, str) else each for each in found]
    return filled


def _addresses(value: Any) -> list[Any]:
    """One address, one a line, or a list of them; what has its text already stays as it is."""
    if isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    return list(value) if isinstance(value, list | tuple) else [value]


def render_version(
    version: TemplateVersion, variables: Mapping[str, Any], spoken: BrandVoiceVersion | None
) -> Rendered:
    """The same for a version and a voice that the caller has found, without a question to the database."""
    values = _values(version, variables)
    system = "\n\n".join(
        filter(
            None, [voicing.system_message(spoken.spec) if spoken else "", _written(version.system, values, "system")]
        )
    )
    user = _written(version.prompt, values, "prompt")
    if not user.strip():
        raise TemplateInvalid("With these values the prompt is empty.", param="prompt")
    messages = (Message("system", system),) if system else ()
    return Rendered(
        messages=(*messages, Message("user", user)),
        model=version.model_name or DEFAULT_MODEL,
        sampling=sampling_of(version.sampling),
        max_tokens=version.max_tokens,
        version=version,
        voice_version=spoken,
        variables={name: _as_json(value) for name, value in values.items() if value},
    )


def sampling_of(stored: Mapping[str, Any]) -> SamplingParams:
    values = {name: stored[name] for name in SAMPLING if name in stored}
    if "stop" in values:
        values["stop"] = tuple(values["stop"])
    return SamplingParams(**values)


def voice_of(version: TemplateVersion, voice: str | None = None) -> BrandVoiceVersion | None:
    """The voice in which it speaks now, or another one that is asked for; in the organization's scope."""
    if voice:
        return voices.version_for(voice)
    own = version.voice if voice is None else None
    # An archived voice is out of use, also where a template still names it.
    return voices.newest(own) if own is not None and own.archived_at is None else None


def _values(version: TemplateVersion, given: Mapping[str, Any]) -> dict[str, Value]:
    try:
        return values_of(version.fields, {name: _from_json(value) for name, value in given.items()})
    except VariableError as error:
        raise VariableInvalid(error.template, values=error.values or None, param=f"variables.{error.name}") from None


def _written(source: str, values: Mapping[str, Value], param: str) -> str:
    try:
        return prompts.parse(source).render(values) if source else ""
    except PromptError as error:
        raise unreadable(error, param) from None


def _from_json(value: Any) -> Any:
    """Files and pages come as `{"name", "text"}`, so that whoever has read them can hand them over as JSON."""
    if isinstance(value, Mapping):
        if set(value) == {"name", "text"} and all(isinstance(part, str) for part in value.values()):
            return Source(value["name"], value["text"])
        return value
    return [_from_json(item) for item in value] if isinstance(value, list | tuple) else value


def _as_json(value: Value) -> Any:
    if isinstance(value, Source):
        return {"name": value.name, "text": value.text}
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value
