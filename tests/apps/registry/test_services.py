"""A model's name means one immutable version; aliases move."""

import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import override_settings

from apps.core.errors import InvalidRequest, ModelNotFound
from apps.registry import services as registry
from apps.registry.models import Backend, ModelAlias, ModelVersion
from apps.registry.services import HOUSE_MODEL, ModelDefinition

pytestmark = pytest.mark.django_db


def register(name: str, **fields: Any) -> ModelVersion:
    return registry.register_model(ModelDefinition(name, **{"source": "org/model", "revision": "abc"} | fields))


def test_an_alias_and_a_name_mean_a_version() -> None:
    version = register("first")
    registry.move_alias("default", "first")
    assert registry.resolve("default") == registry.resolve("first") == registry.default_version() == version
    assert registry.available() == [("default", version), ("first", version)]


@pytest.mark.parametrize("name", ["missing", "", "x" * 5000, "FIRST", "'; DROP TABLE", "名字"])
def test_an_unknown_name_is_a_typed_error(name: str) -> None:
    register("first")
    with pytest.raises(ModelNotFound) as refused:
        registry.resolve(name)
    assert (refused.value.status, refused.value.param) == (404, "model")
    assert len(refused.value.message) < 200


def test_a_moved_alias_means_the_other_version_and_may_move_back() -> None:
    first, second = register("first"), register("second")
    for name, meant in (("first", first), ("second", second), ("first", first)):
        registry.move_alias("default", name)
        assert registry.resolve("default") == meant
    assert ModelAlias.objects.count() == 1


def test_a_disabled_version_is_not_offered() -> None:
    register("first")
    registry.move_alias("default", "first")
    ModelVersion.objects.update(enabled=False)
    assert registry.available() == []
    assert registry.default_version() is None, "pages say so, and do not fail"
    for name in ("default", "first"):
        with pytest.raises(ModelNotFound):
            registry.resolve(name)
    with pytest.raises(ModelNotFound):
        registry.move_alias("other", "first")


def test_registering_again_changes_nothing_and_a_change_is_refused() -> None:
    first = register("first")
    assert register("first") == first
    with pytest.raises(InvalidRequest, match="revision"):
        register("first", revision="def")
    assert ModelVersion.objects.count() == 1


@pytest.mark.parametrize(
    "definition",
    [
        ModelDefinition("", source="x"),
        ModelDefinition("has space", source="x"),
        ModelDefinition("x" * 121, source="x"),
        ModelDefinition("-dash", source="x"),
        ModelDefinition("neither"),
        ModelDefinition("both", source="x", remote_url="http://x/v1"),
    ],
    ids=lambda definition: definition.name[:12] or "empty",
)
def test_a_senseless_definition_is_refused(definition: ModelDefinition) -> None:
    with pytest.raises(InvalidRequest):
        registry.register_model(definition)
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize("alias", ["first", "", "a b"])
def test_an_alias_may_not_hide_a_version(alias: str) -> None:
    register("first")
    with pytest.raises(InvalidRequest):
        registry.move_alias(alias, "first")


def test_postgres_itself_keeps_a_version_to_one_backend() -> None:
    for fields in ({"backend": "local", "source": ""}, {"backend": "remote", "source": "x", "remote_url": "http://x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ModelVersion.objects.create(name="x", context_length=1, max_output_tokens=1, **fields)


def test_limits_come_from_the_models_own_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 777}))
    version = register("local", source=str(tmp_path), revision="")
    assert (version.backend, version.context_length, version.max_output_tokens) == (Backend.LOCAL, 777, 776)
    assert registry.local_folder(version) == tmp_path
    assert register("remote", source="", revision="", remote_url="http://x/v1").context_length > 0
    assert registry.local_folder(registry.resolve("remote")) is None


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("house", {"name": HOUSE_MODEL, "source": registry.HOUSE_FOLDER}),
        ("hf:org/model@0123456789abcdef", {"name": "org/model@0123456789ab", "revision": "0123456789abcdef"}),
        ("path:/models/mine", {"name": "mine", "source": "/models/mine"}),
        ("remote:llama@https://gpu.example/v1", {"name": "llama", "remote_url": "https://gpu.example/v1"}),
    ],
)
def test_the_default_model_is_a_setting(setting: str, expected: dict[str, str]) -> None:
    definition = registry.definition_from_setting(setting)
    assert {name: getattr(definition, name) for name in expected} == expected


@pytest.mark.parametrize("setting", ["", "nonsense", "hf:org/model", "hf:@x", "remote:x@ftp://x", "remote:x", "path:"])
def test_a_wrong_default_model_is_named(setting: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        registry.definition_from_setting(setting)
    assert refused.value.param == "DEFAULT_MODEL"


def test_a_new_installation_gets_the_house_model_with_a_price() -> None:
    version = registry.ensure_default_model()
    assert registry.resolve("default") == version
    assert (version.name, version.backend) == (HOUSE_MODEL, Backend.LOCAL)
    assert version.input_price > 0


def test_an_operators_choice_outlives_a_restart() -> None:
    registry.ensure_default_model()
    other = register("other")
    registry.move_alias("default", "other")
    registry.ensure_default_model()
    assert registry.resolve("default") == other
    with override_settings(DEFAULT_MODEL="remote:llama@http://gpu.example/v1"):
        registry.ensure_default_model()
    assert registry.resolve("default").name == "llama"


def test_the_command_registers_and_points() -> None:
    out = StringIO()
    arguments = ["--remote-url", "http://gpu.example/v1", "--context", "8192", "--output-price", "0.25"]
    call_command("register_model", "llama", *arguments, "--alias", "default", "--alias", "big", stdout=out)
    version = registry.resolve("big")
    assert (version.remote_model, version.context_length, version.output_price) == ("llama", 8192, Decimal("0.25"))
    call_command("register_model", "llama", "--alias", "small", stdout=out)
    assert registry.resolve("small") == version
    with pytest.raises(CommandError, match="missing"):
        call_command("register_model", "missing", "--alias", "small", stdout=out)
