"""Models and usage over the API, the schema, and the pages that explain it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.core import errors
from apps.core.views import InternalError
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from tests.helpers.people import Tenant
from tests.helpers.studio import ask

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "api.md"


@pytest.fixture
def client() -> Client:
    return Client()


def test_models_tell_their_limits_and_prices(client: Client, org_a: Tenant, model: ModelVersion) -> None:
    body = client.get("/api/v1/models", headers=org_a.bearer).json()
    named = {entry["id"]: entry for entry in body["data"]}
    assert body["object"] == "list"
    assert named["default"]["version"] == named["house-text-1"]["id"] == "house-text-1"
    assert named["default"]["context_length"] == model.context_length > named["default"]["max_output_tokens"]
    assert named["default"]["follows_instructions"] is False
    assert named["default"]["price"] == {"input": "0.000500", "output": "0.001500", "currency": "USD"}


def test_a_models_name_may_hold_slashes(client: Client, org_a: Tenant) -> None:
    registry.register_model(registry.ModelDefinition(name="org/name@abc", source="nowhere/at-all"))
    assert client.get("/v1/models/org/name@abc", headers=org_a.bearer).json()["id"] == "org/name@abc"


@pytest.mark.parametrize("name", ["nothing", "a/b/c", "%00", "x%20y", "a" * 500])
def test_an_unknown_model_is_not_found(client: Client, org_a: Tenant, name: str) -> None:
    response = client.get(f"/v1/models/{name}", headers=org_a.bearer)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


def test_usage_tells_what_is_held_and_left(client: Client, org_a: Tenant, org_b: Tenant, model: Any) -> None:
    held = ask(org_a).held_tokens
    body = client.get("/api/v1/usage", headers=org_a.bearer).json()
    assert (body["used"], body["held"]) == (0, held)
    assert body["remaining"] == body["allowance"] - held
    assert body["spend"] == {"amount": "0.000000", "currency": "USD"}
    assert client.get("/api/v1/usage", headers=org_b.bearer).json()["held"] == 0


def test_strangers_see_neither(client: Client, db: None) -> None:
    for path in ("/api/v1/models", "/api/v1/usage", "/v1/models", "/v1/models/default"):
        assert client.get(path).status_code == 401


# ---------------------------------------------------------------- schema and guide


def schema_of(client: Client) -> dict[str, Any]:
    response = client.get("/api/schema")
    assert response.status_code == 200
    found: dict[str, Any] = json.loads(response.content)
    return found


# Where Chatwoot's programs ask, its shape of a failure stands beside ours: decision 79.
CHATWOOT = ("/api/v1/accounts/", "/api/v2/accounts/", "/api/v1/profile", "/public/")


def test_the_schema_declares_every_operation_and_its_failures(client: Client) -> None:
    schema = schema_of(client)
    assert schema["openapi"].startswith("3.1")
    assert {"apiKey", "session"} <= set(schema["components"]["securitySchemes"])
    operations = [(path, operation) for path, found in schema["paths"].items() for operation in found.values()]
    assert len(operations) > 60
    for path, operation in operations:
        asks = any("apiKey" in way for way in operation.get("security", []))
        wanted = {"405", "503"} | ({"401", "403"} if asks else set())
        assert wanted <= set(operation["responses"]), operation["operationId"]
        assert operation["summary"]
        for status, response in operation["responses"].items():
            if status >= "400":
                shape = response["content"]["application/json"]["schema"]
                told = "ErrorForChatwoot" if path.startswith(CHATWOOT) else "Error"
                assert shape == {"$ref": f"#/components/schemas/{told}"}, (operation["operationId"], status)


def test_the_schema_is_packed_for_whoever_unpacks_it(client: Client) -> None:
    packed = client.get("/api/schema", headers={"accept-encoding": "gzip, br"})
    assert packed["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed["vary"]
    assert len(packed.content) < 500_000
    assert json.loads(gzip.decompress(packed.content)) == schema_of(client)


def test_every_reference_in_the_schema_leads_somewhere(client: Client) -> None:
    schema = schema_of(client)
    text = json.dumps(schema)
    for name in schema["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in schema["components"]["schemas"]


def test_the_documentation_page_needs_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/docs")
    text = page.content.decode()
    assert page.status_code == 200
    assert not re.search(r'(src|<link[^>]*href)="(https?:)?//', text) and "<style" not in text


def test_every_operation_of_the_schema_stands_on_the_page_with_its_fields(client: Client) -> None:
    schema, text = client.get("/api/schema").json(), client.get("/api/docs").content.decode()
    operations = [one for item in schema["paths"].values() for one in item.values() if "operationId" in one]
    assert len(operations) > 40
    for operation in operations:
        assert f'id="{operation["operationId"]}"' in text
    for field in ("max_tokens", "temperature", "Idempotency-Key", "Last-Event-ID"):
        assert f"<code>{field}</code>" in text


def test_the_guide_names_every_error_code() -> None:
    guide = GUIDE.read_text()
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MillraceError)
    ]
    codes = {kind.code for kind in [*kinds, InternalError] if kind is not errors.MillraceError}
    missing = {code for code in codes if f"| `{code}` |" not in guide}
    assert not missing, f"docs/api.md does not explain {sorted(missing)}"


def test_the_guide_names_every_address_of_the_schema(client: Client) -> None:
    guide = GUIDE.read_text()
    assert not [path for path in schema_of(client)["paths"] if path not in guide]
