"""Registering models, moving aliases, and finding out what a name means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef
from django.utils import timezone

from apps.core.errors import InvalidRequest, ModelNotFound
from apps.core.statements import rows_of
from apps.registry.models import Backend, ModelAlias, ModelVersion

DEFAULT_ALIAS = "default"
HOUSE_MODEL = "house-text-1"
HOUSE_FOLDER = "ml/house/text"
# Asked with every request, in one step; to put such a query together anew takes Django longer than its answer.
_RESOLVE = """
SELECT :columns FROM registry_modelversion WHERE enabled AND (
    name = %(name)s OR id = (SELECT version_id FROM registry_modelalias WHERE name = %(name)s)
) ORDER BY name = %(name)s LIMIT 1
"""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,119}")
# Until the operator says otherwise, when a remote server or an undownloaded model cannot be asked.
ASSUMED_CONTEXT = 4096


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    """What an operator says of a model; see ModelVersion for the meaning of each field."""

    name: str
    source: str = ""
    revision: str = ""
    remote_url: str = ""
    remote_model: str = ""
    credential: str = ""
    context_length: int = 0
    input_price: Decimal = Decimal(0)
    output_price: Decimal = Decimal(0)
    follows_instructions: bool = True


def resolve(name: str) -> ModelVersion:
    """The enabled version that an alias or a version name means; raises ModelNotFound."""
    # What cannot be a name is not asked of the database, which refuses some characters.
    version = next(iter(rows_of(ModelVersion, _RESOLVE, {"name": name})), None) if NAME.fullmatch(name) else None
    if not version:
        raise ModelNotFound("There is no model named %(name)r.", values={"name": name[:120]}, param="model")
    return version


def default_version() -> ModelVersion | None:
    """What is written with where nobody names a model; None where there is none at this moment."""
    return ModelVersion.objects.filter(enabled=True, aliases__name=DEFAULT_ALIAS).first()


def available() -> list[tuple[str, ModelVersion]]:
    """Every name that `resolve` knows, aliases first, each with the version it means."""
    aliases = ModelAlias.objects.filter(version=OuterRef("pk")).values("name")
    versions = list(ModelVersion.objects.filter(enabled=True).annotate(called=ArraySubquery(aliases)).order_by("name"))
    called = [(name, version) for version in versions for name in version.called]
    return sorted(called, key=lambda pair: pair[0]) + [(version.name, version) for version in versions]


def local_folder(version: ModelVersion) -> Path | None:
    """The folder of a local model's files; None for a Hugging Face id or a remote model."""
    if version.backend != Backend.LOCAL:
        return None
    folder = Path(settings.BASE_DIR) / version.source
    return folder if folder.is_dir() else None


@transaction.atomic
def register_model(definition: ModelDefinition) -> ModelVersion:
    """Adds a model under its name, or brings prices and limits of the one already there up to date.

    What a name means never changes: InvalidRequest if it is registered with another source, revision or server.
    """
    if not NAME.fullmatch(definition.name):
        raise InvalidRequest("%(name)r cannot be a model's name.", values={"name": definition.name}, param="name")
    if bool(definition.source) == bool(definition.remote_url):
        raise InvalidRequest("A model has either a source or a remote URL.", param="source")
    identity = {
        "backend": Backend.REMOTE if definition.remote_url else Backend.LOCAL,
        "source": definition.source,
        "revision": definition.revision,
        "remote_url": definition.remote_url,
        "remote_model": definition.remote_model,
    }
    version, _ = ModelVersion.objects.update_or_create(
        name=definition.name, defaults=_terms(definition), create_defaults=identity | _terms(definition)
    )
    changed = [key for key, value in identity.items() if getattr(version, key) != value]
    if changed:
        raise InvalidRequest(
            "%(name)s is registered already with another %(what)s; take a new name.",
            values={"name": definition.name, "what": ", ".join(changed)},
            param="name",
        )
    return version


def _terms(definition: ModelDefinition) -> dict[str, Any]:
    """What an operator may change of a registered model."""
    context = definition.context_length or _context_of(definition.source)
    return {
        "credential": definition.credential,
        "context_length": context,
        "max_output_tokens": context - 1,
        "input_price": definition.input_price,
        "output_price": definition.output_price,
        "follows_instructions": definition.follows_instructions,
    }


def _context_of(source: str) -> int:
    """The context length a model's own configuration gives, when its folder is at hand."""
    path = Path(settings.BASE_DIR) / source / "config.json"
    if not source or not path.is_file():
        return ASSUMED_CONTEXT
    config = json.loads(path.read_text())
    return int(config.get("max_position_embeddings") or config.get("n_positions") or ASSUMED_CONTEXT)


@transaction.atomic
def move_alias(alias: str, version_name: str) -> ModelAlias:
    """Points an alias at another version; work already queued keeps the version it was accepted with."""
    version = ModelVersion.objects.filter(name=version_name, enabled=True).first()
    if version is None:
        raise ModelNotFound("There is no model named %(name)r.", values={"name": version_name}, param="model")
    if not NAME.fullmatch(alias) or ModelVersion.objects.filter(name=alias).exists():
        raise InvalidRequest(
            "%(alias)r cannot be an alias: it is a model's own name, or not a name.",
            values={"alias": alias},
            param="alias",
        )
    moved, _ = ModelAlias.objects.update_or_create(
        name=alias, defaults={"version": version, "moved_at": timezone.now()}
    )
    return moved


def definition_from_setting(value: str) -> ModelDefinition:
    """Reads DEFAULT_MODEL: `house`, `hf:ORG/NAME@REVISION`, `path:FOLDER` or `remote:MODEL@URL`."""
    if value == "house":
        return ModelDefinition(
            name=HOUSE_MODEL,
            source=HOUSE_FOLDER,
            input_price=Decimal("0.0005"),
            output_price=Decimal("0.0015"),
            follows_instructions=False,
        )
    kind, _, rest = value.partition(":")
    target, _, tail = rest.partition("@")
    if kind == "hf" and target and tail:
        return ModelDefinition(name=f"{target}@{tail[:12]}", source=target, revision=tail)
    if kind == "path" and rest:
        return ModelDefinition(name=Path(rest).name, source=rest)
    if kind == "remote" and target and tail.startswith(("http://", "https://")):
        return ModelDefinition(name=target, remote_url=tail, remote_model=target, credential="REMOTE_MODEL_API_KEY")
    raise InvalidRequest(
        "DEFAULT_MODEL must be house, hf:ORG/NAME@REVISION, path:FOLDER or remote:MODEL@URL.", param="DEFAULT_MODEL"
    )


def ensure_default_model() -> ModelVersion:
    """Registers the house model and what DEFAULT_MODEL names, and points `default` there on a new installation.

    An alias that the operator has moved by hand stays, unless the setting names another model than before.
    """
    register_model(definition_from_setting("house"))
    version = register_model(definition_from_setting(settings.DEFAULT_MODEL))
    alias = ModelAlias.objects.filter(name=DEFAULT_ALIAS).first()
    if alias is None or settings.DEFAULT_MODEL != "house":
        move_alias(DEFAULT_ALIAS, version.name)
    return version
