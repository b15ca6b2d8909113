"""The files for servers agree with each other and with the Procfile."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]


def test_compose_runs_every_process_of_the_procfile(services: dict[str, Any]) -> None:
    processes = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.MULTILINE)
    assert processes == ["web", "generation", "default", "embedding", "dialogue", "signer", "schedule"]
    for name in processes:
        assert services[name]["command"] == ["sh", "deploy/process.sh", name]
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_migration_runs_as_owner(services: dict[str, Any]) -> None:
    owners = {name for name, service in services.items() if service["environment"].get("DATABASE_ROLE") == ""}
    assert owners == {"migrate"}


def test_only_the_signer_has_the_keys_of_licences(services: dict[str, Any]) -> None:
    given = {name for name, service in services.items() if "LICENCE_SIGNING_KEYS" in service["environment"]}
    assert given == {"signer"}
    with_file = [line for line in (ROOT / "Procfile").read_text().splitlines() if "LICENCE_SIGNING_KEYS" in line]
    assert [line.partition(":")[0] for line in with_file] == ["signer"]


def test_compose_names_every_value_that_its_example_asks_for() -> None:
    example = (ROOT / "deploy" / "compose.env.example").read_text()
    named = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    required = set(re.findall(r"\$\{(\w+):\?", (ROOT / "deploy" / "compose.yaml").read_text()))
    assert required <= named


def test_a_process_script_refuses_an_unknown_name() -> None:
    result = subprocess.run(
        ["sh", "deploy/process.sh", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "nothing" in result.stderr


def test_the_image_runs_as_an_ordinary_user_with_a_health_check() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    last_stage = dockerfile.rsplit("\nFROM ", 1)[1]
    assert "\nUSER millrace\n" in last_stage
    assert "HEALTHCHECK" in last_stage
    assert "deploy/health.py" in last_stage
    assert (ROOT / "deploy" / "health.py").exists()


def test_no_file_with_secrets_gets_into_the_image() -> None:
    """`COPY . .` takes what git ignores too, such as the compose file's passwords."""
    kept_out = set((ROOT / ".dockerignore").read_text().split())
    assert {".git", "var", ".venv", ".env", "deploy/compose.env"} <= kept_out


def test_constraints_pin_every_requirement_alike() -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[re.sub(r"[-_.]+", "-", name).lower()] = version
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                name, version = line.split("==")
                assert pins[re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()] == version, line
    assert not [name for name in pins if "nvidia" in name or "cuda" in name or name == "triton"]


def test_nothing_for_servers_starts_the_stripe_simulator() -> None:
    for name in ("Procfile", "Dockerfile", "deploy/compose.yaml", "deploy/process.sh", "deploy/compose.env.example"):
        assert "stripe_simulator" not in (ROOT / name).read_text()
